"""Kinds of task over a server and many clients: the steps that each provides, and what their clients have in common.

Read first: `base.py` (`Star`, the steps), `clients.py` (the clients of one process), `rows.py` (their data), `noise.py`
([privacy]).
May import `base`, `show`, `scenario`, `data` and `trust`.
"""
