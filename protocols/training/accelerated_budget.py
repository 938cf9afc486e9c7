"""The 64 bits of the ring in a full-batch training with momentum; settings that do not fit are refused.

As in bit_budget.py, with the gradient's rows X P at a scale of their own:

    score       x_scale + w_scale = 64 - log2 P      the sigmoid's period fills the ring
    gradient    rows + e_scale = w_scale

and momentum's u and l2 P v beside them, each below 2^62 as long as the checked |v| <= limit: no step can wrap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpc.errors import UsageError
from protocols.functions.sigmoid import TRIG_SCALE
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.linalg.hessian import PENALTY_SCALE, Series
from protocols.rows.limits import X_LIMIT, X_SCALE
from protocols.training.bit_budget import LOW_SHIFT, MOST_ERROR, WEIGHT_LIMIT

MOMENTUM_BITS = 15
MOST_COLUMNS = 512  # of a Hessian that is inverted: with more, its products take longer than many plain steps
PENALISED_SCALE = 23  # of v as l2 P multiplies it
_SLACK = 1.01  # standardised rows are rounded, and so are their sums
_LEAST_LIMIT = 256.0  # of |v|: with less a model could be out of reach
_LEAST_FACTOR = 16  # of the Hessian's: with less it is off by more than its slack


@dataclass(frozen=True)
class AcceleratedBudget:
    """Fractional bits of all values in a full-batch step with momentum, and the largest |v|."""

    x: int
    w: int  # of v and u
    rows: int  # of X P, or of X where there is no P
    e: int
    coefficients: int  # of the public sines and cosines, with rate / rows folded in
    e_shift: int  # what the errors lose on their opening
    w_shift: int  # what v loses for its low copy
    penalised: int  # of v as l2 P multiplies it
    limit: float


def dyadic(momentum: float) -> float:
    """The momentum as it is used: a multiple of 2^-MOMENTUM_BITS."""
    return round(momentum * 2.0**MOMENTUM_BITS) / 2.0**MOMENTUM_BITS


def accelerated_budget(
    fit: SigmoidFit,
    rate: float,
    momentum: float,
    l2: float,
    rows: int,
    columns: int,
    largest_mean: float,
    series: Series | None,
    unequal: float = 1.0,
) -> AcceleratedBudget:
    """The bits for one training, `columns` counting the intercept.

    Args:
        largest_mean: bounds the mean of |x| of each column.
        series: of the preconditioner, if there is one.
        unequal: at most one over the mean weight of a row; 1 without class weights.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    w = 64 - (fit.period.bit_length() - 1) - X_SCALE
    held = X_SCALE if series is None else _balanced(w, rows, series)
    e = w - held
    each = 2 * MOST_ERROR * (1 + momentum) * rate / rows
    largest = math.ceil(math.log2(each)) + 1
    coefficients = min(32 + e - TRIG_SCALE, 60 - TRIG_SCALE - largest)
    limit = _limit(w, rate, momentum, l2, columns, largest_mean, series, unequal)
    if limit is None or coefficients < 20:
        raise UsageError(
            f"learning_rate {rate:g} with l2 {l2:g} and momentum {momentum:g} is too large: one step could carry a "
            "weight out of the 64-bit ring",
            "lower learning_rate, l2 or momentum",
        )
    if columns * X_LIMIT * limit >= 2.0 ** (62 - X_SCALE - (w - LOW_SHIFT)):
        raise UsageError(f"{columns} columns are too many for this solver's 64-bit ring", "choose fewer `features`")
    if series is not None and (series.factor < _LEAST_FACTOR or columns > MOST_COLUMNS):
        many = f"{rows} rows" if columns <= MOST_COLUMNS else f"{columns} columns"
        raise UsageError(f'{many} are too many for solver = "newton"', 'use solver = "nesterov" or "sgd"')
    shift = TRIG_SCALE + coefficients - e
    return AcceleratedBudget(X_SCALE, w, held, e, coefficients, shift, LOW_SHIFT, PENALISED_SCALE, limit)


def _balanced(w: int, rows: int, series: Series) -> int:
    """The bits of X P: its rounding, the same in every step, against that of the errors, which many rows average."""
    typical = math.sqrt(4 * series.bound * 2.0**series.doublings)  # the largest root mean square of a column of X P
    return min(X_SCALE, max(4, round((w - math.log2(3 * rows * typical * series.bound)) / 2)))


def _limit(
    w: int, rate: float, momentum: float, l2: float, columns: int, mean: float, series: Series | None, unequal: float
) -> float | None:
    """The largest |v| to allow, so that from such a v nothing of the next step wraps; None if there is none."""
    limit = WEIGHT_LIMIT
    # l2 H^-1 is at most 1 among features; weighted rows tie the intercept to them by their weighted mean.
    tied = math.sqrt(columns) * (1.0 if unequal == 1 else math.sqrt(1 + unequal * columns))
    while limit >= _LEAST_LIMIT:
        # Of the gradient: P stretches no direction more than 2^K times.
        if series is None:
            gradient, penalty = MOST_ERROR * mean, l2 * limit
        else:
            gradient = MOST_ERROR * mean * math.sqrt(columns) * 2.0**series.doublings
            penalty = tied * limit * series.bound if l2 else 0.0
        step = _SLACK * (1 + momentum) * rate * (gradient + penalty)
        carried = step / (1 - momentum)
        stretch = 2 * max(1.0, rate * series.bound) if series else 2.0
        product = stretch * tied * limit * 2.0 ** (PENALTY_SCALE + PENALISED_SCALE)
        fits = product < 2.0**62 or not (series and l2)
        if limit + step + carried < 2.0 ** (62 - w) and fits:
            return limit
        limit /= 2
    return None
