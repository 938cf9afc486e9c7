"""Rings, exact products in them, reals at a scale, and arrays: with data, as sent, and without data.

Read first: `rings.py` (Z_2^k, and bits under exclusive or), `fixed_point.py`, `specs.py` (an array's shape, scale and
ring, and its bytes). A dry run computes with `abstract_array.py`. The C of `thin_products.c` is optional.

May import: `mpc.errors`.
"""
