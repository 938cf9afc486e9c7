"""`kind = "secure_sum"`: counts and sums over many clients, through a server that sees none of them.

Read first: `settings.py` (the scenario), `clients.py` and `server.py` (the two ends), `record.py`.
May import `tasks` and what is below.
"""
