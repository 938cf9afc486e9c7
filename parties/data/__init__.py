"""An owner's table, from its file or query to columns of float64: number forms, encodings, missing values, features,
target.

Read first: `table.py` (all steps), `read.py` (DuckDB), `cells.py` (how a cell is written: decimal commas, dates).
May import `base`, `show` and `scenario`.
"""
