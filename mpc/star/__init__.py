"""A server and many clients, of which each sends once in a stage: for secure aggregation.

Read first: `stage.py` (the one effect), `server.py` and `client.py` (the two ends), `admission.py` (whom the server
hears). `lockstep.py` runs programs in one thread, `sockets.py` many clients in one process, `memory.py` clients without
sockets.

May import: `mpc.links`, `mpc.links.zmq` and what is below them.
"""
