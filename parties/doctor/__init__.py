"""`mpc doctor`: whether a run could start from this machine now, and what to do if it could not.

Read first: `owners.py` (what is looked at, in order), `checks.py` (this machine), `peers.py` (the links).
May import `report` and the rooms below.
"""
