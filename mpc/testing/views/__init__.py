"""What a party, or several together, see of a run, and whether any of it depends on the others' secrets.

Read first: `check.py`, `recording.py` (a run with all randomness chosen), `sight.py` (what a coalition sees of it).

May import: `mpc.testing.cases`, and all of `mpc` below `mpc.testing`.
"""
