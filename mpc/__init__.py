"""The machine: rings, shares, randomness, rounds, plans and links, which know no protocol and no file.

The rooms from the ground up: `errors.py`, `ring`, `sharing` (shares and masks), `randomness` (streams, correlations),
`runtime` (rounds, the party, the plan), `links` (sockets, sessions, the handshake), `faults` (on purpose), `star` (a
server and clients), `testing` (the kit). This page imports nothing, so that a command that needs little starts at once.
"""
