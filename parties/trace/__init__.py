"""`mpc trace`: what every party of a run did in each round, merged, drawn and compared; and views, drawn.

Read first: `lanes.py` (what a run's folder holds), then `page.py`. May import: `base`, `show` and `mpc.testing`.
"""
