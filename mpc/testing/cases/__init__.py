"""What the kit runs: a protocol's inputs, the protocol as each party's program, and how a check fails.

Read first: `inputs.py`, `programs.py`.

May import: all of `mpc` below `mpc.testing`.
"""
