"""Secret-shared and public values: what may be added, multiplied and opened.

Read first: `share.py` (`Share`, `Mask`, `Masked`, `Public`).

May import: `mpc.ring` and what is below it.
"""
