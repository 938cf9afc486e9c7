"""Weights for standardised columns, brought into the columns' own units without telling how they were standardised.

    w_j f_j     and     b - sum_j w_j c_j          with  f_j = 1 / deviation_j,  c_j = mean_j / deviation_j

f and c are shared: only the owner of a column knows them, or nobody does. The opened products would tell more than
their values if they were exact: an integer can be factored, and the deviation of whole numbers has a form of its own.
So w gets uniform noise below its last place first (2^-40 or so, far below the training's own rounding), and the
products are cut to MODEL_SCALE bits: whatever f_j is, some w_j that the owners cannot tell from the true one gives
the same digits.
"""

from __future__ import annotations

import numpy as np

from mpc.party import Party
from mpc.ring import wide
from mpc.share import Share
from protocols.beaver import multiply
from protocols.wide import NOISE, noisy_lift, wide_truncate

UNITS_RING = wide(512)
"""Room for w (62 bits), its noise (192), and a factor of up to 2^60 with FACTOR_SCALE bits, over all columns."""

FACTOR_SCALE = 96
MODEL_SCALE = 96
LARGEST_FACTOR = 2.0**60
"""Of f and c: then the noise on w is wider than a unit of MODEL_SCALE, divided by f."""


async def in_own_units(p: Party, w: Share, factors: Share, shifts: Share) -> Share:
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
