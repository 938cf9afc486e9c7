"""The maximum-likelihood fit of logistic regression and its covariance, all under sharing: Newton's method.

    z = X w + o          p = sigma(z)          g = X^T C (y - p)          F = X^T C diag(p (1 - p)) X
    w <- w + F^-1 g      until the scores rest;  then F^-1 is the covariance of w

(iteratively reweighted least squares: Nelder and Wedderburn 1972), with the rows' counts C and offsets o, if any. F is
a sum over rows of x_j x_k, so with the products of the columns held once, a step opens two numbers a row: F and g are
products of what is held with one thin vector each. F is at most G / 4, G = X^T C X, whose inverse is found once and
is where the series of every F^-1 begins (linalg/inverse.py): what is left to invert is how the p differ.

Scores beyond -16 and 16 are clamped by comparison, which alters a probability by 1e-7: so no score is out of range, and
no step fails. One bit at the end discloses whether the fit was reached: in the last step no score moved by more than
2^-7, the inverse is right, and nothing left the range in which all this is exact. As Newton
squares a distance, what is left after that step is below 1e-4. Where the classes can be separated, estimates are
infinite: then each step moves the scores by about one, for ever, and the bit says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from mpc.errors import DataError
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.comparison import any_set, outside
from protocols.core.selection import clamp
from protocols.core.truncation import truncate
from protocols.core.wide import lift, lowered, wide_truncate
from protocols.functions.logistic_series import ANGLE_SCALE, LARGEST, SINES, logistic_parts
from protocols.linalg.gram import combination
from protocols.linalg.held import Held, Rows, products
from protocols.linalg.inverse import (
    GRAM_DOUBLINGS,
    INVERTED,
    MATRIX_RING,
    MATRIX_SCALE,
    beyond,
    check_inverted,
    inverse,
    refined,
    residual,
)
from protocols.linalg.symmetric import places
from protocols.rows.limits import X_LIMIT
from protocols.rows.settings import TrainingSettings

ROW_SCALE = 20  # of the rows' entries, at most X_LIMIT
WEIGHT_SCALE = 18  # of w as it meets the rows
SCORE_SCALE = ROW_SCALE + WEIGHT_SCALE
FIT_SCALE = 40  # of w as it is opened, below a thousandth of any standard error
_ROW_BITS = 10  # X_LIMIT
_MOST_SQUARES, _MOST_SLOPES = 26, 28  # fractional bits of x_j x_k, and of p (1 - p) and y - p, where there is room
_COEFFICIENTS = 30
_CLAMP_BITS = int(math.log2(LARGEST))
LARGEST_MOVE = 2.0**-7  # how far a score may move in the last step
LARGEST_VARIANCE = 2.0**13  # of a standardised weight: such a fit says nothing
LARGEST_OFFSET = 2.0**8
_OFFSET_BITS = 6  # of a quarter of it, which the first step takes off y - 1/2
SLOPE_DOUBLINGS = 16  # a direction whose p (1 - p) are 5e-5 on average, or more


@dataclass(frozen=True)
class Newton:
    """The public numbers of a fit.

    Args:
        columns: d, the intercept's among them.
        steps: how many Newton steps are taken.
        trace_bits: the trace of G is at most 2^trace_bits, by which G is divided before it is inverted.
        squares: fractional bits of x_j x_k.
        slopes: of p (1 - p).
        errors: of y - p.
    """

    columns: int
    steps: int
    trace_bits: int
    squares: int
    slopes: int
    errors: int

    def doublings(self, step: int) -> int:
        """The length of the series in this step: scores reach about one more each step, and p (1 - p) falls so."""
        return min(SLOPE_DOUBLINGS, 2 * step + 1) if step + 1 < self.steps else SLOPE_DOUBLINGS

    @property
    def largest_weight(self) -> float:
        """The largest |w_j| at which no score can leave the ring."""
        return 2.0 ** (62 - SCORE_SCALE - _ROW_BITS - math.ceil(math.log2(self.columns)))


def newton_of(settings: TrainingSettings) -> Newton:
    """The public numbers of the fit that the settings ask for."""
    return newton_for(settings.features + 1, sum(settings.train_rows), settings.iterations)


def newton_for(columns: int, total: float, steps: int) -> Newton:
    """The public numbers for rows that are standardised over `total` rows, each counted as often as it counts.

    Args:
        columns: with the intercept's.
    """
    row_bits = math.ceil(math.log2(max(total, 2)))
    room = 63 - row_bits  # |sum of p (1 - p) x_j x_k| is at most total / 4
    squares = min(_MOST_SQUARES, room // 2)
    trace_bits = math.ceil(math.log2(1.001 * columns * max(total, 2)))
    return Newton(
        columns, steps, trace_bits, squares, min(_MOST_SLOPES, room - squares), min(_MOST_SLOPES, 41 - row_bits)
    )


def constants_digest(how: Newton) -> str:
    """A digest of the public numbers that every owner must hold to the same bits."""
    return sha256(repr((how, X_LIMIT, SINES)).encode()).hexdigest()


@dataclass(frozen=True)
class Design:
    """The held matrices of every step.

    Args:
        rows: X (m, d), the last column all ones, at ROW_SCALE.
        counted: C X, at ROW_SCALE; the rows themselves where all count once.
        squares: C x_j x_k for j <= k (m, d (d + 1) / 2), at Newton.squares.
        offset: o (m,) at SCORE_SCALE, within LARGEST_OFFSET, or None.
    """

    rows: Held
    counted: Held
    squares: Held
    offset: Share | None = None


@dataclass(frozen=True)
class Fitted:
    """Shared: w (d,) at FIT_SCALE and its covariance F^-1 (d, d), both in MATRIX_RING, for the columns as given."""

    w: Share
    covariance: Share


@dataclass(frozen=True)
class Step:
    """One step: F^-1 g (d,), exact; 4 F / 2^trace_bits and its inverse (d, d)."""

    move: Share
    information: Share
    inverse: Share


async def fit(p: Party, design: Design, y: Share, how: Newton) -> Fitted:
    """The maximum-likelihood w and its covariance, once it is known that Newton's method converged.

    Args:
        y: labels 0 and 1 (m,) at scale 0.

    Some 600 rounds with 14 steps, see docs/inference.md. Reveals two bits, each of which ends the run if it is set:
    whether columns are collinear, and whether the fit failed to converge. All else is opened under uniform masks.

    Raises:
        DataError: columns are collinear, or the classes can be separated, or nearly so.
    """
    p.stage("Gram matrix")
    gram_inverse, left = await inverse(p, await gram(p, design, how), GRAM_DOUBLINGS)
    await check_inverted(p, left)
    w = p.public(p.constant(0, (how.columns,), WEIGHT_SCALE, MATRIX_RING))
    p.stage("training", 0, how.steps)
    step = await _first_step(p, design, y, gram_inverse, how)
    for t in range(1, how.steps):
        w = w + await wide_truncate(p, step.move, step.move.scale - WEIGHT_SCALE)
        p.stage("training", t, how.steps)
        step = await newton_step(p, design, y, w, gram_inverse, how.doublings(t), how)
    p.stage("range check")
    coarse, fine = await together(
        *(wide_truncate(p, step.move, step.move.scale - scale) for scale in (WEIGHT_SCALE, FIT_SCALE))
    )
    await _check_converged(p, design, w, coarse, step, how)
    return Fitted(
        w.shifted(FIT_SCALE - WEIGHT_SCALE).at_scale(FIT_SCALE) + fine,
        step.inverse.at_scale(MATRIX_SCALE + how.trace_bits - 2),
    )


async def newton_step(
    p: Party, design: Design, y: Share, w: Share, gram_inverse: Share, doublings: int, how: Newton
) -> Step:
    """A step from w (d,) at WEIGHT_SCALE. 16 + 2 doublings rounds; reveals values under uniform masks."""
    z = await _scores(p, design.rows, w, label="scores")
    if design.offset is not None:
        z = z + design.offset
    within = await clamp(p, z, _CLAMP_BITS)
    angle = within.shifted(ANGLE_SCALE - SCORE_SCALE).at_scale(ANGLE_SCALE)
    parts = await logistic_parts(p, angle, coefficients=_COEFFICIENTS)
    e, s = await together(
        truncate(p, _less_half(p, y, parts.scale) - parts[0], parts.scale - how.errors),
        truncate(p, parts[1], parts.scale - how.slopes),
    )
    g, f = await together(
        combination(p, design.counted, e, label="gradient"), combination(p, design.squares, s, label="Fisher")
    )
    g, f = await together(lift(p, g, MATRIX_RING), lift(p, f, MATRIX_RING))
    information = _divided(f.shifted(2), how)
    inverse = await refined(p, information, gram_inverse, doublings)
    return Step(await _move(p, inverse, g, how), information, inverse)


async def _first_step(p: Party, design: Design, y: Share, gram_inverse: Share, how: Newton) -> Step:
    """The step from scores of 0, at which every p is 1/2 and 4 F = G: w = 4 G^-1 X^T C (y - 1/2 - o / 4). 4 rounds.

    Without an offset that is Newton's step from w = 0; with one, the start that a statistics package takes, from which
    it does not matter how far off 0 the offsets are.
    """
    e = _less_half(p, y, how.errors)
    if design.offset is not None:
        scale = how.errors - _OFFSET_BITS
        quarter = design.offset.at_scale(SCORE_SCALE + 2)
        e = _less_half(p, y, scale) - await truncate(p, quarter, quarter.scale - scale)
    g = await combination(p, design.counted, e, label="gradient")
    move = await _move(p, gram_inverse, await lift(p, g, MATRIX_RING), how)
    return Step(move, gram_inverse, gram_inverse)


async def gram(p: Party, design: Design, how: Newton) -> Share:
    """[G / 2^trace_bits] (d, d) at MATRIX_SCALE. 1 round."""
    return _divided(await lift(p, design.squares.share.sum(axis=0), MATRIX_RING), how)


def _divided(sums: Share, how: Newton) -> Share:
    """The symmetric matrix (d, d) with these entries (d (d + 1) / 2,), divided by 2^trace_bits, at MATRIX_SCALE."""
    entries = sums[places(how.columns).reshape(-1)].reshape(how.columns, how.columns)
    scale = sums.scale + how.trace_bits
    return entries.shifted(MATRIX_SCALE - scale).at_scale(MATRIX_SCALE)


def _less_half(p: Party, y: Share, scale: int) -> Share:
    """[y - 1/2] at this scale."""
    half = Public(np.full(1, -(1 << (scale - 1)) % (1 << 64), dtype=np.uint64), scale)
    return p.plus(y.shifted(scale).at_scale(scale), half)


async def _scores(p: Party, rows: Held, w: Share, *, label: str) -> Share:
    """[X w] (m,) at SCORE_SCALE over Z_2^64, for w (d,) at WEIGHT_SCALE. 1 round."""
    every = Rows.of(np.arange(rows.shape[0], dtype=np.int64))
    return await products(p, rows, (every,), lowered(w).reshape(-1, 1), label=label)


async def _move(p: Party, inverse: Share, gradient: Share, how: Newton) -> Share:
    """[F^-1 g] (d,), from the inverse of 4 F / 2^trace_bits. 1 round."""
    scaled = gradient.at_scale(gradient.scale + how.trace_bits - 2)
    return (await matmul(p, inverse, scaled.reshape(-1, 1), label="step")).reshape(how.columns)


async def _check_converged(p: Party, design: Design, w: Share, last: Share, step: Step, how: Newton) -> None:
    """Stop unless the last step was small and its inputs are right. 14 rounds; reveals one bit.

    If |w| and |last| are within `largest_weight`, no score left the ring; all else was right by its bounds.
    """
    d = how.columns
    left, moved = await together(
        residual(p, step.information, step.inverse), _scores(p, design.rows, last, label="last move")
    )
    matrix = np.full(d * d, round(INVERTED * 2**MATRIX_SCALE), dtype=object)
    weights = np.full(2 * d, round(how.largest_weight * 2**WEIGHT_SCALE), dtype=object)
    scale = MATRIX_SCALE + how.trace_bits - 2
    variances = np.full(d, round(LARGEST_VARIANCE * 2**scale), dtype=object)
    diagonal = step.inverse.reshape(d * d)[np.arange(d, dtype=np.int64) * (d + 1)]
    words = np.concatenate((left.value.reshape(d * d), w.value, last.value, diagonal.value))
    score = np.full(moved.shape, round(LARGEST_MOVE * 2**SCORE_SCALE), dtype=np.int64)
    wide_bits, bits = await together(
        beyond(p, Share(words, 0, MATRIX_RING), np.concatenate((matrix, weights, variances))),
        outside(p, moved, -score, score, label="last move/compare"),
    )
    word = await any_set(
        p,
        Share(np.concatenate((wide_bits.value, bits.value)), 0, bits.ring),
        what="convergence check",
        why="one bit: zero if the maximum-likelihood fit exists and was reached, else a random word",
    )
    p.insist_jointly(
        lambda: not word.value.any(),
        lambda: not_reached(how.steps),
    )


def not_reached(steps: int) -> DataError:
    """The error for a fit that does not exist, or that was not reached."""
    return DataError(
        f"there is no maximum-likelihood fit, or it was not reached in {steps} Newton steps: features (or a sum of "
        "them) separate the two classes, or nearly, so that estimates or their errors are infinite",
        "leave out or join the features or levels that only one class has, take logarithms of skewed features, "
        "look for values far from all others, or give more rows; raise `newton_steps` "
        "only if you know that the estimates are finite; a training with l2 instead gives a model without errors",
    )
