"""The model of the intercept alone, where scores have an offset: a fit with features is compared with it.

Its intercept a solves f(a) = 0 for

    f(a) = sum_i c_i (sigma(a + o_i) - y_i)

a rising function of a that is a sum over the owners. The solution is found by secret comparison
(core/monotone_search.py), which discloses nothing of f but where it reaches 0. Without an offset a closed
form gives it, from the number of rows of class 1. Where one owner has all labels, offsets and weights, it computes all
of this by itself.
"""

from __future__ import annotations

import math

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from protocols.core.monotone_search import FAN, digits_for, first_reached
from protocols.rows.offset_weights import OffsetWeights

STEP = 2.0**-14  # an error of it costs the log-likelihood less than 1e-9 a row
_FAREST = 512.0  # twice the largest offset: beyond any solution
_DIGITS = digits_for(round(2 * _FAREST / STEP))
_CLOSE, _MOST_STEPS = 1e-12, 50
_UNIT = 2.0**20  # of f: with counts of 1,000 on average over 2^30 rows, f stays below 2^61


async def null_intercept(p: Party, y: Array, offset_weights: OffsetWeights) -> Array:
    """Reveal the intercept (1,) of the fit without features, within `STEP`, from each owner's own labels and offsets.

    8 rounds a digit, 48 in all; reveals the answer and masked values.
    """

    def own(points: Array) -> Array:
        return (
            np.rint(_UNIT * excess(y, offset_weights, points.reshape(-1) * STEP - _FAREST))
            .astype(np.int64)
            .reshape(1, -1)
        )

    why = "the intercept that fits best without any feature, for the likelihood-ratio test and McFadden's R2"
    if len(p.owners) == 2:
        why += " (with two owners each so learns the other's part of the sum that it makes 0)"
    found = await first_reached(p, own, 1, _DIGITS, what="null model", why=why, label="null model")
    return p.compute(lambda: found * STEP - _FAREST, shape=(1,))


def excess(y: Array, offset_weights: OffsetWeights, intercepts: Array) -> Array:
    """An owner's addend to f at some intercepts (k,)."""
    offset = np.zeros(len(y)) if offset_weights.offset is None else offset_weights.offset
    counts = np.ones(len(y)) if offset_weights.counts is None else offset_weights.counts
    assert len(intercepts) < FAN
    return np.array([np.sum(counts * (0.5 * (1 + np.tanh(0.5 * (a + offset))) - y)) for a in intercepts])


def null_loss(positives: float, total: float) -> float | None:
    """Minus the log-likelihood of the intercept alone without an offset; None if all rows are of one class.

    Args:
        positives: how many rows are of class 1, each as often as it counts, out of `total`.
    """
    if not 0 < positives < total:
        return None
    share = positives / total
    return -positives * math.log(share) - (total - positives) * math.log1p(-share)


def null_log_likelihood(y: Array, *, offset: Array | None = None, counts: Array | None = None) -> float:
    """The log-likelihood of the fit of the intercept alone, of rows that one owner has. Newton's method."""
    o = np.zeros(len(y)) if offset is None else offset
    c = np.ones(len(y)) if counts is None else counts
    # From scores of 0, where every p is 1/2: with offsets of any size a good start.
    a, gradient, slope = 0.0, float(np.sum(c * (y - 0.5 - o / 4))), float(np.sum(c) / 4)
    for _ in range(_MOST_STEPS):
        if slope == 0.0:  # no row counts, or all are of one class
            break
        move = gradient / slope
        a += move
        if abs(move) < _CLOSE * (1 + float(np.abs(a + o).max())):
            break
        p = 0.5 * (1.0 + np.tanh(0.5 * (a + o)))
        gradient, slope = float(np.sum(c * (y - p))), float(np.sum(c * p * (1 - p)))
    return float(np.sum(c * (y * (a + o) - np.logaddexp(0, a + o))))
