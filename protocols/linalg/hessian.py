"""The fixed Hessian of logistic regression, H = X^T X / (4 m) + l2, inverted under sharing.

H is at least the true Hessian everywhere, so steps along H^-1 need no rate. With H / bound below 1, R = 1 - H / bound,

    P = sum of R^k for k < 2^K = (1 + R) (1 + R^2) (1 + R^4) ...        tends to (H / bound)^-1, from below

so that P preconditions well whatever K and however ill-conditioned H is: no direction is stretched more than 2^K times.
(The product form of the Newton-Schulz iteration: Schulz 1933; Ben-Israel and Cohen 1966.) H stays shared: opened, it
would be the other owner's Gram matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book
from mpc.ring.array import Array
from mpc.ring.rings import matmul as ring_matmul
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.truncation import truncate
from protocols.linalg.held import Held, Rows, hold, products

R_SCALE = 29  # of R: its products with P_k, below 2^k at 30 - k bits, stay below 2^61
MOST_DOUBLINGS = 8  # more serve nearly collinear columns alone, which 14 bits of a feature do not tell apart
_GRAM_BITS = 33  # of the factor that brings X^T X to H / bound
_PENALTY_BITS = 26  # of l2 / bound
_ROUNDED = 1.001  # features are rounded, and so is the bound of their squares
PENALTY_SCALE = 22  # of l2 P as it is held


@dataclass(frozen=True)
class Series:
    """The public numbers of a preconditioner.

    Args:
        bound: at least the largest eigenvalue of H.
        doublings: K: P has 2^K terms.
        factor: what X^T X is multiplied with, at `_GRAM_BITS`: 1 / (4 m bound), rounded up.
        penalty: l2 / bound.
    """

    bound: float
    doublings: int
    factor: int
    penalty: float

    @property
    def gram_weight(self) -> float:
        """The factor of X^T X as it is used."""
        return self.factor / 2.0**_GRAM_BITS

    @property
    def scale(self) -> int:
        """The fractional bits of P."""
        return R_SCALE + 1 - self.doublings


def steepest(columns: int, l2: float) -> float:
    """At least the largest eigenvalue of H, for standardised features: known without a look at the data.

    Args:
        columns: with the intercept's, which is orthogonal to all others: so the eigenvalues of X^T X / m are 1 and at
            most columns - 1.
    """
    return max(columns - 1, 1) / 4 * _ROUNDED + l2


def series_for(columns: int, rows: int, l2: float) -> Series:
    """The preconditioner of a training on standardised features; `columns` counts the intercept's."""
    bound = steepest(columns, l2)
    wanted = math.ceil(math.log2(2 * bound / min(l2, 0.25))) if l2 else MOST_DOUBLINGS
    factor = math.ceil(2.0**_GRAM_BITS / (4 * rows * bound))
    return Series(bound, max(1, min(MOST_DOUBLINGS, wanted)), factor, l2 / bound)


@dataclass(frozen=True)
class HeldGram:
    """A^T B for the masks A and B of two matrices that are held, or of one."""

    left: int
    right: int
    shape: tuple[int, int]
    scale: int
    kept: bool = False
    drawn: tuple[Spec, ...] = ()

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (ring_matmul(book[self.left][0].T, book[self.right][0]),)


def held_gram(p: Party, x: Held, y: Held) -> Share:
    """[X^T Y] for held X (m, d) and Y (m, k), exact; scales add. 0 rounds: both are open under their masks already."""
    (dealt,) = p.correlation(HeldGram(x.number, y.number, (x.shape[1], y.shape[1]), x.scale + y.scale))
    a = x.share - p.public(x.opened)  # X^T Y = E^T Y + A^T F + A^T B, for X = E + A and Y = F + B
    product: Share = x.opened.T @ y.share + a.T @ y.opened + dealt
    return product


async def inverse_series(p: Party, gram: Share, series: Series) -> Share:
    """[P] (d, d) at series.scale from [X^T X] (d, d) at scale 28; nothing wraps if X^T X <= 4 m bound.

    2 K + 1 rounds (1 if K is 1); reveals values under uniform masks.
    """
    d = gram.shape[0]
    scaled = gram * Public(np.array([series.factor], dtype=np.uint64), _GRAM_BITS)
    h = await truncate(p, scaled, scaled.scale - R_SCALE)
    r = p.public(_identity_less(series, d)) - h
    total = p.plus(r, _identity(d, R_SCALE))
    if series.doublings > 1:
        r = await _squared(p, r)
    for k in range(1, series.doublings):
        both = Share(np.concatenate((total.value, r.value)), R_SCALE)
        product = await matmul(p, both, r, label="series")
        grown = product[:d] + total.shifted(R_SCALE).at_scale(product.scale)
        if k + 1 < series.doublings:
            total, r = await together(truncate(p, grown, R_SCALE + 1), truncate(p, product[d:], R_SCALE))
        else:
            total = await truncate(p, grown, R_SCALE + 1)
    return total.at_scale(series.scale)


async def _squared(p: Party, r: Share) -> Share:
    return await truncate(p, await matmul(p, r, r, label="series"), R_SCALE)


async def precondition(
    p: Party, x: Held, weighted: Held, series: Series, stretch: float, scale: int
) -> tuple[Held, Held | None]:
    """X P, at `scale`, and stretch l2 P without the intercept's column (None without a penalty), both held.

    Args:
        x: the rows (m, d), the last column all ones.
        weighted: the rows as they enter the gradient.
        stretch: what the penalty is multiplied with besides.

    2 K + 3 rounds; reveals values under uniform masks only.
    """
    total = await inverse_series(p, held_gram(p, x, weighted), series)
    m, d = x.shape
    every = Rows.of(np.arange(m, dtype=np.int64))
    flat = await products(p, weighted, (every,) * d, total, label="precondition")
    turned = flat.reshape(d, m).T
    cut = [truncate(p, turned, turned.scale - scale)]
    if series.penalty:
        factor = np.full((1, d), round(stretch * series.penalty * 2.0**_PENALTY_BITS), dtype=np.uint64)
        factor[0, -1] = 0
        penalty = total * Public(factor, _PENALTY_BITS)
        cut.append(truncate(p, penalty, penalty.scale - PENALTY_SCALE))
    held = await together(*[hold(p, one) for one in await together(*cut)])
    return held[0], held[1] if series.penalty else None


def _identity(d: int, scale: int) -> Public:
    return Public(np.eye(d, dtype=np.uint64) << np.uint64(scale), scale)


def _identity_less(series: Series, d: int) -> Public:
    """1 - l2 / bound for every diagonal entry but the intercept's, which is 1."""
    diagonal = np.full(d, (1 << R_SCALE) - round(series.penalty * 2.0**R_SCALE), dtype=np.uint64)
    diagonal[-1] = 1 << R_SCALE
    return Public(np.diag(diagonal), R_SCALE)
