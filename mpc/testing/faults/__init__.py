"""Runs over networks on which frames are lost, late, repeated or altered, and parties die.

Read first: `check.py`, `virtual.py` (a network in virtual time); `sockets.py` is the same over ZeroMQ.

May import: `mpc.testing.cases`, and all of `mpc` below `mpc.testing`.
"""
