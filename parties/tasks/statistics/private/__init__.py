"""`kind = "statistics"` with [privacy]: which settings go with it, and what plan, record and summary say of the noise.

Read first: `settings.py`, `record.py` (intervals for the noise), `inference.py` (for the population), `plan.py`.
May import the same as `tasks.statistics`.
"""
