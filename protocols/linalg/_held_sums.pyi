"""held_sums.c, compiled; see held_sums.py."""

from mpc.ring.array import Array

def transposed_sum(
    x: Array,
    e: Array,
    index: Array,
    d: Array,
    v: Array,
    t: Array,
    wraps: Array,
    av: Array,
    out: Array,
    word_bytes: int,
    shift: int,
    first: int,
    /,
) -> None: ...
