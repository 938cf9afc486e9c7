"""Logistic regression by maximum likelihood, with standard errors: the fit, its table, the job for rows and columns.

Read first: `rows_job.py` (the whole job), `irls.py` (Newton's method, under sharing), `table.py`.

May import: `protocols.evaluation` and what is below it; no other job.
"""
