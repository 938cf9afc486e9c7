"""The 64 bits of the ring in a training; settings that do not fit are refused.

    score       x_scale + w_scale = 64 - log2 P      the sigmoid's period fills the ring
    gradient    x_scale + e_scale = w_scale          it is added to w as it is
so  2 x_scale + e_scale + log2 P = 64. The errors e are computed at `CUT` bits more and cut on their opening.

In the dual form (dual.py), where the weights are w = X^T u, one u a row:

    score       g_scale + u_scale = 64 - log2 P      G = X X^T, rounded once
    errors      u_scale = waves + coefficients       they are added to u as they are, nothing is cut in a step

There every value has a bound that follows from the public settings alone, so that nothing but the scores needs a check.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpc.errors import UsageError
from protocols.functions.sigmoid import TRIG_SCALE
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.rows.limits import X_LIMIT, X_SCALE

WEIGHT_LIMIT = 4096.0  # the largest |w|; checked with the scores
CUT = 16  # as many as there are bits in the words that a cut takes of the helper for each feature of a row
LOW_SHIFT = 30  # bits taken off w for the range check and the l2 term
MOST_ERROR = 1.1  # bounds |sigma - y| for the approximate sigmoid, at any z
LOW_MARGIN = 0.25  # the low copy of a score is this close to the score
SMALLEST_DEVIATION = 2.0**-40  # of a standardised column in the dual form: its 96 bits then make its squares exact
_SLACK = 1.01  # standardised rows are rounded, and so are their sums of squares
_G_SCALE = range(14, 9, -1)  # fractional bits of G: as many as there is room for
_LOW_BITS = 24  # of u's low copy: more only if the check needs them


@dataclass(frozen=True)
class BitBudget:
    """Fractional bits of all values in a training step."""

    x: int
    w: int
    e: int
    waves: int  # of the helper's sines and cosines
    coefficients: int  # of the public sines and cosines, with rate / batch folded in
    e_shift: int  # what the errors lose on their opening
    w_shift: int  # what w loses for its low copy


def bit_budget(fit: SigmoidFit, rate: float, smallest_batch: int, columns: int, l2: float = 0.0) -> BitBudget:
    """The bits for one training, `columns` counting the intercept.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    period_bits = fit.period.bit_length() - 1
    e = 64 - period_bits - 2 * X_SCALE
    w = X_SCALE + e
    each = 2 * MOST_ERROR * rate / smallest_batch
    largest = max(1, math.ceil(math.log2(each)) + 1) if each else 1
    computed = min(e + CUT, 60 - largest)
    coefficients = _coefficients(computed, rate / smallest_batch)
    step = (1 + rate * l2) * WEIGHT_LIMIT + MOST_ERROR * rate * X_LIMIT
    if step >= 2.0 ** (62 - w) or computed <= e:
        strong = f" with l2 {l2:g}" if rate * l2 > 1 else ""
        raise UsageError(
            f"learning_rate {rate:g}{strong} is too large: one step could carry a weight out of the 64-bit ring",
            "lower learning_rate or l2" if strong else "lower learning_rate",
        )
    if columns * X_LIMIT * WEIGHT_LIMIT >= 2.0 ** (62 - X_SCALE - (w - LOW_SHIFT)):
        raise UsageError(f"{columns} columns are too many for this solver's 64-bit ring", "choose fewer `features`")
    return BitBudget(X_SCALE, w, e, computed - coefficients, coefficients, computed - e, LOW_SHIFT)


@dataclass(frozen=True)
class DualBudget:
    """Fractional bits of all values in the dual form."""

    x: int
    g: int
    u: int
    waves: int  # of the helper's sines and cosines
    coefficients: int  # of the public sines and cosines, with rate / batch folded in
    u_shift: int  # what u loses for its low copy
    w_shift: int  # what u loses before w = X^T u


@dataclass(frozen=True)
class Extent:
    """The public size of a training, which bounds the numbers in its dual form."""

    rows: int
    features: int
    epochs: int
    steps: int
    smallest_batch: int
    standardised: bool

    @property
    def largest_norm(self) -> float:
        """The largest |x_i|^2 of a row, and so the largest entry of G."""
        limit = self.features * X_LIMIT**2
        return min(limit, self._squares) if self.standardised else limit

    @property
    def largest_row_of_g(self) -> float:
        """The largest sum of |G_ij| over j: at most |x_i| (sum of |x_j|), at most |x_i| sqrt(rows * sum of |x_j|^2)."""
        if not self.standardised:
            return self.rows * self.largest_norm
        return math.sqrt(self.largest_norm * self.rows * self._squares)

    @property
    def _squares(self) -> float:
        """The sum of all |x_i|^2: each standardised column has one of its rows' number."""
        return _SLACK * self.rows * self.features


def dual_budget(fit: SigmoidFit, rate: float, l2: float, extent: Extent) -> DualBudget:
    """The bits for one training in the dual form.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    if rate * l2 > 1:
        raise UsageError(f"learning_rate {rate:g} with l2 {l2:g} is too large for the dual form", "lower either")
    # Each step adds at most rate to the sum of |u|, and to the intercept; the penalty only shrinks them.
    travelled = MOST_ERROR * rate * extent.steps * (1 + l2 / 2**14) + 2.0**-10
    each = MOST_ERROR * rate * extent.epochs / extent.smallest_batch * (1 + l2 / 2**14) + 2.0**-10
    score = min(extent.largest_norm * travelled, extent.largest_row_of_g * each) + travelled
    least_low = math.ceil(math.log2((extent.largest_row_of_g + 1) / LOW_MARGIN))  # each u is off by less than a unit
    room = math.floor(62 - math.log2(score))  # for the low copy of a score
    period_bits = fit.period.bit_length() - 1
    for g in _G_SCALE:
        u = 64 - period_bits - g
        low = max(least_low, 14, min(_LOW_BITS, room - g, u - 15))
        if g + low <= room and low <= u - (15 if l2 else 1):
            break
    else:
        raise UsageError(
            f"{extent.rows} rows of {extent.features} columns leave no room for a score in the dual form's 64-bit ring",
            "lower learning_rate or epochs" if extent.standardised else "set standardise = true",
        )
    w = min(u - 1, math.floor(62 - X_SCALE - math.log2(X_LIMIT * travelled)))
    if travelled >= 2.0 ** (62 - u) or extent.largest_norm >= 2.0 ** (62 - 2 * X_SCALE):
        raise UsageError(
            f"learning_rate {rate:g} over {extent.steps} steps is too much for the dual form's 64-bit ring",
            "lower learning_rate or epochs",
        )
    coefficients = _coefficients(u, rate / extent.smallest_batch)
    return DualBudget(X_SCALE, g, u, u - coefficients, coefficients, u - low, u - w)


def _coefficients(u: int, weight: float) -> int:
    """How many of u bits the public coefficients get: an error of theirs counts whole, one of the waves `weight`."""
    best = round((u + 3 - math.log2(weight)) / 2) if weight else u
    return min(max(best, u - TRIG_SCALE), u - 12)
