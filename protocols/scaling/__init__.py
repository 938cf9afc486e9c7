"""Rows as they enter a fit: standardised or scaled, weighted, checked for fixed point, summed up.

Read first: `standardise.py` (pooled means and deviations), `private_scales.py` (powers of two alone), `own_columns.py`
(where every owner has other columns of the same rows).

May import: `protocols.linalg`, `protocols.functions` and what is below them.
"""
