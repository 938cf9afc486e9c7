"""Test that every score and weight of a training was inside its range: one declared bit, before any other opening.

The periodic sigmoid is wrong outside |z| <= T, and a score past half a period looks like a small one. So each step
also keeps w at few fractional bits, low enough that neither it nor the score made from it can wrap around the ring,
and after the last step all of them are compared at once; in a long training, a chunk of steps as soon as it is full, so
that no more is kept. The weights are compared too, with a limit from which one step cannot reach the ring's edge: by
induction over the steps no weight ever wrapped, so every score is the true one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mpc.errors import ProtocolError
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import any_set, outside
from protocols.linalg.held import Held, Rows, products
from protocols.training.batches import batch_sizes

CHUNK = 1 << 18  # values compared at once: bounds the memory, and the rounds of a very long training


@dataclass(frozen=True)
class Limits:
    """The largest |z| and |w| allowed."""

    score: float
    weight: float


class Seen:
    """The weights of steps that are still to be checked, the oldest first.

    Args:
        parts: the chunks of steps, in order.
        check: checks one of them.
    """

    def __init__(self, parts: Iterator[range], check: Callable[[range, Sequence[Share]], Awaitable[None]]) -> None:
        self._parts = parts
        self._check = check
        self._part = next(parts, None)
        self.left: list[Share] = []
        self.checked = 0

    async def add(self, weights: Sequence[Share]) -> None:
        """Some more steps' weights. A chunk is checked once there is more than it; the last one is left."""
        self.left += weights
        while self._part is not None and len(self.left) > len(self._part):
            part, self._part = self._part, next(self._parts, None)
            full, self.left = self.left[: len(part)], self.left[len(part) :]
            await self._check(part, full)
            self.checked = part.stop


def kept_all() -> Seen:
    """Collect weights, and check none of them before all are there."""

    async def check(part: range, weights: Sequence[Share]) -> None:
        """There are no chunks."""

    return Seen(iter(()), check)


def seen_in_range(p: Party, x: Held, steps: Sequence[Rows], limits: Limits, error: ProtocolError) -> Seen:
    """The check of a training's weights while it goes on; `check_range` then takes those that are left."""

    async def check(part: range, weights: Sequence[Share]) -> None:
        await _check_part(p, x, steps[part.start : part.stop], weights, limits, error)

    return Seen(_chunks(steps, x.shape[1]), check)


async def check_range(
    p: Party, x: Held, steps: Sequence[Rows], weights: Sequence[Share], limits: Limits, error: ProtocolError
) -> None:
    """Raise `error` unless |X_S w| <= limits.score and |w| <= limits.weight for every step's rows S and weights w.

    10 rounds a chunk of 2^18 values; reveals one word a chunk: zero if all held, else uniform.
    """
    for part in _chunks(steps, weights[0].shape[0]):
        chunk = slice(part.start, part.stop)
        await _check_part(p, x, steps[chunk], weights[chunk], limits, error)
        p.stage("range check", part.stop, len(steps))


async def _check_part(
    p: Party, x: Held, steps: Sequence[Rows], weights: Sequence[Share], limits: Limits, error: ProtocolError
) -> None:
    stacked = Share(np.concatenate([v.value.reshape(-1, 1) for v in weights], axis=1), weights[0].scale)
    scores = await products(p, x, steps, stacked, label="range/scores", count=sum(batch_sizes(steps)))
    flat = Share(np.concatenate([v.value for v in weights]), weights[0].scale)
    word = await _any_outside(p, scores, flat, limits)
    p.insist_jointly(lambda: not word.value.any(), lambda: error)


async def _any_outside(p: Party, scores: Share, weights: Share, limits: Limits) -> Public:
    score, weight = (round(limit * 2.0**v.scale) for limit, v in ((limits.score, scores), (limits.weight, weights)))
    high = np.concatenate(
        (np.full(scores.shape, score, dtype=np.int64), np.full(weights.shape, weight, dtype=np.int64))
    )
    both = Share(np.concatenate((scores.value, weights.value)))
    bits = await outside(p, both, -high, high, label="range/mask")
    return await any_set(
        p,
        bits,
        what="range check",
        why="one bit: zero if every score and weight of the training stayed in range, else a random word",
    )


def _chunks(steps: Sequence[Rows], width: int) -> Iterator[range]:
    """Consecutive steps whose scores and weights fill at most a chunk."""
    start, size = 0, 0
    for t, rows in enumerate(batch_sizes(steps)):
        more = rows + width
        if size and size + more > CHUNK:
            yield range(start, t)
            start, size = t, 0
        size += more
    yield range(start, len(steps))
