"""`kind = "predict"`: new rows scored by a model that nobody sees.

Read first: `run.py` (the steps of a run), `data.py` (an owner's share and rows).
May import `tasks` and what is below.
"""
