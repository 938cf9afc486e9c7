"""Ordinary least squares from a shared matrix of covariances, all under sharing.

    A = ( C   g )      C: covariances of the features over N rows      w = C^-1 g
        ( g'  t )      g: with the target;  t: the target's variance   left = t - 2 w'g + w'C w

Least squares with an intercept is least squares of centred columns: so (X'X)^-1 is C^-1 / N but for the intercept,
`left` is the mean of the squared residuals, and with s^2 = N left / (N - d - 1)

    variance_j = s^2 C^-1_jj / N        of the intercept mean_y - w'c:  s^2 (1 + c' C^-1 c) / N,   c the features' means

(Seber and Lee, Linear Regression Analysis, 2003, chapter 3). `left` is stationary in w, so that what w lacks enters it
squared. Columns are in units in which their variance is at most 1; then C / d is at most 1, as the series of its
inverse needs (linalg/inverse.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.wide import lowered, wide_truncate
from protocols.linalg.inverse import GRAM_DOUBLINGS, MATRIX_RING, MATRIX_SCALE, check_inverted, inverse, refined
from protocols.linalg.original_units import in_original_units, variances_in_original_units

WEIGHT_SCALE = 40  # of w as it leaves the wide ring: |w| <= 2^12, as w'C w <= 1 and no eigenvalue of C is below 2^-23
INVERSE_SCALE = 36  # of C^-1, at most 2^23 and on its diagonal at least 1
LEFT_SCALE = 60  # of the mean squared residual, and of t


@dataclass(frozen=True)
class Solution:
    """Shared in MATRIX_RING: w (d,), C^-1 (d, d), the mean squared residual and t (2,) at LEFT_SCALE.

    Where a column of ones is one of the columns, the last, they are of d + 1, the intercept's among them.
    """

    w: Share
    inverse: Share
    squares: Share


async def least_squares(p: Party, a: Share, doublings: int = GRAM_DOUBLINGS) -> Solution:
    """The fit from A (d + 1, d + 1) in MATRIX_RING at `covariance_scale(d)`, the target's row and column last.

    21 + 2 doublings rounds; reveals whether features are collinear, which ends the run, and else values under
    uniform masks.

    Raises:
        DataError: a feature is a sum of multiples of the others, or nearly.
    """
    d = a.shape[0] - 1
    c, g, t = a[:d, :d], a[:d, d:], a[d:, d]
    h = c.at_scale(MATRIX_SCALE)
    coarse, rest = await inverse(p, h, doublings)
    await check_inverted(p, rest)
    # One factor more squares what the series left: 2^-12 at most.
    inverted = (await refined(p, h, coarse, 1)).at_scale(2 * MATRIX_SCALE - a.scale)
    w = await matmul(p, inverted, g, label="weights")
    w = await wide_truncate(p, w, w.scale - MATRIX_SCALE)
    fitted = await wide_truncate(p, await matmul(p, c, w, label="fitted"), MATRIX_SCALE)
    explained = await matmul(p, w.reshape(d), (g.shifted(1) - fitted).reshape(d), label="explained")
    explained, t = await together(
        wide_truncate(p, explained, explained.scale - LEFT_SCALE), wide_truncate(p, t, t.scale - LEFT_SCALE)
    )
    squares = np.concatenate(((t - explained).value, t.value))
    return Solution(w.reshape(d), inverted, Share(squares, LEFT_SCALE, MATRIX_RING))


@dataclass(frozen=True)
class Opened:
    """The opened numbers of a fit, in the units of the factors.

    Args:
        coefficients: (d + 1,), the intercept last.
        variances: N / s^2 times each coefficient's (d,), the intercept's in `intercept` (1,).
        squares: the mean squared residual, and the target's variance (2,).
    """

    coefficients: Public
    variances: Public
    intercept: Public
    squares: Public


async def reveal_fit(p: Party, solution: Solution, means: Share, factors: Share, squared: Share) -> Opened:
    """The coefficients, the variances and the mean squares, opened.

    Args:
        solution: of centred columns, or with an intercept.
        means: of the features and the target (d + 1,) in UNITS_RING at FACTOR_SCALE, in the units of A.
        factors: what makes a feature's own unit of it (d,), likewise; squared: their squares.

    7 rounds; reveals these agreed results, and else values under uniform masks of their own.
    """
    d = means.shape[0] - 1
    w, v = await together(
        wide_truncate(p, solution.w, MATRIX_SCALE - WEIGHT_SCALE),
        wide_truncate(p, solution.inverse, solution.inverse.scale - INVERSE_SCALE),
    )
    weights, matrix = lowered(w), lowered(v)
    if solution.w.shape[0] == d:
        nothing = p.public(p.constant(0, (1,), WEIGHT_SCALE))
        weights = Share(np.concatenate((weights.value, nothing.value)), WEIGHT_SCALE)
        matrix = _with_one(p, matrix)
    b, (variances, intercept) = await together(
        in_original_units(p, weights, factors, means[:d]), variances_in_original_units(p, matrix, squared, means[:d])
    )
    moved = b[d:] + means[d:]
    coefficients = Share(np.concatenate((b.value[:d], moved.value)), b.scale, b.ring)
    model, errors, fit = await together(
        p.reveal(
            coefficients, what="model", why="the agreed result: the coefficients and the intercept", label="model"
        ),
        p.reveal(
            variances,
            intercept,
            what="standard errors",
            why="the agreed result: the variance of each coefficient, before it is multiplied by the residuals'",
            label="variances",
        ),
        p.reveal(
            solution.squares,
            what="fit",
            why="the agreed result: the mean square of the residuals and the target's variance, for R2, F and errors",
            label="fit",
        ),
    )
    return Opened(model[0], errors[0], errors[1], fit[0])


def _with_one(p: Party, v: Share) -> Share:
    """The matrix (d + 1, d + 1) with v (d, d) and, in a row and a column of its own, a 1."""
    d = v.shape[0]
    ends = p.public(p.constant(1 << v.scale, (1,), v.scale)), p.public(p.constant(0, (1,), v.scale))
    place = np.full((d + 1, d + 1), d * d + 1, dtype=np.int64)
    place[:d, :d] = np.arange(d * d).reshape(d, d)
    place[d, d] = d * d
    entries = np.concatenate([v.reshape(d * d).value, *(end.value for end in ends)])
    return Share(entries[place.reshape(-1)].reshape(d + 1, d + 1), v.scale)
