"""Full-batch gradient descent with constant momentum, for logistic regression on shared rows.

Nesterov's accelerated gradient, with b = momentum and the preconditioner P = 1 (plain) or P ~ H^-1 (see hessian.py):

    g = P ((1 / m) X^T (sigma(X v) - y) + l2 v)         u <- b u - (1 + b) rate g
                                                         v <- v - (1 + b) rate g + b^2 / (1 + b) u   (u of before)

This is the textbook's w' = v - rate g, v' = w' + b (w' - w), written for u = (1 + b) (w - w_before): so momentum
multiplies nothing but u, which is cut to fewer bits on an opening of its own beside that of v, and a step stays at
three rounds. The model is the last v. Nesterov, "A method of solving a convex programming problem with convergence
rate O(1/k^2)", 1983; the fixed majorant H >= f'' is Bohning's and Lindsay's, "Monotonicity of quadratic-approximation
algorithms", 1988.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.truncation import divided, truncate
from protocols.functions.sigmoid import TRIG_SCALE, less_half, odd_part
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.linalg.held import Held, HeldRows, Rows, product, products, transpose_product
from protocols.linalg.hessian import Series
from protocols.training.accelerated_budget import MOMENTUM_BITS, AcceleratedBudget
from protocols.training.range_check import Seen, kept_all
from protocols.training.stop_test import Lately, at_rest, is_due


@dataclass(frozen=True)
class Accelerated:
    """The public settings of a training with momentum.

    Args:
        rate: how far a step goes along P's gradient.
        momentum: a multiple of 2^-MOMENTUM_BITS, 0 <= momentum < 1.
        l2: the penalty's strength; the intercept is not penalised, unless `penalise_intercept`.
        series: what makes the preconditioner; None for none.
        tolerance: the largest move of v at which the training ends early; None: it never does.
    """

    rate: float
    momentum: float
    l2: float
    fit: SigmoidFit
    bits: AcceleratedBudget
    series: Series | None = None
    tolerance: float | None = None
    penalise_intercept: bool = False


@dataclass(frozen=True)
class Prepared:
    """The held factors of every step: rows X for the scores, X P for the gradient, and the penalty's l2 P, if any."""

    scores: HeldRows
    gradient: HeldRows
    penalty: Held | None


async def accelerate(
    p: Party,
    held: Prepared,
    y: Share,
    iterations: int,
    how: Accelerated,
    seen: Seen | None = None,
    linear: Share | None = None,
) -> tuple[Share, Share, list[Share]]:
    """Train from v = 0: [v] (d,) at scale bits.w, now and before the last quarter of the steps, and what `seen` left.

    Args:
        held: the rows (m, d), the last column all ones, held.
        y: labels 0 and 1 (m,) at scale 0.
        iterations: how many steps; with a tolerance, at most.
        seen: is given each step's v, and checks those of a long training meanwhile.
        linear: [((1 + b) rate / m) c] (d,) at scale bits.w, of a term c . v of the sum of all rows' losses.

    3 rounds a step, those of `seen`, and 9 for each stop test where there is a tolerance; reveals what the stop tests
    say (see stop_test.py), and nothing else: each opening is under a uniform mask of its own.
    """
    columns = held.scores.shape[1:]
    v = u = before = p.public(p.constant(0, columns, how.bits.w))
    wanted, lately, kept = target(p, y, how), Lately(v), seen or kept_all()
    for t in range(iterations):

        async def one(v: Share = v, u: Share = u) -> tuple[Share, Share, Share]:
            return await step(p, held, wanted, v, u, how, linear)

        v, u, low = await p.step("step", 0, one)
        lately.add(v)
        await kept.add([low])
        p.stage("training", t + 1, iterations)
        if how.tolerance is not None and is_due(t + 1, iterations):
            if await at_rest(p, v, before, how.tolerance):
                break
            before = v
    return v, lately.before(), kept.left


def target(p: Party, y: Share, how: Accelerated) -> Share:
    """[((1 + b) rate / m) (y - 1/2)] (m,): the target of the odd part of sigma(X v), times the same factor."""
    return less_half(p, y, _weight(how, y.shape[0]), TRIG_SCALE + how.bits.coefficients)


def _weight(how: Accelerated, rows: int) -> float:
    return (1 + how.momentum) * how.rate / rows


async def step(
    p: Party, held: Prepared, target: Share, v: Share, u: Share, how: Accelerated, linear: Share | None = None
) -> tuple[Share, Share, Share]:
    """One step: the next [v] and [u], and [v] before the step at few bits. 3 rounds.

    Args:
        target: what `target` gives; `linear`: see `accelerate`.
    """
    bits, weight = how.bits, _weight(how, held.scores.shape[0])
    fine = () if held.penalty is None else (truncate(p, v, bits.w - bits.penalised),)
    (z, low), u_low, *rest = await together(
        product(p, held.scores, v, bits.w_shift, label="step/w"), truncate(p, u, MOMENTUM_BITS), *fine
    )
    v_low = p.defer(lambda: divided(p, low))
    s, *rest = await together(
        odd_part(p, z, how.fit, weight, bits.coefficients, label="step/z"), *_penalty(p, held.penalty, rest)
    )
    errors = s - target
    cut = [truncate(p, one, one.scale - bits.w) for one in rest]
    gamma, *rest = await together(transpose_product(p, held.gradient, errors, bits.e_shift, label="step/e"), *cut)
    for one in rest:
        gamma = gamma + one
    if how.l2 and held.penalty is None:
        gamma = gamma + _decay(v.shape[0], how) * v_low()
    if linear is not None:
        gamma = gamma + linear
    carried, ahead = (Public(np.array([c], dtype=np.uint64), MOMENTUM_BITS) for c in momentum_words(how.momentum))
    return v - gamma + ahead * u_low, carried * u_low - gamma, v_low()


def momentum_words(momentum: float) -> tuple[int, int]:
    """b and b^2 / (1 + b) as integers at MOMENTUM_BITS: what multiplies u."""
    scale = 1 << MOMENTUM_BITS
    return round(momentum * scale), round(momentum * momentum / (1 + momentum) * scale)


def _penalty(p: Party, penalty: Held | None, v: Sequence[Share]) -> list[Coroutine[Any, Any, Share]]:
    """The product of l2 P with v, if there is a penalty."""
    if penalty is None:
        return []
    every = Rows.of(np.arange(penalty.shape[0], dtype=np.int64))
    return [products(p, penalty, (every,), one.reshape(-1, 1), label="step/penalty") for one in v]


def _decay(columns: int, how: Accelerated) -> Public:
    """(1 + b) rate l2 for every weight that is penalised, at a scale that brings v's low copy back to v's scale."""
    shift = how.bits.w_shift
    factor = np.full(columns, round((1 + how.momentum) * how.rate * how.l2 * 2.0**shift), dtype=np.uint64)
    if not how.penalise_intercept:
        factor[-1] = 0
    return Public(factor, shift)
