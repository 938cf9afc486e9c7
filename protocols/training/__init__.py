"""Logistic regression by gradient descent: settings' consequences, the solvers, the job for rows and for columns. In
`private`: the same with [privacy].

Read first: `rows_job.py` (the whole job), `train.py` (which solver), `descent.py` (mini-batches).

May import: `protocols.evaluation` and what is below it; no other job.
"""
