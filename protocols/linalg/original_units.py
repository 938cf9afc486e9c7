"""Weights for standardised columns, brought into the columns' own units without telling how they were standardised.

    w_j f_j     and     b - sum_j w_j c_j          with  f_j = 1 / deviation_j,  c_j = mean_j / deviation_j

f and c are shared: only the owner of a column knows them, or nobody does. The opened products would tell more than
their values if they were exact: an integer can be factored, and the deviation of whole numbers has a form of its own.
So w gets uniform noise below its last place first (2^-40 or so, far below the training's own rounding), and the
products are cut to MODEL_SCALE bits: whatever f_j is, some w_j that the owners cannot tell from the true one gives
the same digits. So does the covariance V of the weights, whose diagonal in own units is

    V_jj f_j^2     and     t' V t     with  t = (-c_1, ..., -c_d, 1).
"""

from __future__ import annotations

import numpy as np

from mpc.ring.rings import wide
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from protocols.core.beaver import multiply
from protocols.core.wide import NOISE, noisy_lift, wide_truncate
from protocols.linalg.symmetric import places

UNITS_RING = wide(512)
"""Room for w (62 bits), its noise (192), and a factor of up to 2^60 with FACTOR_SCALE bits, over all columns."""

FACTOR_SCALE = 96
MODEL_SCALE = 96
LARGEST_FACTOR = 2.0**60
"""Of f and c: then the noise on w is wider than a unit of MODEL_SCALE, divided by f."""
VARIANCE_SCALE = 128
INTERCEPT_SCALE = 80
_HALF_WAY = 144  # of V t


async def in_original_units(p: Party, w: Share, factors: Share, shifts: Share) -> Share:
    """[w_1 f_1, ..., w_d f_d, b - sum_j w_j c_j] (d + 1,) at MODEL_SCALE, ready to be revealed.

    Args:
        w: weights for standardised columns (d + 1,), the intercept b last, over Z_2^64; |w| < 2^62 in ring units.
        factors: f (d,) in UNITS_RING at FACTOR_SCALE, at most LARGEST_FACTOR.
        shifts: c (d,), likewise.

    3 rounds; reveals values under uniform masks of their own.
    """
    fine = await noisy_lift(p, w, UNITS_RING)
    rows = [part.value.reshape(1, -1) for part in (factors, shifts)]
    both = Share(np.concatenate(rows), FACTOR_SCALE, UNITS_RING)
    products = await multiply(p, fine[:-1].reshape(1, -1), both, label="own units")
    intercept = fine[-1:].shifted(FACTOR_SCALE).at_scale(products.scale) - products[1].sum()
    exact = Share(np.concatenate((products.value[0], intercept.value)), products.scale, UNITS_RING)
    return await wide_truncate(p, exact, w.scale + NOISE + FACTOR_SCALE - MODEL_SCALE)


async def variances_in_original_units(
    p: Party, covariance: Share, squared: Share, shifts: Share
) -> tuple[Share, Share]:
    """[V_11 f_1^2, ..., V_dd f_d^2] (d,) at VARIANCE_SCALE, and [t' V t] (1,) at INTERCEPT_SCALE, ready to be revealed.

    Args:
        covariance: V (d + 1, d + 1), symmetric, the intercept last, over Z_2^64; entries below 2^62 in ring units.
        squared: f^2 (d,) in UNITS_RING at FACTOR_SCALE.
        shifts: c (d,), likewise.

    5 rounds; reveals values under uniform masks of their own.
    """
    d = covariance.shape[0]
    j, k = np.triu_indices(d)
    place = places(d)
    entries = await noisy_lift(p, covariance.reshape(d * d)[j * d + k], UNITS_RING)
    one = p.public(p.constant(1 << FACTOR_SCALE, (1,), FACTOR_SCALE, UNITS_RING))
    minus = UNITS_RING.sub(UNITS_RING.zeros((d - 1,)), shifts.value)
    t = Share(np.concatenate((minus, one.value)), FACTOR_SCALE, UNITS_RING)
    own, vt = await together(
        multiply(p, entries[place.diagonal()[:-1].copy()], squared, label="own units"),
        multiply(p, entries[place.reshape(-1)].reshape(d, d), t.reshape(1, d), label="own units"),
    )
    turned = vt.sum(axis=1)
    variances, half = await together(
        wide_truncate(p, own, own.scale - VARIANCE_SCALE), wide_truncate(p, turned, turned.scale - _HALF_WAY)
    )
    quadratic = (await multiply(p, half, t, label="own units")).sum()
    return variances, await wide_truncate(p, quadratic, quadratic.scale - INTERCEPT_SCALE)
