"""Secure aggregation between a server and many clients (Bonawitz et al. 2017, Bell et al. 2020).

Read first: `client.py` and `server.py` (the two programs), `messages.py` (the bytes between them), `settings.py` (the
agreed facts).

May import: `mpc`, and its own rooms `protocols.aggregation.parts` and `protocols.aggregation.cells`.
"""
