"""Seeds, keys and streams; correlated randomness, and how the helper deals it and an owner draws it.

Read first: `streams.py` (HKDF and AES-CTR), `correlation.py` (which kinds there are), `dealing.py` (the helper's side);
`supply.py` is an owner's side.

May import: `mpc.sharing` and what is below it.
"""
