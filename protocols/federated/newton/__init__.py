"""Newton's method over many clients: the exact fit of a generalised linear model.

Read first: `sums.py` (a client's part, at a public model), `steps.py` (the server's steps), `fit.py` (the table of
coefficients), `units.py` (the columns' units, in which sums have bounds).

May import: `protocols.federated` and what is below it.
"""
