"""`kind = "secure_sum"`: counts and sums over many clients, through a server that sees none of them.

Read first: `settings.py` (the scenario), `reveals.py` (who learns what), `small_cells.py`; then `ends/clients.py` and
`ends/server.py`. `kind.py` and `star.py` say which function does which step.
May import `tasks` and what is below; `kind.py`, `star.py` and `audit.py` its own rooms, too.
"""
