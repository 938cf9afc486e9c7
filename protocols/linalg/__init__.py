"""Matrices: products with a matrix that is opened once, Gram matrices, inverses, weights in original units.

Read first: `held.py` (X - A is opened once), `inverse.py`, `original_units.py`. The C of `held_sums.c` is optional.

May import: `protocols.core`, `protocols.rows`.
"""
