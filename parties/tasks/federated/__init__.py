"""`kind = "federated"`: one model from many clients' rows, through a server that sees sums alone.

Read first: `settings.py` (what follows from a scenario), `reveals.py` (who learns what); then the rooms: what a client
does is in `clients`, what the server does in `server`. `kind.py` and `star.py` say which function does which step.
May import `tasks` and what is below; `kind.py` and `star.py` its own rooms, too.
"""
