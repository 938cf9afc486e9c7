"""Gradient descent for logistic regression in its dual form: one number u a row, w = X^T u, G = X X^T made once.

    z = G_S u + c    s = sigma(z)    u_S <- u_S - (rate / B) (s - y) - rate l2 u    c <- c - (rate / B) sum (s - y)

The same steps and the same weights as descent.py, at two rounds a step: u (with the intercept c as its last entry)
and z are each opened once, under masks of their own. The intercept stands beside G, so the penalty passes it by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import any_set, outside
from protocols.core.truncation import divided, truncate
from protocols.functions.sigmoid import SineMask, less_half, series
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.linalg.gram import combination
from protocols.linalg.held import Held, Rows, product, products, take_rows
from protocols.training.batches import alike, batch_sizes
from protocols.training.bit_budget import DualBudget
from protocols.training.range_check import CHUNK, Seen, kept_all


@dataclass(frozen=True)
class DualDescent:
    """The public settings of a training in the dual form."""

    rate: float
    l2: float
    fit: SigmoidFit
    bits: DualBudget


async def descend_dual(
    p: Party, gram: Held, y: Share, steps: Sequence[Rows], how: DualDescent, seen: Seen | None = None
) -> tuple[Share, list[Share]]:
    """Train from u = 0: [u] (m + 1,) at scale bits.u, the intercept last, and each step's u at few bits.

    Args:
        gram: G with a last column of ones (m, m + 1), held at scale bits.g.
        y: labels 0 and 1 (m,) at scale 0.
        steps: the rows of each mini-batch.
        seen: is given each step's u, and checks those of a long training meanwhile.

    2 rounds a step, and those of `seen`; else reveals nothing: each opening is under a uniform mask of its own.
    """
    u = p.public(p.constant(0, gram.shape[1:], how.bits.u))
    targets = {size: less_half(p, y, how.rate / size, how.bits.u) for size in set(batch_sizes(steps))}
    kept = seen or kept_all()
    for t, size in enumerate(batch_sizes(steps)):

        async def one(t: int = t, size: int = size, u: Share = u) -> tuple[Share, Share]:
            return await _step(p, gram, targets[size], steps[t], u, _decay(p, gram.shape[1], t, how), how)

        u, low = await p.step(alike(steps, t, size), t, one)
        await kept.add([low])
        p.stage("training", t + 1, len(steps))
    return u, kept.left


async def _step(
    p: Party, gram: Held, target: Share, rows: Rows, u: Share, decay: Public | None, how: DualDescent
) -> tuple[Share, Share]:
    """One mini-batch: the next [u], and [u] before the step at few bits. 2 rounds.

    Args:
        target: [(rate / B) (y - 1/2)] for every row (m,).
    """
    bits, weight = how.bits, how.rate / rows.index.size
    z, low = await product(p, take_rows(gram, rows), u, bits.u_shift, label="step/u")
    r, waves = p.correlation(SineMask(z.shape[0], z.scale, len(how.fit.coefficients), bits.waves))
    u_low = p.defer(lambda: divided(p, low))
    wanted = p.defer(lambda: target.rows(rows.index))
    (m,) = await p.open(z + r, label="step/z")
    errors = series(p, m, waves, how.fit, weight, bits.coefficients) - wanted()
    u = Share(p.compute(_subtracted, u.value, errors.value, rows.index, shape=u.shape), bits.u)
    return (u - decay * u_low() if decay is not None else u), u_low()


def _subtracted(u: Array, errors: Array, index: Array) -> Array:
    """u less each error at its row, and the intercept, which is last, less all of them."""
    result = u.copy()
    np.subtract.at(result, index, errors)
    result[-1:] -= errors.sum(keepdims=True)
    return result


def _decay(p: Party, width: int, t: int, how: DualDescent) -> Public | None:
    """rate * l2 for every u but the intercept, in step t, at a scale that brings u's low copy back to u's scale.

    It is rounded to few bits, so that what is left over is carried to the next step: over all steps none is lost.
    """
    if not how.l2:
        return None
    fine = round(how.rate * how.l2 * 2.0 ** (how.bits.u_shift + 32))
    factor = np.full(width, (fine * (t + 1) >> 32) - (fine * t >> 32), dtype=np.uint64)
    factor[-1] = 0
    return Public(factor, how.bits.u_shift)


async def check_scores(
    p: Party, gram: Held, steps: Sequence[Rows], seen: Sequence[Share], limit: float, error: ProtocolError
) -> None:
    """Raise `error` unless |G_S u + c| <= limit for every step's rows S and u: see range_check.py.

    Neither u nor the scores made from its low copy can wrap around the ring, whatever the data (see `dual_budget`), so
    the scores are all that there is to check. 10 rounds a chunk of 2^18 values; reveals one word a chunk: zero if all
    held, else uniform.
    """
    for part in _chunks(gram, steps):
        await _check_part(p, gram, steps[part.start : part.stop], seen[part.start : part.stop], limit, error)
        p.stage("range check", part.stop, len(steps))


def seen_scores(p: Party, gram: Held, steps: Sequence[Rows], limit: float, error: ProtocolError) -> Seen:
    """The check of a training's scores while it goes on; `check_scores` then takes those that are left."""

    async def check(part: range, seen: Sequence[Share]) -> None:
        await _check_part(p, gram, steps[part.start : part.stop], seen, limit, error)

    return Seen(_chunks(gram, steps), check)


def _chunks(gram: Held, steps: Sequence[Rows]) -> Iterator[range]:
    """Consecutive steps whose u and scores fill at most a chunk."""
    at_once = max(1, CHUNK // (max(batch_sizes(steps)) + gram.shape[1]))
    return (range(start, min(start + at_once, len(steps))) for start in range(0, len(steps), at_once))


async def _check_part(
    p: Party, gram: Held, steps: Sequence[Rows], seen: Sequence[Share], limit: float, error: ProtocolError
) -> None:
    stacked = Share(np.concatenate([share.value.reshape(-1, 1) for share in seen], axis=1), seen[0].scale)
    scores = await products(p, gram, steps, stacked, label="range/scores", count=sum(batch_sizes(steps)))
    high = np.full(scores.shape, round(limit * 2.0**scores.scale), dtype=np.int64)
    word = await any_set(
        p,
        await outside(p, scores, -high, high, label="range/mask"),
        what="range check",
        why="one bit: zero if every score of the training stayed in range, else a random word",
    )
    p.insist_jointly(lambda: not word.value.any(), lambda: error)


async def dual_weights(p: Party, x: Held, u: Share, how: DualDescent) -> Share:
    """[w] (d + 1,) from the rows' [u]; the intercept is last in both. 2 rounds; reveals values under uniform masks."""
    low = await truncate(p, u, how.bits.w_shift)
    features = await combination(p, x, low[:-1], label="weights")
    intercept = low[-1:].shifted(x.scale).at_scale(low.scale + x.scale)
    return Share(np.concatenate((features.value, intercept.value)), features.scale)
