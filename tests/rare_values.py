"""The reference of rare_values.py: the rows of all owners but one, in the clear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def few(count: int, least: int) -> bool:
    """Whether a cell names patients, and too few."""
    return 0 < count < least


def is_rare(owned: Sequence[NDArray[np.float64]], slots: int, least: int) -> bool:
    """Whether, of all owners but one, few rows (rows, columns) differ from the commonest, or have one of few values."""
    return any(_rare(np.concatenate(others), slots, least) for others in all_but_one(owned))


def all_but_one(owned: Sequence[NDArray[np.float64]]) -> list[list[NDArray[np.float64]]]:
    """What the others of each owner have."""
    return [[one for i, one in enumerate(owned) if i != k] for k in range(len(owned))]


def _rare(rows: NDArray[np.float64], slots: int, least: int) -> bool:
    counts = Counter(map(tuple, rows + 0.0))
    if not counts:
        return False
    if few(len(rows) - max(counts.values()), least):
        return True
    return len(counts) <= slots and any(few(count, least) for count in counts.values())


def is_marked(owned: Sequence[NDArray[np.float64]], least: int) -> bool:
    """Whether products of two columns (rows, 2) are of few rows that differ from the commonest value of both, or of
    the one within a level of the other, which has two."""
    return any(_marked(np.concatenate(others), least) for others in all_but_one(owned))


def _marked(rows: NDArray[np.float64], least: int) -> bool:
    if not len(rows):
        return False
    common = [Counter(column).most_common(1)[0][0] for column in rows.T]
    if few(int((rows != common).all(axis=1).sum()), least):
        return True
    for of, other in ((0, 1), (1, 0)):
        levels = set(rows[:, of])
        if len(levels) <= 2:
            for level in levels:
                within = Counter(rows[rows[:, of] == level, other])
                if few(sum(within.values()) - max(within.values()), least):
                    return True
    return False
