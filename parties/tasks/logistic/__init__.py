"""`kind = "logistic_regression"`: a training of one model on all owners' rows, or its maximum-likelihood fit.

Read first: `run.py` (the steps of a run), `shape.py` (from a scenario to public settings).
May import `tasks` and what is below.
"""
