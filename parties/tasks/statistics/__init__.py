"""`kind = "statistics"`: counts, means, quantiles, tables, tests and survival curves of all owners' rows.

Read first: `run.py` (the steps of a run), `settings.py`, `record.py`.
May import `tasks` and what is below.
"""
