"""Cutting long arrays into slices, so that what is in between of a long expression stays in a processor's cache.

Without this every sum and product of large arrays is a new one, whose pages the system has to find and clear: longer
work than the arithmetic, in a process that has not held as much before.
"""

from __future__ import annotations

from collections.abc import Iterator

PIECE: int = 1 << 16  # of 64-bit words: a handful of arrays of them stay in a processor's cache


def slices(rows: int, columns: int = 1) -> Iterator[slice]:
    """All rows of an array of so many columns, one after another: as many at a time as make `PIECE` words, or one."""
    step = max(1, PIECE // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
