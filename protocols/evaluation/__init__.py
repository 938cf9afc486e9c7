"""How good a model is, on rows that nobody may show: metrics, calibration, likelihood; by an open or a shared model.

Read first: `metrics.py` (open scores), `shared_scores.py` (shared ones), `calibration.py`.

May import: `protocols.scaling`, `protocols.disclosure` and what is below them.
"""
