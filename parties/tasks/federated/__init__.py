"""`kind = "federated"`: one model from many clients' rows, through a server that sees sums alone.

Read first: `settings.py` (what follows from a scenario), `rounds.py` (the study, round by round), `work.py` (what
a client does with a round's model), `server.py`.
May import `tasks` and what is below.
"""
