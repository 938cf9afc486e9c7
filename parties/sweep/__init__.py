"""`mpc sweep`: a scenario with varied settings, several runs each; the results as a table, a page and `sweep.json`.

Read first: `study.py` (from a scenario and its settings to cells), `conduct.py` (the whole sweep), `local.py` and
`cluster.py` (where cells run), `summary.py` (medians and intervals).
May import `report` and the rooms below.
"""
