"""`kind = "linear_regression"`: least squares on all owners' rows, with standard errors.

Read first: `run.py` (the steps of a run), `settings.py`, `record.py`.
May import `tasks` and what is below.
"""
