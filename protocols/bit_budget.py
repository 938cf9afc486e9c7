"""How the 64 bits of the ring are spent in a training, and the refusal of what does not fit.

    score       x_scale + w_scale = 64 - log2 P      the sigmoid's period fills the ring
    gradient    x_scale + e_scale = w_scale          it is added to w as it is
so  2 x_scale + e_scale + log2 P = 64. The errors e are computed at more bits and cut on their opening.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpc.errors import UsageError
from protocols.sigmoid import TRIG_SCALE
from protocols.sigmoid_fits import SigmoidFit

X_SCALE = 14  # fewer bits for the features cost accuracy: 13 give 2.5e-4 in a weight, 14 below 1e-4
X_LIMIT = 1024.0  # the largest |x| of a feature as it enters the training
WEIGHT_LIMIT = 4096.0  # the largest |w|; checked with the scores
LOW_SHIFT = 30  # bits taken off w for the range check and the l2 term
_MOST_ERROR = 1.1  # bounds |sigma - y| for the approximate sigmoid, at any z


@dataclass(frozen=True)
class BitBudget:
    """Fractional bits of everything in a training step."""

    x: int
    w: int
    e: int
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
    largest = max(1, math.ceil(math.log2(2 * _MOST_ERROR * rate / smallest_batch)) + 1) if rate else 1
    coefficients = min(32 + e - TRIG_SCALE, 60 - TRIG_SCALE - largest)
    step = (1 + rate * l2) * WEIGHT_LIMIT + _MOST_ERROR * rate * X_LIMIT
    if step >= 2.0 ** (62 - w) or coefficients < 20:
        strong = f" with l2 {l2:g}" if rate * l2 > 1 else ""
        raise UsageError(
            f"learning_rate {rate:g}{strong} is too large: one step could carry a weight out of the 64-bit ring",
            "lower learning_rate or l2" if strong else "lower learning_rate",
        )
    if columns * X_LIMIT * WEIGHT_LIMIT >= 2.0 ** (62 - X_SCALE - (w - LOW_SHIFT)):
        raise UsageError(f"{columns} columns are too many for this solver's 64-bit ring", "choose fewer `features`")
    return BitBudget(X_SCALE, w, e, coefficients, TRIG_SCALE + coefficients - e, LOW_SHIFT)
