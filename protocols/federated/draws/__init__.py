"""Public draws of federated learning, from the scenario's seed: every party draws the same, and none is a secret.

Read first: `numbers.py` (reals, orders and shares from a stream), `sample.py` (the clients of a round), `split.py`
(rows dealt to simulated clients).

May import: `mpc`.
"""
