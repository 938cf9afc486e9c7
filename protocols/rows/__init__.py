"""The types that all jobs share: an owner's rows or columns, offsets and weights, settings, results, limits.

Read first: `own_rows.py` (what an owner enters), `settings.py` (what is public), `results.py` (what all learn).

May import: `mpc`.
"""
