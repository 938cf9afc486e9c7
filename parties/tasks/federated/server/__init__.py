"""The server's part in federated learning: the study round by round, over links, and across restarts.

Read first: `rounds.py` (the state between two rounds, and the step to the next), `serve.py` (the rounds over links),
`state.py` (the state on disk), `newton.py` (the rounds of Newton's method).
May import `tasks.federated.clients` and what is below.
"""
