"""Seeds, keys and streams; correlated randomness, where its parts lie in a stream, and how the helper deals it.

Read first: `streams.py` (HKDF and AES-CTR), `correlation.py` (which kinds there are), `layout.py` (how both sides
draw), `dealing.py` (the helper's side). An owner's side is `mpc.runtime.supply`, for it follows a plan.

May import: `mpc.sharing` and what is below it.
"""
