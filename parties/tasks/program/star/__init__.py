"""`kind = "star_program"`: a protocol of somebody's own between a server and many clients.

Read first: `play.py`, which runs both ends in one thread for the plan, then `clients.py` and `server.py`.
"""
