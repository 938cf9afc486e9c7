"""Mini-batch gradient descent for logistic regression on shared rows.

    z = X_S w     s = sigma(z)     w <- w - (rate / B) X_S^T (s - y) - rate l2 w     (the intercept is not penalised)

Three rounds a step: w, z and the errors are each opened once, under masks of their own. X - A is opened before the
first step and reused. After Boura et al. 2018 (the sigmoid) and Mohassel and Zhang, "SecureML", 2017 (reusing X - A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.runtime.party import Party
from mpc.runtime.round import Deferred
from mpc.sharing.share import Public, Share
from protocols.core.truncation import Divisible, divided, divided_together
from protocols.functions.sigmoid import less_half, odd_part
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.linalg.held import Held, Rows, product, take_rows, transpose_product
from protocols.training.batches import alike, batch_sizes
from protocols.training.bit_budget import BitBudget
from protocols.training.range_check import Seen, kept_all

_LATELY = 1 << 13  # rows of the steps whose weights are divided at once: bounds the memory that is held till then


@dataclass(frozen=True)
class Descent:
    """The public settings of a training."""

    rate: float
    l2: float
    fit: SigmoidFit
    bits: BitBudget


async def descend(
    p: Party,
    x: Held,
    y: Share,
    steps: Sequence[Rows],
    how: Descent,
    weighted: Held | None = None,
    seen: Seen | None = None,
) -> tuple[Share, Deferred[list[Share]]]:
    """Train from w = 0: the weights [w] (d,) at scale bits.w, and each step's weights at few bits for the range check.

    Stage "training". What is left to do for the range check is done when it is asked for.

    Args:
        x: the rows (m, d), the last column all ones, held at scale bits.x.
        y: labels 0 and 1 (m,) at scale 0.
        steps: the rows of each mini-batch.
        weighted: the rows as they enter the gradient, if they count differently.
        seen: is given the steps' weights, and checks those of a long training meanwhile.

    3 rounds a step, and those of `seen`; else reveals nothing: each opening is under a uniform mask of its own.
    """
    w = p.public(p.constant(0, x.shape[1:], how.bits.w))
    decay = _decay(p, x.shape[1], how)
    targets = {size: target(p, y, size, how) for size in set(batch_sizes(steps))}
    kept = seen or kept_all()
    lately: list[Deferred[Divisible]] = []
    p.stage("training", 0, len(steps))
    for t, size in enumerate(batch_sizes(steps)):

        async def one(t: int = t, size: int = size, w: Share = w) -> tuple[Share, Deferred[Divisible]]:
            after, low = await step(p, x, targets[size], steps[t], w, decay, how, weighted)
            return after, p.defer(low.apart)

        w, low = await p.step(alike(steps, t, size), t, one)
        lately.append(low)
        if len(lately) * size >= _LATELY:
            await kept.add(divided_together(p, [one() for one in lately]))
            lately.clear()
        p.stage("training", t + 1, len(steps))
    return w, Deferred(lambda: kept.left + divided_together(p, [one() for one in lately]))


async def step(
    p: Party,
    x: Held,
    target: Share,
    rows: Rows,
    w: Share,
    decay: Public | None,
    how: Descent,
    weighted: Held | None = None,
) -> tuple[Share, Divisible]:
    """One mini-batch: the next [w], and what gives [w] before the step at few bits. 3 rounds.

    Args:
        target: what `target` gives for as many rows as are in the batch.
    """
    bits, weight = how.bits, how.rate / rows.index.size
    batch = take_rows(x, rows)
    z, low = await product(p, batch, w, bits.w_shift, label="step/w")
    shrunk = None if decay is None else p.defer(lambda: decay * divided(p, low))
    wanted = p.defer(lambda: target.rows(rows.index))
    s = await odd_part(p, z, how.fit, weight, bits.coefficients, waves=bits.waves, label="step/z")
    summed = batch if weighted is None else take_rows(weighted, rows)
    g = await transpose_product(p, summed, s - wanted(), bits.e_shift, label="step/e")
    w = w - g
    return (w if shrunk is None else w - shrunk()), low


def target(p: Party, y: Share, size: int, how: Descent) -> Share:
    """[(rate / B) (y - 1/2)] for every row (m,): the target of the odd part of (rate / B) sigma(z)."""
    return less_half(p, y, how.rate / size, how.bits.waves + how.bits.coefficients)


def _decay(p: Party, columns: int, how: Descent) -> Public | None:
    """rate * l2 for every weight but the intercept, at a scale that brings w's low copy back to w's scale."""
    if not how.l2:
        return None
    factor = np.full(columns, round(how.rate * how.l2 * 2.0**how.bits.w_shift), dtype=np.uint64)
    factor[-1] = 0
    return Public(factor, how.bits.w_shift)
