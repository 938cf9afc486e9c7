"""How the parties of a session agree on version, scenario, shapes, plan and seeds, and then play their parts.

Read first: `handshake.py` (two of its rounds are in `hello.py` and `shapes.py`), then `play.py` (what an owner and the
helper do after it).

May import: `mpc.links` and what is below it; not `mpc.links.zmq`.
"""
