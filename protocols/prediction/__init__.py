"""New rows scored by a model that nobody sees.

Read first: `rows_job.py` (rows of their own), `columns_job.py` (other columns of the same rows).

May import: `protocols.evaluation` and what is below it; no other job.
"""
