"""A server and many clients, of which each sends once in a stage: for secure aggregation.

Read first: `stage.py` (the one effect), `server.py` and `client.py` (the two ends), `admission.py` (whom the server
hears). `sockets.py` carries the frames of many clients in one process, `memory.py` those of clients without sockets.
`lockstep.py` runs programs without ends and frames: for plans, views and tests. `members.py` is what an author's two
functions are given, `play.py` a run of them in lockstep.

May import: `mpc.links`, `mpc.links.zmq` and what is below them.
"""
