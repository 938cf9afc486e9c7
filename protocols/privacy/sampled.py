"""What releases of vectors cost together, of some of which each unit is in a secret sample: Renyi's divergence.

A release is a vector of whole numbers with noise of N(v) on each, independent. Its law without a unit's addend x is
`nu`, and with it nu_x, shifted by x: x is whole, and |x| <= D. With chance q (`rate`) the unit is in the release, drawn
for each release by itself and known to nobody (Poisson sampling). So what is released has the law nu without the unit,
or (1 - q) nu + q nu_x with it, beside the same others. rho = D^2 / (2 v).

**The bound.** For a whole order a >= 2, and D_a Renyi's divergence in either direction,

    D_a <= 1/(a - 1) log sum over k from 0 to a of  C(a, k) (1 - q)^(a-k) q^k e^((k^2 - k) rho)

*Proof.* Let L = nu_x / nu, and M(L) = 1 - q + q L.

1. *With against without.* exp((a - 1) D_a) = E_nu[M(L)^a] = sum of C(a, k) (1-q)^(a-k) q^k E_nu[L^k], and E_nu[L^k] =
   exp((k - 1) D_k(nu_x || nu)) <= e^((k^2 - k) rho) (Canonne, Kamath, Steinke 2020, proposition 5, for each number; a
   product's divergences add up). As for the Gaussian (Mironov, Talwar, Zhang 2019, "Renyi Differential Privacy of the
   Sampled Gaussian Mechanism"): only these moments are used.
2. *Without against with* is no larger, as in their theorem 5: E_nu[M(L)^(1-a)] <= E_nu[M(L)^a]. The reflection
   y -> x - y swaps nu and nu_x, so E_nu[f(L)] = E_nu[L f(1/L)] for every f, and it is enough that for each L, with
   h(t) = t^a - t^(1-a), h(M(L)) + L h(M(1/L)) >= 0. L and 1/L may be swapped; let L >= 1, N = L M(1/L) = (1-q) L + q.
   As h(1/t) = -h(t)/t, this is h(M) >= N h(L/N). h is convex on [1, inf) and h(1) = 0, so h(t)/(t - 1) grows there;
   1 <= L/N <= M, for M N - L = q (1 - q) (L - 1)^2 >= 0; and L/N - 1 = (M - 1)/N. So h(L/N) <= h(M)/N.
3. Other units' draws are independent of this one's, and of them the law is a mixture with the same weights on both
   sides: exp((a - 1) D_a) is jointly convex, and so the bound holds for the mixtures. Of several releases, also where
   later ones depend on what came out, D_a adds up.

With q = 1 the bound is a rho. From divergences to epsilon as concentrated.py has it; the best of the orders is taken,
of all a > 1 where no release is sampled. Noise that is a sum of several parties' draws (noisy_sum.py, distributed.py)
has chances within a factor of 1 +- 1e-60 of N(v)'s, which no sum of doubles sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.privacy.concentrated import epsilon_at

_ORDERS: Final = tuple(sorted({*range(2, 64), *(round(2 ** (k / 8)) for k in range(48, 97))}))
"""To 2^12, which a small epsilon takes."""


@dataclass(frozen=True)
class Releases:
    """`times` vectors: each of rho = D^2 / (2 v), and each unit is in it with chance `rate`."""

    rho: float
    times: int
    rate: float = 1.0


def epsilon_of_vectors(releases: Iterable[Releases], delta: float) -> float:
    """The epsilon at `delta` of all together: an upper bound; 0 of none."""
    all_of_them = tuple(releases)
    whole = sum(one.times * one.rho for one in all_of_them if one.rate == 1.0)
    sampled = [one for one in all_of_them if 0.0 < one.rate < 1.0]
    if not sampled:
        return epsilon_at(whole, delta)
    a = np.array(_ORDERS, dtype=np.float64)
    cost = a * whole + sum(one.times * divergences(one.rho, one.rate) for one in sampled)
    bounds = cost + np.log1p(-1.0 / a) - (np.log(delta) + np.log(a)) / (a - 1.0)
    return max(0.0, float(bounds.min()))


def unsampled_rho(rho: float, rate: float) -> float:
    """The rho of a release of all rows whose divergence is at no order above that of a sampled one."""
    return rho if rate >= 1.0 else float((divergences(rho, rate) / np.array(_ORDERS)).min())


@lru_cache(maxsize=256)
def divergences(rho: float, rate: float) -> NDArray[np.float64]:
    """The bound of D_a of one sampled release, of each of `_ORDERS`."""
    from scipy.special import gammaln, logsumexp

    k = np.arange(_ORDERS[-1] + 1.0)
    found = np.empty(len(_ORDERS))
    for i, a in enumerate(_ORDERS):
        j = k[: a + 1]
        chance = gammaln(a + 1.0) - gammaln(j + 1.0) - gammaln(a - j + 1.0)
        chance += j * np.log(rate) + (a - j) * np.log1p(-rate)
        found[i] = logsumexp(chance + (j * j - j) * rho) / (a - 1.0)
    found.flags.writeable = False
    return found
