"""A client's part in federated learning: its rows, its work on a round's model, and what it keeps.

Read first: `hosted.py` (the clients of one process, round by round), `work.py` (from the model to the numbers that a
client adds), `data.py` (its rows), `learner.py` (training by its owner's own code).
May import `tasks.federated` and what is below.
"""
