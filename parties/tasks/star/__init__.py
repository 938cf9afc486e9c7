"""Kinds of task over a server and many clients: the steps that each provides, and what they have in common.

Read first: `base.py` (`Star`, the steps), `clients.py` (the clients of one process), `rows.py` (their data), `noise.py`
([privacy]), `server.py` (the server's part), `plan.py` and `record.py` (what plans and records of all of them say).
May import `base`, `show`, `scenario`, `data` and `trust`.
"""
