"""Federated learning: clients train on their own rows, and a server learns sums of their updates alone.

Read first: `programs.py` (a round, at a client and at the server), `messages.py` (what the server sends), `models.py`
(what is learnt), `local.py` (a client's work), `coding.py` (its update as numbers that are summed, and the sum back),
`optimise.py` (the server's step), `sample.py` (whose turn it is), `split.py` (rows dealt to simulated clients).
`newton.py` is the exact fit of a generalised linear model (`glm_sums.py` at a client, `glm_fit.py` its table, in
`units.py`). `evaluate.py` judges the received model, `personal.py` has each client's own, `effort.py` plans what a
client's work takes. What is drawn here is public, from the scenario's seed (`draws.py`).

May import: everything else in `protocols` but `plain`.
"""
