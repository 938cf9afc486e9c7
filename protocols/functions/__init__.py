"""Functions of a shared value: sines, the logistic function, its derivative and integral, histograms.

Read first: `sigmoid.py` (one round), `logistic_series.py`, `trig.py` (the same bits on every machine). The C of
`wave_sums.c` is optional.

May import: `protocols.core`, `protocols.rows`.
"""
