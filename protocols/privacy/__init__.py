"""Differential privacy: noise made inside a protocol, and what releases with it cost.

Read first: `noisy_sum.py` (the protocol, and whom its noise protects from whom), `discrete_gaussian.py` (the exact
sampler), `accounting.py` (epsilon and delta), with `sampled.py` of vectors; for many clients `distributed.py`, and
`concentrated.py` for its cost. What follows from noisy counts and sums is in `estimates.py`.

May import: no other room.
"""
