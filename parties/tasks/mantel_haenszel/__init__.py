"""`kind = "mantel_haenszel"`: one odds ratio over strata. Read `run.py` first, then `pooled.py` for the formulas.

May import: base, show, scenario, data, trust, and what all kinds share in tasks; no other kind.
"""
