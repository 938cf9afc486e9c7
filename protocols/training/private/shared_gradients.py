"""Noisy gradients where columns are split: each is made under sharing, and opened with noise that nobody knows.

As noisy_descent.py has it for owners of rows (DP-SGD: Abadi et al. 2016), at public weights w, the same at everybody:

    z = X w           0 rounds: w is public, so each owner multiplies its share of the rows
    e = s(z) - y      1 round: one sigmoid (sigmoid.py), right for |z| <= Z
    G = X^T e         1 round: X was opened under its mask once (held.py); e is cut to 2^-E on its opening
    G + N(2 v)        1 round: opened, with noise of the helper and of each owner (privacy/noisy_sum.py)

and all else is post-processing of what was opened (momentum.py). No owner can clip a row's gradient, which nobody
sees. But it is short by itself: rows are at most N long (filled_columns.py), and |s - y| <= 1/2 + max |s - 1/2| at
*any* z, for s is a sum of sines. So there is nothing that has to be checked on shares. Where w would be so long that a
score might leave Z, the gradient is taken at a shorter one: w is public.

**Sensitivity.** What is added to noise is the whole number sum_i x_i e_i exactly, with e_i after its cut: at most E_max
in size, its roundings counted. Neighbours' sums differ by x_i e_i of one row, and by how the others are rounded: where
a patient is left out the later rows move up, and are under other masks, which the helper knows, and which follow for
all owners but one from what was opened. Two roundings of one error differ by at most R = 2 units and what the waves'
rounding may add, whatever the masks are. So of m rows

    D = N (E_max + (m - 1) R)       in the whole numbers' unit, at each of T steps.

A row that fills up is zeros, and adds nothing. The divisor of the gradient is the agreed number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, fsum, sqrt
from typing import Final

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.alignment import check_aligned
from protocols.functions.rising_fits import RISING_FITS
from protocols.functions.sigmoid import TRIG_SCALE, less_half, odd_part
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.linalg.held import HeldRows, Rows, hold, take_rows, transpose_product
from protocols.privacy.accounting import VectorMechanism, least_variance
from protocols.privacy.noisy_sum import Noise, noisy_sum, own_noise
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, joint_names
from protocols.rows.results import Trained
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.filled_columns import filled_columns
from protocols.training.private.momentum import Floats, Iterate

GRADIENTS: Final = "noisy gradients"
X_BITS: Final = 10
"""Fractional bits of the features, which are in [-1, 1]."""
E_BITS: Final = 20
"""Those of the errors s - y as they are summed up: so many that R is small beside E_max for 100,000 rows."""
_COEFFICIENTS: Final = 28  # so that the errors' cut is as long as one may be
_FIT: Final = RISING_FITS[1].fit  # for |z| <= 31


@dataclass(frozen=True)
class SharedGradients:
    """All that is public about a run.

    Args:
        ranges: of all features, of one owner's after another's, of which each has as many as `widths` says.
        rows: the agreed number, to which the rows are filled up.
        norm: N, of a row with the 1 for the intercept.
        steps, step_size, momentum, l2: T, and of a step.
        epsilon, delta: of all sums together.
        variance: v of each sum, in its unit 2^-(X_BITS + E_BITS).
    """

    owners: tuple[str, ...]
    helper: str
    ranges: Ranges
    widths: tuple[int, ...]
    rows: int
    norm: float
    steps: int
    step_size: float
    momentum: float
    l2: float
    epsilon: float
    delta: float
    variance: int

    @property
    def features(self) -> int:
        """How many there are, without the intercept."""
        return sum(self.widths)

    @property
    def noise(self) -> Noise:
        """The noise in each sum of gradients."""
        return Noise(self.variance, len(self.owners))

    @property
    def mechanism(self) -> VectorMechanism:
        """What the run costs."""
        return VectorMechanism(self.variance, squared_sensitivity(self.norm, self.rows), self.steps)

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise in each number of a sum."""
        return sqrt(self.noise.opened_variance) * _UNIT

    @property
    def fit(self) -> SigmoidFit:
        """The sigmoid's approximation."""
        return _FIT


_UNIT: Final = 2.0 ** -(X_BITS + E_BITS)


def squared_norm(norm: float) -> int:
    """N^2 in whole numbers, of features at `X_BITS`."""
    return floor(norm**2 * 4.0**X_BITS)


def largest_error(fit: SigmoidFit) -> int:
    """E_max: the most that |s - y| may be after its cut, in units of 2^-E_BITS, at any z."""
    return ceil(2.0**E_BITS * (0.5 + fit.bound + _waved(fit))) + 2


def squared_sensitivity(norm: float, rows: int) -> int:
    """D^2: by how much a row changes a sum at most, in squared units of 2^-(X_BITS + E_BITS)."""
    roundings = ceil(2 + 2 * 2.0**E_BITS * _waved(_FIT))
    return squared_norm(norm) * (largest_error(_FIT) + (rows - 1) * roundings) ** 2


def _waved(fit: SigmoidFit) -> float:
    """By how much the roundings of the helper's waves and of their coefficients move s, and that of y - 1/2 moves y."""
    total, harmonics = sum(map(abs, fit.coefficients)), len(fit.coefficients)
    return sqrt(2) * 0.51 * (total * 2.0**-TRIG_SCALE + harmonics * 2.0**-_COEFFICIENTS) + 2.0**-40


def shared_variance(epsilon: float, delta: float, owners: int, norm: float, rows: int, steps: int) -> int:
    """The least variance with which so many noisy sums are together (epsilon, delta)-private.

    Raises:
        UsageError: such noise is too wide to be drawn.
    """
    squared = squared_sensitivity(norm, rows)
    return least_variance(epsilon, delta, owners, lambda v: [VectorMechanism(v, squared, steps)])


async def shared_gradients_job(
    p: Party, own: OwnColumns | None, stream: Stream | None, how: SharedGradients
) -> Trained | None:
    """The model of all owners' columns of the same rows; None of a dry party.

    3 rounds a step, and 3 before; reveals whether all owners' ids are the same, and T noisy sums of gradients, which
    are together (epsilon, delta)-differentially private. All else that is opened is under uniform masks.

    Args:
        stream: this owner's own randomness, which nobody else has; used up.

    Raises:
        DataError: the owners' ids differ.
    """
    p.stage("alignment")
    await check_aligned(p, abstract((DIGEST_BITS,)) if own is None else own.ids)
    p.stage("sharing")
    x, y = filled_columns(p, own, how.ranges, how.widths, how.rows, squared_norm(how.norm), X_BITS)
    rows = take_rows(await hold(p, x), Rows.of(np.arange(how.rows, dtype=np.int64)))
    wanted = less_half(p, y, 1.0, TRIG_SCALE + _COEFFICIENTS)
    now = Iterate.start(how.features)
    for t in range(how.steps):
        p.stage("training", t, how.steps)
        total = await noisy_gradient(p, x, rows, wanted, now.look_ahead(how), stream, how)
        if not p.dry:
            gradient = total.value.view(np.int64) * (_UNIT / how.rows)
            now = now.stepped(gradient, how)
    p.stage("done")
    if own is None:
        return None
    scaled = now.model(how)
    weights, intercept = how.ranges.in_own_units(scaled)
    return Trained(joint_names(own.names), weights, intercept, tuple(scaled.tolist()), None)


async def noisy_gradient(
    p: Party, x: Share, rows: HeldRows, wanted: Share, w: Floats, stream: Stream | None, how: SharedGradients
) -> Public:
    """The noisy sum over all rows (d + 1,) of (s(x w) - y) x, in units of 2^-(X_BITS + E_BITS).

    3 rounds; reveals it. w is public.

    Args:
        x: the rows (m, d + 1) at X_BITS, and `rows`, the same held.
        wanted: y - 1/2 (m,) at the scale of the sigmoid's odd part.
    """
    scale = 64 - (how.fit.period.bit_length() - 1) - X_BITS
    words = p.compute(lambda: whole_weights(w, how, scale), shape=(how.features + 1,))
    z: Share = x @ Public(words, scale)
    s = await odd_part(p, z, how.fit, 1.0, _COEFFICIENTS, label="step/z")
    errors = s - wanted
    g = await transpose_product(p, rows, errors, errors.scale - E_BITS, label="step/e")

    why = (
        f"epsilon = {how.epsilon:g}, delta = {how.delta:g}, of all {how.steps} together: each row's part has a norm of "
        f"at most {how.norm:g}, and each number noise of standard deviation {how.deviation:.3g}"
    )
    mine = own_noise(p, how.noise, stream, how.features + 1)
    return await noisy_sum(p, g.value, mine, how.noise, what=GRADIENTS, why=why, label=GRADIENTS)


def whole_weights(w: Floats, how: SharedGradients, scale: int) -> Array:
    """w as words at `scale`, shorter where a score could leave the sigmoid's range; the same bits at every owner."""
    length = sqrt(fsum((w * w).tolist()))
    most = (how.fit.reach - 2.0**-8) / how.norm
    if length > most:
        w = w * (most / length)
    return np.rint(w * 2.0**scale).astype(np.int64).view(np.uint64)
