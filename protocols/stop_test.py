"""Has a training come to rest? One declared bit, now and then, by which all parties stop or go on.

    |w_j - w'_j| <= tolerance for every j        w: now, w': `EVERY` steps before

The bits of a run are no, no, ..., no, yes: together they tell after how many steps the weights came to rest, and so
something of how well conditioned the data are, but of no weight which way it moved or how far.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.party import Party
from mpc.share import Share
from protocols.comparison import any_set, outside

EVERY = 10
"""How many steps lie between two tests: a test takes as many rounds as three steps do."""

STOP_TEST = "stop test"


def is_due(steps: int, most: int) -> bool:
    """Whether there is a test after so many steps, of `most`: after the last one there is nothing to stop."""
    return steps % EVERY == 0 and steps < most


def steps_taken(most: int, ways: Sequence[bool]) -> int:
    """How many steps were taken, by what the tests said."""
    return (list(ways).index(True) + 1) * EVERY if True in ways else most


async def at_rest(p: Party, w: Share, before: Share, tolerance: float) -> bool:
    """Whether no entry of [w] (d,) differs from [w'] by more than `tolerance`, for entries within 2^62 in ring units.

    9 rounds; reveals w - w' + r, uniform over Z_2^64, masked bits, and one word: zero if all of w is at rest, else
    uniform. That bit is the way of the program, which so tells nothing more.
    """
    edge = np.full(w.shape, round(tolerance * 2.0**w.scale), dtype=np.int64)
    word = await any_set(
        p,
        await outside(p, w - before, -edge, edge, label="stop/mask"),
        what=STOP_TEST,
        why=f"one bit: zero if no weight moved by more than {tolerance:g} in {EVERY} steps, else a random word",
    )
    return p.fork(lambda: not word.value.any())
