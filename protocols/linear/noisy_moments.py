"""Linear regression with [privacy]: all sums of products of columns that least squares needs, with noise, in one round.

Dwork, Talwar, Thakurta, Zhang 2014, "Analyze Gauss: optimal bounds for privacy-preserving principal component
analysis", STOC, for the moments; Wang 2018, "Revisiting differentially private linear regression: optimal and adaptive
prediction and estimation in unbounded domain", UAI, for their use. Of a row let

    t in [-1, 1]              the target, clipped to its agreed range and scaled to it
    u = (1, g_1, ..., g_p)    a part of each of p terms, with r = sqrt(2/p): of a number 2 r times its value, clipped
                              and scaled likewise; of a category of m + 1 levels r times one of the corners of the
                              regular simplex around 0 in m dimensions
    c = min(1, sqrt(3) / |u|),  z = c (u, t)
    q = sum over the rows of z z^T: its diagonal, and what is above it times sqrt 2.

So a row counts c^2 in the fit, which depends on its features alone: where the model holds, weights by features bias
nothing. It counts whole if its numbers are, in root mean square, within the inner half of their ranges. A simplex puts
all levels at one distance from each other and from 0, where indicators would go together with the 1.

**Sensitivity.** |z|^2 <= 3 + 1, as |c u|^2 <= 3 and |c t| <= 1. The entries of a row, with the factor, have the squared
sum |z z^T|_F^2 = |z|^4. A patient who is added or removed so changes the vector q by at most D = 4 in L2 norm. (With
features of the squared length T in place of 2 the noise in a coefficient is in proportion to (2 + T) / sqrt(T), which
is least here.) Entries are whole numbers of units of 2^-22, each row's rounded towards 0 by itself; a row whose
squared sum, in whole numbers, is above D^2 would count nothing.

What is released is q with the noise of `noisy_sum`, each number by itself: (epsilon, delta) as accounting.py has it of
a vector of sensitivity D. Everything else (noisy_fit.py) is computed from it, which costs no privacy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from protocols.privacy.accounting import VectorMechanism, least_variance
from protocols.privacy.agreed_range import AgreedRange
from protocols.privacy.noisy_sum import Noise, claim_text, noisy_sum_of

NOISY = "noisy sums of products"
LABEL: Final = "noisy sums of products"
MOST_FEATURES: Final = 200
"""More would take a second and more of noise; of so many noise leaves little."""
LONGEST: Final = 3.0
"""The squared length of a row's 1 and features."""
_BITS: Final = 22
REACH: Final = 4 << _BITS
"""D, in units of 2^-22."""
_AT_ONCE: Final = 1 << 21  # numbers of a block of rows
_DIAGONAL: Final = 2.0**_BITS * (1 - 2.0**-40)  # less, so that no rounding of a double makes a row too long
_BESIDE: Final = sqrt(2.0) * _DIAGONAL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Number(AgreedRange):
    """A column of numbers, and its agreed range."""


@dataclass(frozen=True)
class Levels:
    """The indicators of a category: so many columns, of which one is 1, or none, at its first level."""

    columns: int


@dataclass(frozen=True)
class Scaling:
    """How columns become the parts of a row, from what is agreed.

    Args:
        terms: of the features, in the columns' order.
        target: its range.
    """

    terms: tuple[Number | Levels, ...]
    target: Number

    @property
    def columns(self) -> int:
        """d, of the features."""
        return sum(one.columns if isinstance(one, Levels) else 1 for one in self.terms)

    @cached_property
    def ends(self) -> tuple[Floats, Floats]:
        """What counts as 0 and what as 1 beyond it, of each feature (d,): indicators stay as they are."""
        found: list[tuple[float, float]] = []
        for one in self.terms:
            found += [(one.centre, one.half)] if isinstance(one, Number) else [(0.0, 1.0)] * one.columns
        centres, halves = np.array(found).reshape(-1, 2).T
        return centres, halves

    @cached_property
    def parts(self) -> tuple[Floats, Floats]:
        """S (d, d) and o (d,): the parts g are v S + o, of features v that were clipped and scaled."""
        part = sqrt(2.0 / max(1, len(self.terms)))
        slope, constant, at = np.zeros((self.columns, self.columns)), np.zeros(self.columns), 0
        for one in self.terms:
            width = one.columns if isinstance(one, Levels) else 1
            here = slice(at, at + width)
            corners = part * (_simplex(width) if isinstance(one, Levels) else np.array([[0.0], [2.0]]))
            slope[here, here], constant[here] = corners[1:] - corners[0], corners[0]
            at += width
        return slope, constant

    def rows(self, x: Floats, y: Floats) -> Floats:
        """z of each row (m, d + 2), from features (m, d) and target (m,)."""
        (slope, constant), target = self.parts, self.target
        u = np.column_stack((np.ones(len(y)), _scaled(x, *self.ends) @ slope + constant))
        t = _scaled(y[:, np.newaxis], np.array([target.centre]), np.array([target.half]))
        length = np.sqrt((u * u).sum(axis=1, keepdims=True))
        found: Floats = np.column_stack((u, t)) * np.minimum(1.0, sqrt(LONGEST) / length)
        return found


def _scaled(values: Floats, centres: Floats, halves: Floats) -> Floats:
    """Columns (m, k) between -1 and 1, whatever is in them."""
    centred = np.clip(values, centres - halves, centres + halves) - centres
    with np.errstate(divide="ignore", invalid="ignore"):  # a range as narrow as the least double has no half
        found: Floats = np.clip(np.nan_to_num(centred / halves), -1.0, 1.0)
    return found


def _simplex(dimensions: int) -> Floats:
    """The corners (dimensions + 1, dimensions) of a regular simplex around 0, each of length 1."""
    corners = np.zeros((dimensions + 1, dimensions))
    for k in range(dimensions):
        left = dimensions - k
        corners[k, k] = sqrt(1.0 - float(corners[k] @ corners[k]))
        corners[k + 1 :, k] = -corners[k, k] / left
    return corners


@dataclass(frozen=True)
class NoisyLinear:
    """All that is public about a linear regression with [privacy].

    Args:
        names: of the features; target: its name.
        variance: v of the noise, in squared units of 2^-22.
    """

    owners: tuple[str, ...]
    helper: str
    names: tuple[str, ...]
    target: str
    scaling: Scaling
    epsilon: float
    delta: float
    variance: int

    @property
    def width(self) -> int:
        """d + 2: the intercept, the features, the target."""
        return len(self.names) + 2

    @property
    def size(self) -> int:
        """How many numbers are released."""
        return self.width * (self.width + 1) // 2

    @property
    def mechanism(self) -> VectorMechanism:
        """What the run costs."""
        return mechanism_of(self.variance)

    @cached_property
    def noise(self) -> Noise:
        """The helper's and the owners'."""
        return Noise(self.variance, len(self.owners))

    @property
    def unit(self) -> float:
        """What 1 of the whole numbers stands for: a patient with a scaled value of 1 adds 1."""
        return 2.0**-_BITS

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise in each diagonal sum; above the diagonal it is less by sqrt 2."""
        return sqrt(self.noise.opened_variance) * self.unit


def mechanism_of(variance: int) -> VectorMechanism:
    """The one release, with so much noise."""
    return VectorMechanism(variance, REACH**2, 1)


@lru_cache(maxsize=8)
def enough_variance(epsilon: float, delta: float, owners: int) -> int:
    """The least variance of noise that is (epsilon, delta)-private.

    Raises:
        UsageError: such noise is too wide to be drawn.
    """
    return least_variance(epsilon, delta, owners, lambda variance: (mechanism_of(variance),))


def own_products(x: Floats, y: Floats, settings: NoisyLinear) -> NDArray[np.int64]:
    """One owner's addend (size,): sums of products over its rows, features (m, d) and target (m,)."""
    total = np.zeros(settings.size, dtype=np.int64)
    step = max(1, _AT_ONCE // settings.size)
    for start in range(0, len(y), step):
        total += _products(x[start : start + step], y[start : start + step], settings).sum(axis=0)
    return total


def _products(x: Floats, y: Floats, settings: NoisyLinear) -> NDArray[np.int64]:
    """Each row's products by itself (m, size); of a row whose squared sum would be above D^2, none."""
    z = settings.scaling.rows(x, y).T.copy()
    whole, at = np.empty((settings.size, len(y)), dtype=np.int64), 0
    for j, one in enumerate(z):  # the pairs in the order of np.triu_indices
        here = slice(at, at + len(z) - j)
        products = z[j:] * one
        products[0] *= _DIAGONAL
        products[1:] *= _BESIDE
        whole[here] = np.trunc(products, out=products)
        at += len(z) - j
    whole[:, np.einsum("ij,ij->j", whole, whole) > REACH**2] = 0
    return whole.T


async def noisy_linear_job(
    p: Party, own: tuple[Floats, Floats] | None, stream: Stream | None, settings: NoisyLinear
) -> Floats | None:
    """The noisy sums of products (d + 2, d + 2), symmetric, in scaled units; None of a dry party, which has no rows.

    1 round; reveals them: (epsilon, delta)-differentially private, also against the helper, or against all owners but
    one (noisy_sum.py).

    Args:
        own: this owner's features (m, d) and target (m,).
        stream: this owner's own randomness, which nobody else has; used up.
    """
    p.stage("sums of products")

    def products() -> Array:
        assert own is not None
        return own_products(*own, settings).view(np.uint64)

    why = claim_text(settings.epsilon, settings.delta, settings.deviation)
    total = await noisy_sum_of(p, products, settings.size, settings.noise, stream, what=NOISY, why=why, label=LABEL)
    p.stage("done")
    return None if p.dry else moments_of(total, settings)


def moments_of(opened: NDArray[np.int64], settings: NoisyLinear) -> Floats:
    """The symmetric matrix (d + 2, d + 2) of the opened numbers (size,)."""
    first, second = np.triu_indices(settings.width)
    values = opened * settings.unit / np.where(first == second, 1.0, sqrt(2.0))
    matrix = np.zeros((settings.width, settings.width))
    matrix[first, second] = matrix[second, first] = values
    return matrix
