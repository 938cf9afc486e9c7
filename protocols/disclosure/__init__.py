"""What must not be disclosed: counts and sums of few rows, and what would give them back.

Read first: `small_cells.py` (the test, under sharing), `suppression.py` (which cells are withheld together),
`design_cells.py` (the cells of a model's columns).

May import: `protocols.linalg`, `protocols.functions` and what is below them.
"""
