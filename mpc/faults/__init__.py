"""What can go wrong in a run on purpose: one description of a fault, and how it strikes over any network.

Read first: `fault.py`; `planted.py` says when a fault strikes, `network.py` strikes in a party's own process. The same
faults over a network in virtual time are in `mpc.testing.faults`.

May import: `mpc.links`, and what stands before it.
"""
