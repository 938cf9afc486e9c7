"""The quality of an open or a shared model on rows that nobody may show: metrics, calibration, likelihood.

Read first: `metrics.py` (open scores), `shared_scores.py` (shared ones), `calibration.py`.

May import: `protocols.scaling`, `protocols.disclosure` and what is below them.
"""
