"""The kit's cases: a protocol's inputs, the protocol as each party's program, and the failure of a check.

Read first: `inputs.py`, `programs.py`.

May import: all of `mpc` below `mpc.testing`.
"""
