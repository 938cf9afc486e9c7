"""`mpc sweep`: a scenario with other settings, several times each; what came of it as a table, a page and `sweep.json`.

Read first: `study.py` (from a scenario and its settings to cells), `conduct.py` (the whole sweep), `here.py` and
`cluster.py` (where its cells run), `summary.py` (medians and intervals).
May import `report` and the rooms below.
"""
