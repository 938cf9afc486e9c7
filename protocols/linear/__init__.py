"""Linear regression by ordinary or weighted least squares: settings, the fit, its table, the job for rows and columns.

Read first: `rows_job.py` (the whole job), `least_squares.py`, `settings.py`.

May import: `protocols.evaluation` and what is below it; no other job.
"""
