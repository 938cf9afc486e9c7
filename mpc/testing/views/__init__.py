"""The views of a party, or of several together, and tests of whether they depend on the others' secrets.

Read first: `check.py`, `recording.py` (a run with all randomness chosen), `sight.py` (what a coalition sees of it).

May import: `mpc.testing.cases`, and all of `mpc` below `mpc.testing`.
"""
