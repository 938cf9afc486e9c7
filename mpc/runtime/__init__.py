"""How a protocol runs, whatever carries its messages: the round, the party, the plan, and all parties in one thread.

Read first: `round.py` (the one effect), `party.py` (what a protocol is handed), `plan.py` (its dry run); `lockstep.py`
runs all parties in one thread, for tests.

May import: `mpc.randomness` and what is below it.
"""
