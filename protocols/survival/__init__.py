"""Survival curves and the log-rank test: how counts over time are deferred, summed under sharing, and disclosed.

Read first: `curve.py` (from the disclosed counts, in the clear), `log_rank.py` (under sharing), `deferred.py`.

May import: `protocols.linalg`, `protocols.functions` and what is below them.
"""
