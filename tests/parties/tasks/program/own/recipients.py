"""What each owner is told of its own: by the right owner, and by two of them swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beaverlodge.protocol import Party, Public, Share
from mpc.testing import to_each


async def told(p: Party, x: tuple[Share, ...], order: Sequence[int]) -> Public:
    total = x[0]
    for one in x[1:]:
        total = total + one
    rest = {owner: total - x[k] for owner, k in zip(p.owners, order, strict=True)}
    return await p.reveal_to_each(rest, what="rest", why="agreed", label="rest")


async def right(p: Party, x: tuple[Share, ...]) -> Public:
    """Each owner learns the sum of the others' numbers."""
    return await told(p, x, range(len(x)))


def right_reference(x: tuple[np.ndarray, ...]) -> Any:
    return to_each([np.sum(x, axis=0) - one for one in x])


async def swapped(p: Party, x: tuple[Share, ...]) -> Public:
    return await told(p, x, (1, 0, *range(2, len(x))))


swapped_reference = right_reference
