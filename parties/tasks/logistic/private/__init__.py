"""A logistic regression with [privacy]: what its methods share. Each has a room: `gradients`, `columns`, `output`.

Read first: `settings.py` (which settings go with it, and the method), `agreed.py` (sizes that are agreed).
May import `tasks` and what is below, and the kind's `settings`.
"""
