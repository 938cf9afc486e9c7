"""The log-rank test's expected events and their covariance, all times of a fine grid side by side, under sharing.

With n_gj patients at risk and d_gj events in arm g at time t_j, n_j and d_j of all arms,

    E_g  = sum_j d_j p_gj                      p_gj = n_gj / n_j
    V_gh = sum_j w_j p_gj (delta_gh - p_hj)    w_j  = d_j (n_j - d_j) / (n_j - 1)

(Mantel, Cancer Chemother. Rep. 50, 1966.) All n are entered doubled, since half of the patients censored between two
points count as at risk (the actuarial n - c / 2): n below is twice the rows.

The quotients are a number times an inverse: with R = 1 - n / 2^b, n < 2^b,

    2^b / n = (1 + R)(1 + R^2)(1 + R^4) ...

whose first b + 5 factors leave R^(2^(b+5)) < e^-32 of it (Ben-Israel and Cohen, SIAM J. Numer. Anal. 3, 1966). At
b + 40 fractional bits rounding leaves less than 2^-28. Where n is 0 the series is what it is: n_g = 0 there, and so is
the product; as d (n - 2d) = 0 is, exactly, where n - 2 is 0, -1 or -2, whatever the series wraps round to.

E and V of all arms but the last are opened, each to as many digits as the caller wants; the last arm's follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import Ring, wide
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.wide import wide_truncate

_EXTRA = 40  # fractional bits beyond those of the rows
COARSEST = 16
"""E and V are opened in units of 2^COARSEST at most."""
FINEST = 14
"""And of 2^-FINEST at least."""
EXPECTED = "expected events"
_WHY = "log-rank test: the expected events of the arms and their covariance, to some 12 bits of their deviation"


@dataclass(frozen=True)
class Digits:
    """The size of the numbers: twice the rows are fewer than 2^rows, with `scale` fractional bits in `ring`."""

    rows: int

    @property
    def scale(self) -> int:
        return self.rows + _EXTRA

    @property
    def ring(self) -> Ring:
        """Holds sums over all rows at twice the scale."""
        return wide(64 * -(-(3 * self.rows + 2 * _EXTRA + 7) // 64))


def digits_of(rows: int) -> Digits:
    """The digits for so many rows of all owners."""
    return Digits((2 * max(rows, 2)).bit_length())


@dataclass(frozen=True)
class LogRankSums:
    """Shared: E (groups, arms - 1) and V (groups, pairs of them, those with themselves first), at the digits' scale."""

    expected: Share
    covariance: Share


def arm_pairs(arms: int) -> list[tuple[int, int]]:
    """The pairs of all arms but the last: each with itself, and then with each after it."""
    kept = range(arms - 1)
    return [*((g, g) for g in kept), *((g, h) for g in kept for h in kept if g < h)]


async def log_rank_sums(p: Party, doubled: Share, events: Share, digits: Digits) -> LogRankSums:
    """From 2 n_gj (groups, arms, T) and d_j (groups, T), at scale 0 in the digits' ring.

    2 (b + 5) + 7 rounds for fewer than 2^b / 2 rows; reveals values under uniform masks.
    """
    scale, ring, b = digits.scale, digits.ring, digits.rows
    groups, arms, times = doubled.shape
    size = groups * times
    by_arm = [doubled[:, g].reshape(1, size) for g in range(arms)]
    n, d = doubled.sum(axis=1).reshape(1, size), events.reshape(1, size)
    less_one = p.plus(n, p.constant(-2, (1, size), 0, ring))
    inverse = await _inverses(p, _stacked([n, less_one]), digits)
    left = await multiply(p, d, n - d - d, label="log-rank")
    one, other = inverse[:1], inverse[1:]
    numerators = _stacked([*by_arm[:-1], left])
    inverses = Share(np.concatenate([*[one.value] * (arms - 1), other.value]), inverse.scale, ring)
    quotients = await multiply(p, numerators, inverses, label="log-rank")
    quotients = await wide_truncate(p, quotients, b)  # p and w
    part, weight = quotients[: arms - 1], quotients[arms - 1 :]
    factors = Share(np.concatenate((d.shifted(scale).value, weight.value)), scale, ring)
    products = await multiply(p, part.reshape(1, arms - 1, size), factors.reshape(2, 1, size), label="log-rank")
    expected = products[0].at_scale(2 * scale)  # d was shifted
    weighted = await wide_truncate(p, products[1], scale)
    pairs = arm_pairs(arms)
    first, second = (np.array([pair[k] for pair in pairs]) for k in (0, 1))
    both = await multiply(p, weighted[first], part[second], label="log-rank")
    alike = np.array([g == h for g, h in pairs], dtype=object).reshape(-1, 1)
    own = weighted[first].shifted(scale).at_scale(2 * scale) * Public(alike, 0, ring)
    sums = _by_group(_stacked([expected, own - both]), groups, times)
    sums = await wide_truncate(p, sums, scale)
    return LogRankSums(sums[:, : arms - 1], sums[:, arms - 1 :])


async def open_log_rank(p: Party, sums: LogRankSums, places: Array, disclosed: Array) -> Array:
    """E and then V of each group (groups, arms - 1 + pairs), float64: to `places`, or 0 where not `disclosed`.

    2 rounds; reveals the declared values. The same bits at every owner.

    Args:
        places: from -COARSEST to FINEST, int64; each value is within 2^-places.
        disclosed: bools, of the same shape.
    """
    both = Share(
        np.concatenate((sums.expected.value, sums.covariance.value), axis=1), sums.expected.scale, sums.expected.ring
    )

    def factors() -> Array:
        flat = [
            1 << (COARSEST + k) if open_ else 0
            for k, open_ in zip(places.ravel().tolist(), disclosed.flat, strict=True)
        ]
        return np.array(flat, dtype=object).reshape(places.shape)

    wanted = both * Public(p.compute(factors, shape=both.shape), 0, both.ring)
    cut = await wide_truncate(p, wanted, both.scale + COARSEST)
    (opened,) = await p.reveal(cut, what=EXPECTED, why=_WHY, label="log-rank")
    return p.compute(
        lambda: opened.ring.centred(opened.value).astype(np.float64) * np.ldexp(1.0, -places) * disclosed,
        shape=both.shape,
    )


async def _inverses(p: Party, n: Share, digits: Digits) -> Share:
    """[1 / n] at scale digits.scale + digits.rows. 2 (b + 5) rounds."""
    scale, ring, b = digits.scale, digits.ring, digits.rows
    one = p.public(p.constant(1 << scale, n.shape, scale, ring))
    rest = one - n.shifted(scale - b).at_scale(scale)
    total = one
    for _ in range(b + 5):
        both = Share(np.concatenate((total.value, rest.value)), scale, ring).reshape(2, *n.shape)
        product = await wide_truncate(p, await multiply(p, both, rest.reshape(1, *n.shape), label="inverses"), scale)
        total, rest = total + product[0], product[1]
    return total.at_scale(scale + b)


def _stacked(rows: list[Share]) -> Share:
    return Share(np.concatenate([row.value for row in rows]), rows[0].scale, rows[0].ring)


def _by_group(rows: Share, groups: int, times: int) -> Share:
    """Sums over the times of each group: (groups, rows) of (rows, groups x times)."""
    summed = rows.reshape(rows.shape[0], groups, times).sum(axis=2)
    return summed.T
