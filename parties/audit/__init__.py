"""`mpc audit`: attacks on what a run or a study discloses, and what they gained.

Read first: `attack.py` (what an attack is given and what it finds), `registry.py` (the attacks). What depends on the
kind of task comes from the kind, which `parties/tasks/audited.py` describes.
May import `report` and the rooms below.
"""
