"""Moments and covariances of all owners' rows, and rows with weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.ring.rings import wide
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import integers, own, reals, words
from protocols.core.wide_comparison import below
from protocols.linear.weighted_columns import weighted_columns
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import OwnColumns
from protocols.scaling.cross_products import pooled_covariance
from protocols.scaling.data_summary import TIMES, missing_counts, unlike_ranges
from protocols.scaling.private_scales import plain_scales, private_scales
from protocols.scaling.standardise import Moments, moments
from tests.testing.cases.case import Case, Cost, Secrets, View, each_in_turn, two_others_trade
from tests.testing.cases.core import lowest
from tests.testing.cases.costs import WIDE, WORD
from tests.testing.cases.numbers import decoded

SCALE = 8

# -- moments


async def _moments(p: Party, x: Array) -> tuple[Array, Array]:
    rows, columns = x.shape
    found = await moments(p, decoded(p, x, SCALE), len(p.owners) * rows, tuple(f"x{k}" for k in range(columns)))
    return found.mean, found.deviation


def _moments_reference(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    x = np.concatenate(parts)
    if (x.min(axis=0) == x.max(axis=0)).any():
        raise DataError("a constant column")
    return x.mean(axis=0), x.std(axis=0)


# Sums of these, their means and squares are exact in floating point in any order.
ROWS = [np.tile(rows, 60) for rows in ([[1.0], [3.0]], [[5.0], [7.0]], [[2.0], [0.0]])]

# -- the pooled covariances of two columns


async def _pooled(p: Party, mine: Array) -> tuple[Array, Share, Share]:
    x = p.compute(lambda: decode(mine, SCALE), shape=mine.shape)
    found = await pooled_covariance(p, x, (len(mine),) * len(p.owners), ("x", "y"))
    return found.units, found.means, found.covariance


def _pooled_reference(parts: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    units = plain_scales(parts)
    if np.isinf(units).any():
        raise DataError("a column is constant")
    x = np.concatenate(parts) / units
    return units, x.mean(axis=0), np.cov(x.T, ddof=0)


async def _scaled(p: Party, mine: Array) -> Share:
    """The shared means, each in its column's power of two."""
    x = p.compute(lambda: decode(mine, SCALE), shape=mine.shape)
    return (await private_scales(p, x, (len(mine),) * len(p.owners), ("x", "y"))).mean


def _scaled_reference(parts: tuple[Array, ...]) -> Array:
    _, means, _ = _pooled_reference(parts)
    return means


def _same_powers_of_two(n: int) -> Secrets:
    """Other rows of an owner, each in turn, and other covariances, of deviations between the same powers of two."""
    rest = [[float(v), 9.0 - v] for v in range(4)]
    one, other = ([[a, b] for a, b in zip(x, (0.0, 9.0, 1.0, 8.0), strict=True)] for x in ((0, 4, 0, 4), (5, 2, 5, 1)))
    return [tuple([[[rows if i == k else rest for i in range(n)]] for rows in (one, other)]) for k in range(n)]  # type: ignore[misc]


# -- the same of rows with weights, near a public table that varies

FEW = 4


async def _pooled_weighted(p: Party, moved: Array) -> tuple[Array, Share, Share]:
    rows = p.compute(lambda: _few(p.index, decode(moved, SCALE)), shape=(FEW, 2))
    counts = p.compute(lambda: _of_mean_1(decode(moved, SCALE)[:, 2]), shape=(FEW,))
    found = await pooled_covariance(p, rows, (FEW,) * len(p.owners), ("x", "y"), counts)
    return found.units, found.means, found.covariance


def _few(owner: int, moved: Array) -> Array:
    rows: Array = np.cos(np.outer(np.arange(FEW) + FEW * owner, [1.0, 2.0])) + moved[:, :2]
    return rows


def _of_mean_1(moved: Array) -> Array:
    counts: Array = 1 + 2 * (moved - moved[::-1])
    return counts


def _pooled_weighted_reference(parts: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    x = np.concatenate([_few(k, moved) for k, moved in enumerate(parts)])
    counts = np.concatenate([_of_mean_1(moved[:, 2]) for moved in parts])
    deviation = np.sqrt(np.cov(x.T, ddof=0, aweights=counts).diagonal())
    units = 2.0 ** (np.floor(np.log2(deviation)) + 1)
    return units, np.average(x / units, axis=0, weights=counts), np.cov((x / units).T, ddof=0, aweights=counts)


OTHER_WEIGHTS = (
    [[0.0, 0.0, 0.0] for _ in range(FEW)],
    [[0.1, -0.1, 0.2], [0.0, 0.1, -0.2], [0.1, 0.0, 0.1], [-0.1, 0.1, 0.0]],
)

# -- rows times the roots of their weights

FEW_LARGEST = 8.0


async def _rooted(p: Party, x: Share, mine: Array) -> Share:
    """The first owner has the weights and the target."""
    rows, none = x.shape[0], np.zeros(0)
    names: dict[str, tuple[str, ...]] = dict.fromkeys(p.owners, ())
    offset_weights, y, target = NO_OFFSET_WEIGHTS, none, None
    if p.index == 0 and not p.dry:
        numbers = decode(mine, SCALE)
        offset_weights, y, target = (
            OffsetWeights(None, 1.5 + numbers[:, 0]),
            numbers[:, 1],
            Moments(np.zeros(1), np.ones(1)),
        )
    own_columns = OwnColumns(names, p.owners[0], np.zeros((rows, 0)), y, none, none, none, offset_weights)
    return await weighted_columns(p, x, own_columns, target, FEW_LARGEST)


def _rooted_reference(x: Array, parts: tuple[Array, ...]) -> Array:
    counts, y = 1.5 + parts[0][:, 0], parts[0][:, 1]
    roots = np.sqrt(counts / counts.mean() / FEW_LARGEST)[:, np.newaxis]
    found: Array = np.concatenate((roots * x, roots, roots * y[:, np.newaxis]), axis=1)
    return found


def _any_weights(n: int) -> Secrets:
    """Nothing is opened: neither other columns nor, to the others, the first owner's weights and target show."""
    x, rest = [[1.0, -1.5], [0.5, 0.25]], [[0.0, 0.0], [0.0, 0.0]]
    one, other = ([[a, 0.5], [b, -1.0]] for a, b in ((0.5, -1.0), (-1.0, 1.0)))
    first, second = ([mine, *[rest] * (n - 1)] for mine in (one, other))
    return [([x, first], [[row[::-1] for row in x], first]), ([x, first], [x, second])]


# -- a wide number below public ones, and ranges over all owners

BOUNDS = np.array([[5], [-(2**90)]], dtype=object)
RING = wide(128)


async def _below(p: Party, x: Share) -> Share:
    return lowest(await below(p, x, BOUNDS, label="below"))


def _below_reference(x: Array) -> Array:
    return (RING.centred(x)[None, :] < BOUNDS).astype(np.uint8)


async def _unlike_ranges(p: Party, mine: Array) -> Public:
    """The words as the bits that they stand for: what a reference can know."""
    told = await unlike_ranges(p, p.compute(lambda: decode(mine, SCALE), shape=mine.shape))
    return Public(p.compute(lambda: (told.value != 0).astype(np.uint64), shape=told.shape), 0)


def _unlike_ranges_reference(parts: tuple[Array, ...]) -> Array:
    """The medians of what is not zero, in floating point."""
    found = []
    for columns in zip(*(np.abs(part.T) for part in parts), strict=True):
        typical = [np.median(column[column > 0]) for column in columns if (column > 0).any()]
        found.append(max(typical, default=1.0) >= TIMES * min(typical, default=1.0))
    return np.array(found, dtype=float)


def _within_ten_times(n: int) -> Secrets:
    """Values within ten times of each other, and an owner with zeros only: nobody can tell one from the other."""
    typical, hidden = [[1.0], [2.0], [3.0]][:n], np.tile([9.0, 0.0], 32)[np.newaxis]
    return [([typical], [[hidden if i == k else one for i, one in enumerate(typical)]]) for k in range(n)]


async def _missing_counts(p: Party, mine: Array) -> Public:
    return await missing_counts(p, mine)


CASES = {
    "below": Case(
        _below,
        _below_reference,
        [replace(words((1,), ring=RING), low=-(2**100), high=2**100)],
        None,
        # x + r, the two trees over the bits of its two words, and which word decides
        Cost(8, 2 * WORD + 48 + 24 + 4 * 12 + 6, 101),
        View(words=80, shift=0.8),
    ),
    "unlike ranges": Case(
        _unlike_ranges,
        _unlike_ranges_reference,
        [own(reals(("m", "d"), scale=SCALE, largest=1000.0))],
        0.0,
        # x + r, the two trees over the bits, the products with the known bits; then any of each
        Cost(10, 2 * (WORD + (24 + 12 + 6 + 6 + 6 + 4) + 2 * 2) + 1 + 2 * WORD, 112, {"m": 2, "d": 2}, owners=(2,)),
        View(
            secrets=_within_ten_times,
            sizes={"m": 1, "d": 64},
            structure_sizes={"m": 1, "d": 1},
            words=1000,
        ),
    ),
    "missing counts": Case(
        _missing_counts,
        lambda parts: np.sum(parts, axis=0),
        [own(integers(("d",), 0, 1 << 40))],
        0.0,
        Cost(1, 3 * WORD, 0, {"d": 3}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade([5, 11, 1]),
            addends=True,
        ),
    ),
    "moments": Case(
        _moments,
        _moments_reference,
        [own(reals(("m", "d"), scale=8, largest=1000.0))],
        1e-9,
        Cost(2, 2 * 3 * WIDE, 0, {"m": 2, "d": 3}),
        # every opening is a declared sum
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade(ROWS),
            sizes={"m": 2, "d": 60},
            words=1000,
            shift=0.3,
            structure="by round",
            addends=True,
        ),
    ),
    "private scales": Case(
        _scaled,
        _scaled_reference,
        [own(reals(("m", 2), scale=SCALE, largest=100.0))],
        2.0**-13,
        Cost(24, 12296, 8430, {"m": 3}),
        View(soak_from=2, secrets=_same_powers_of_two, sizes={"m": 4}, words=100, shift=1.0, structure="by round"),
        examples=8,
        every=23,
        long=("correct", "faults"),
    ),
    "covariances": Case(
        _pooled,
        _pooled_reference,
        [own(reals(("m", 2), scale=SCALE, largest=100.0))],
        1e-9,
        Cost(24, 12616, 8878, {"m": 3}),
        View(soak_from=2, secrets=_same_powers_of_two, sizes={"m": 4}, words=100, shift=1.0, structure="by round"),
        examples=8,
        every=23,
        long=("correct", "faults"),
    ),
    "covariances, weighted": Case(
        _pooled_weighted,
        _pooled_weighted_reference,
        [own(reals((FEW, 3), scale=SCALE, largest=0.25))],
        1e-9,
        Cost(24, 13000, 9070),
        View(soak_from=2, secrets=lambda n: each_in_turn(n, OTHER_WEIGHTS), words=100, shift=1.0, structure="by round"),
        examples=8,
        every=23,
        long=("correct", "faults"),
    ),
    "rows and roots of weights": Case(
        _rooted,
        _rooted_reference,
        [reals(("m", 2), scale=24, largest=2.0), own(reals(("m", 2), scale=SCALE, largest=1.0))],
        1e-6,
        Cost(2, 120, 144, {"m": 3}),
        View(soak_from=2, secrets=_any_weights, sizes={"m": 2}, structure_sizes={"m": 2}, words=250, shift=0.5),
        examples=20,
    ),
}
