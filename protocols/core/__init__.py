"""What protocols are built of: products, truncation, comparison, selection, searches, sums over the owners.

Read first: `beaver.py` (the shortest protocol), `truncation.py`, `comparison.py`. `wide.py` and `wide_comparison.py` do
the same for thin vectors in wide rings.

May import: `protocols.rows`.
"""
