"""Differentially private statistics: one noisy vector of counts and sums, and public arithmetic on what was opened.

Read first: `job.py` (what is released, and the protocol), then `quantile_tree.py`, `inference.py` (t-tests,
correlations, tables) and `survival.py`; means and variances are in `protocols/privacy/estimates.py`.

May import: the same as `protocols.statistics`.
"""
