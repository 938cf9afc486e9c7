"""A party's links to its peers: frames, sessions that survive lost contact, deadlines, and reports of failures.

Read first: `wire.py` (a frame), `session.py` (one link without socket or clock), `channel.py` (a party's rounds
over all its links), `abort.py` (what a peer that gives up is believed). What carries the frames is a `network.py`:
`zmq/`, or a test's own. In `meeting/` parties agree.

May import: `mpc.runtime` and what is below it; not `meeting/`, not `zmq/`.
"""
