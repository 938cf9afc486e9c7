"""Plaintext references: the same fits in numpy's float64 on all rows in one place, to compare with.

Read first: `logistic.py` (a training and its metrics), `maximum_likelihood.py`, `linear.py`.

May import: everything else in `protocols`. Imported by `parties` and tests only.
"""
