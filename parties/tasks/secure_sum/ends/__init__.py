"""The parts of a secure sum's clients, its server and its helper.

Read first: `clients.py` (the clients of one process), `data.py` (from a client's rows to its numbers), `server.py`
(rounds and attempts), `result.py` (what the server reports).
May import `tasks.secure_sum` and what is below.
"""
