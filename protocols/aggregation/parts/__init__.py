"""The parts of a secure aggregation that know neither messages nor parties.

Read first: `quantise.py` and `pack.py` (reals as numbers modulo 2^b, and these as bytes), `masks.py` (what hides them),
`shamir.py` (secrets shared, with `decode.py` for wrong shares), `graph.py` (who shares with whom).

May import: `mpc`.
"""
