"""Slices of long arrays, so that the intermediate values of a long expression stay in a processor's cache.

Without this every sum and product of large arrays is a new array, whose pages the system has to find and clear. That
takes longer than the arithmetic, in a process that has not held as much before.
"""

from __future__ import annotations

from collections.abc import Iterator

PIECE: int = 1 << 16  # of 64-bit words: a handful of arrays of them stay in a processor's cache


def slices(rows: int, columns: int = 1) -> Iterator[slice]:
    """Slices of all rows of an array of so many columns, in order: each of `PIECE` words at most, or of one row."""
    step = max(1, PIECE // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
