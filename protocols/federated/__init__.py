"""Federated learning: clients train on their own rows, and a server learns sums of their updates alone.

Read first: `programs.py` (a round, at a client and at the server), `messages.py` (what the server sends), `models.py`
(what is learnt), `local.py` (a client's work), `coding.py` (its update as numbers that are summed, and the sum back;
`noisy.py` with noise), `optimise.py` (the server's step). `evaluate.py` judges the received model, `personal.py` has
each client's own, `effort.py` plans what a client's work takes.

May import: everything else in `protocols` but `plain`, and its own room `protocols.federated.draws`.
"""
