"""`kind = "logistic_regression"`: a training of one model on all owners' rows, or its maximum-likelihood fit.

Read first: `run.py` (the steps of a run). In `settings` is what a scenario says; in `private`,
a training with [privacy].
May import `tasks` and what is below.
"""
