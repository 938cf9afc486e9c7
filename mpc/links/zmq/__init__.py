"""The links over ZeroMQ: encrypted sockets with an allow-list, bounded in descriptors and memory whoever connects.

Read first: `transport.py` (all connections of a party), `listener.py` and `dialler.py` (their two kinds), `curve.py`.

May import: `mpc.links` and what is below it; not `mpc.links.meeting`. No other room imports `zmq`, but `mpc.star`.
"""
