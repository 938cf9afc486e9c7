"""Owners' rows before a run: how many there are, whether they are enough, and how a model's are split for training.

Read first: `extent.py` (shapes, from the scenario and the data that are here), `regression.py` (training and held-out
rows), `few.py` (the fewest that a run takes); `stated.py` is of kinds that compute with all rows.
May import `base`, `show`, `scenario`, `data` and `trust`.
"""
