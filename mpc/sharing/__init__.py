"""Secret-shared and public values, with their arithmetic and the rules of opening.

Read first: `share.py` (`Share`, `Mask`, `Masked`, `Public`). A mask is spent in `mpc.runtime.party`, when it is opened.

May import: `mpc.ring` and what is below it.
"""
