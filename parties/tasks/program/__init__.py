"""`kind = "program"`: a protocol of somebody's own. Read `run.py` first, then `function.py` for what runs of the file.

May import: base, show, scenario, data, trust, and what all kinds share in tasks; no other kind.
"""
