"""The inverse of a shared matrix between 0 and 1, all under sharing, to as many digits as statistics need.

For a positive definite H, at most 1, and P that is at most its inverse (P = 1 to begin with, or the inverse of a
matrix that is at least H), the residual R = 1 - H P has its eigenvalues in [0, 1), and

    H^-1 = P (1 + R + R^2 + ...) = P (1 + R) (1 + R^2) (1 + R^4) ...

whose first K factors leave R^(2^K): a direction in which H P has the eigenvalue e is inverted to exp(-2^K e) (the
product form of the Newton-Schulz iteration: Schulz 1933; Ben-Israel and Cohen 1966). What is left never exceeds the
inverse, so a series that was cut too short shortens a step and turns none around.

The matrices are thin and their entries large, so they live in a wide ring: at 80 fractional bits, what rounding does
to the inverse of a matrix whose eigenvalues differ by 2^20 stays below 2^-40.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.rings import wide
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.comparison import any_set
from protocols.core.wide import wide_truncate
from protocols.core.wide_comparison import below

MATRIX_RING = wide(256)
MATRIX_SCALE = 80
INVERTED = 2.0**-12  # how far F F^-1 may be from 1
GRAM_DOUBLINGS = 26  # an eigenvalue of G from 2^-22 of its trace on is inverted


async def inverse(p: Party, h: Share, doublings: int) -> tuple[Share, Share]:
    """[P] ~ [H^-1] (d, d) and the [residual] that its series left, at MATRIX_SCALE, for H at that scale.

    2 doublings rounds; reveals values under uniform masks.
    """
    one = p.public(Public(identity(h.shape[0]), MATRIX_SCALE, MATRIX_RING))
    return await _series(p, one, one - h, doublings)


async def refined(p: Party, h: Share, start: Share, doublings: int) -> Share:
    """[P] ~ [H^-1] (d, d), from a P that is at most the inverse; see `inverse`.

    2 doublings + 2 rounds (none without doublings); reveals values under uniform masks.
    """
    if not doublings:
        return start
    return (await _series(p, start, await residual(p, h, start), doublings))[0]


async def residual(p: Party, h: Share, inverted: Share) -> Share:
    """[1 - H P] (d, d) at MATRIX_SCALE: how far P is from the inverse. 2 rounds; reveals values under uniform masks."""
    product = await wide_truncate(p, await matmul(p, h, inverted, label="residual"), MATRIX_SCALE)
    return p.public(Public(identity(h.shape[0]), MATRIX_SCALE, MATRIX_RING)) - product


async def _series(p: Party, total: Share, r: Share, doublings: int) -> tuple[Share, Share]:
    d = r.shape[0]
    for _ in range(doublings):
        both = Share(np.concatenate((total.value, r.value)), MATRIX_SCALE, MATRIX_RING)
        product = await wide_truncate(p, await matmul(p, both, r, label="series"), MATRIX_SCALE)
        total, r = total + product[:d], product[d:]
    return total, r


def identity(d: int) -> Array:
    """The identity at MATRIX_SCALE, as ring elements (d, d)."""
    matrix = np.zeros((d, d), dtype=object)
    for k in range(d):
        matrix[k, k] = 1 << MATRIX_SCALE
    return matrix


async def check_inverted(p: Party, left: Share) -> None:
    """Stop if the series left too much [left] (d, d) of 1 - G P: columns are collinear. 11 rounds; reveals one bit."""
    d = left.shape[0]
    limit = np.full(d * d, round(INVERTED * 2**MATRIX_SCALE), dtype=object)
    bits = await beyond(p, left.reshape(d * d), limit)
    word = await any_set(
        p, bits, what="collinearity check", why="one bit: zero if the features can be told apart, else a random word"
    )
    p.insist_jointly(
        lambda: not word.value.any(),
        collinear,
    )


def collinear() -> DataError:
    """The error for features that are not independent."""
    return DataError(
        "a feature is a sum of multiples of the others, or nearly, over all owners' training rows",
        "leave one of them out of `features` (of a factor's levels as columns, one has to be left out)",
    )


async def beyond(p: Party, x: Share, limits: Array) -> Share:
    """[|x| > limit] in bit 0 of each byte (N,), for x (N,) in MATRIX_RING and public limits. 9 rounds."""
    thresholds = np.stack((-limits, limits + 1))
    bits = await below(p, x, thresholds, label="wide/compare")
    flipped = p.constant(1, (1,), 0, bits.ring)
    return p.plus(bits[0] + bits[1], flipped)
