"""One party's part in a run: how it is reached, whom it knows, from its data to its result.

Read first: `take_part.py` (every step), `separate.py` (separate machines).
May import `tasks` and the rooms below.
"""
