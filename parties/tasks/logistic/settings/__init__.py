"""[task] of a logistic regression: its settings, and the public settings of a training that follow from them.

Read first: `task.py` (the settings), `shape.py` (from a scenario to a training's).
May import `tasks` and what is below.
"""
