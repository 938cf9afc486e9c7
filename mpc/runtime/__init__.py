"""The run of a protocol, over any links: the round, the party, the plan, and all parties in one thread.

Read first: `round.py` (the one effect), `party.py` (a protocol's party: every opening, where its mask is spent),
`plan.py` (its dry run: rounds, bytes and, over given links, seconds); `lockstep.py` runs all parties in one thread, for
tests.

May import: `mpc.randomness` and what is below it.
"""
