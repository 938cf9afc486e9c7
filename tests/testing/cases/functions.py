"""The sigmoid, its series, and histograms of shares."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, reals
from protocols.functions.histogram import BINS, histograms
from protocols.functions.logistic_series import ANGLE_SCALE, LARGEST, logistic_parts
from protocols.functions.sigmoid import sigmoid
from protocols.functions.sigmoid_fits import FITS
from protocols.plain.maximum_likelihood import sigmoid as exact_sigmoid
from tests.testing.cases.case import Case, Cost, View
from tests.testing.cases.costs import WORD, histogram

FIT = FITS[0]
Z_SCALE = 64 - FIT.period.bit_length() + 1


async def _sigmoid(p: Party, z: Share) -> Share:
    return await sigmoid(p, z, FIT, 1.0, 30)


def _logistic_reference(z: Array) -> Array:
    sigma = 1 / (1 + np.exp(-z))
    return np.stack((sigma - 0.5, sigma * (1 - sigma), np.logaddexp(0, z) - z / 2))


async def _histograms(p: Party, u: Share, y: Share) -> tuple[Share, Share]:
    return await histograms(p, u.shifted(24).at_scale(54), y)


def _histograms_reference(u: Array, y: Array) -> tuple[Array, Array]:
    bins = np.floor(u).astype(int) + BINS // 2
    return np.bincount(bins, minlength=BINS), np.bincount(bins, y, BINS)


CASES = {
    "sigmoid": Case(
        _sigmoid,
        exact_sigmoid,
        [reals(("m",), scale=Z_SCALE, largest=FIT.reach)],
        FIT.error + 1e-6,
        Cost(1, 2 * WORD, 2 * 2 * len(FIT.coefficients) * WORD, {"m": 2}),
        View(soak_from=4),
        bias=1e-6,
        many=30_000,
    ),
    "logistic parts": Case(
        logistic_parts,
        _logistic_reference,
        [reals(("m",), scale=ANGLE_SCALE, largest=LARGEST)],
        4e-5,
        Cost(1, 2 * WORD, 2 * 48 * WORD, {"m": 2}),
    ),
    "histograms": Case(
        _histograms,
        _histograms_reference,
        [reals(("m",), scale=30, largest=BINS / 2 - 1), integers(("m",), 0, 1)],
        2.0**-30,
        Cost(11, *histogram(3), {"m": 3}),
        View(owners=(2,), soak_from=2, sizes={"m": 1}, words=400, shift=0.6, structure="by round"),
        examples=15,
        every=9,
    ),
}
