"""Secret-shared and public values, with their arithmetic and the rules of opening.

Read first: `share.py` (`Share`, `Mask`, `Masked`, `Public`).

May import: `mpc.ring` and what is below it.
"""
