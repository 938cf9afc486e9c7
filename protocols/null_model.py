"""The model of the intercept alone, where scores have an offset: what a fit with features is held against.

Its intercept a solves f(a) = 0 for

    f(a) = sum_i c_i (sigma(a + o_i) - y_i)

a rising function of a that is a sum over the owners: found by secret comparison (search.py), so that nothing of f is
told but where it reaches 0. Without an offset a closed form gives it, from the number of rows of class 1.
"""

from __future__ import annotations

import numpy as np

from mpc.array import Array
from mpc.party import Party
from protocols.search import FAN, digits_for, first_reached
from protocols.training_settings import Beside

STEP = 2.0**-14  # an error of it costs the log-likelihood less than 1e-9 a row
_FAREST = 512.0  # twice the largest offset: beyond any solution
_DIGITS = digits_for(round(2 * _FAREST / STEP))
_UNIT = 2.0**20  # of f: with counts of 1,000 on average over 2^30 rows, f stays below 2^61


async def null_intercept(p: Party, y: Array, beside: Beside) -> Array:
    """Reveal the intercept (1,) of the fit without features, within `STEP`, from each owner's own labels and offsets.

    8 rounds a digit, 48 in all; reveals the answer and masked values.
    """

    def own(points: Array) -> Array:
        return np.rint(_UNIT * excess(y, beside, points.reshape(-1) * STEP - _FAREST)).astype(np.int64).reshape(1, -1)

    why = "the intercept that fits best without any feature, for the likelihood-ratio test and McFadden's R2"
    if len(p.owners) == 2:
        why += " (with two owners each so learns the other's part of the sum that it makes 0)"
    found = await first_reached(p, own, 1, _DIGITS, what="null model", why=why, label="null model")
    return p.compute(lambda: found * STEP - _FAREST, shape=(1,))


def excess(y: Array, beside: Beside, intercepts: Array) -> Array:
    """An owner's addend of f at some intercepts (k,)."""
    offset = np.zeros(len(y)) if beside.offset is None else beside.offset
    counts = np.ones(len(y)) if beside.counts is None else beside.counts
    assert len(intercepts) < FAN
    return np.array([np.sum(counts * (0.5 * (1 + np.tanh(0.5 * (a + offset))) - y)) for a in intercepts])
