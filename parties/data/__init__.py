"""An owner's table, from its file or query to columns of float64: number forms, encodings, missing values, features,
target.

Read first: `table.py` (all steps), `read.py` (DuckDB), `cells.py` (forms of cells: decimal commas, dates).
May import `base`, `show` and `scenario`.
"""
