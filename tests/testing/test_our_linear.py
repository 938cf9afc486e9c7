"""Linear regression under the checks of the kit: the covariances that it starts from, the fit, and the whole job."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import Input, own, reals
from protocols.beaver import matmul
from protocols.cross_products import covariance_scale, pooled_covariance
from protocols.least_squares import least_squares
from protocols.linear_job import linear_job
from protocols.linear_settings import LinearFit, LinearSettings
from protocols.linear_twin import fit_plain
from protocols.private_scales import plain_scales
from protocols.rows.offset_weights import NOTHING_BESIDE, Beside
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, OwnRows
from protocols.standardise import Moments
from protocols.vertical_linear import vertical_linear_job
from protocols.weighted_columns import weighted_columns
from protocols.wide import wide_truncate
from protocols.wide_inverse import MATRIX_RING, MATRIX_SCALE, identity
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

SCALE = 8
DOUBLINGS = 8

# -- the pooled covariances of two columns


async def _pooled(p: Party, mine: Array) -> tuple[Array, Share, Share]:
    x = p.compute(lambda: decode(mine, SCALE), shape=mine.shape)
    found = await pooled_covariance(p, x, (len(mine),) * len(p.owners), ("x", "y"))
    return found.units, found.means, found.covariance


def _pooled_twin(parts: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    units = plain_scales(parts)
    if np.isinf(units).any():
        raise DataError("a column is constant")
    x = np.concatenate(parts) / units
    return units, x.mean(axis=0), np.cov(x.T, ddof=0)


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


def _pooled_weighted_twin(parts: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    x = np.concatenate([_few(k, moved) for k, moved in enumerate(parts)])
    counts = np.concatenate([_of_mean_1(moved[:, 2]) for moved in parts])
    deviation = np.sqrt(np.cov(x.T, ddof=0, aweights=counts).diagonal())
    units = 2.0 ** (np.floor(np.log2(deviation)) + 1)
    return units, np.average(x / units, axis=0, weights=counts), np.cov((x / units).T, ddof=0, aweights=counts)


def _other_weights(n: int) -> Secrets:
    """Other rows and weights of an owner, each in turn."""
    rest = [[0.0, 0.0, 0.0] for _ in range(FEW)]
    other = [[0.1, -0.1, 0.2], [0.0, 0.1, -0.2], [0.1, 0.0, 0.1], [-0.1, 0.1, 0.0]]
    return [([[rest] * n], [[other if i == k else rest for i in range(n)]]) for k in range(n)]


# -- rows times the roots of their weights

FEW_LARGEST = 8.0


async def _rooted(p: Party, x: Share, mine: Array) -> Share:
    """The first owner has the weights and the target."""
    rows, none = x.shape[0], np.zeros(0)
    names: dict[str, tuple[str, ...]] = dict.fromkeys(p.owners, ())
    beside, y, target = NOTHING_BESIDE, none, None
    if p.index == 0 and not p.dry:
        numbers = decode(mine, SCALE)
        beside, y, target = Beside(None, 1.5 + numbers[:, 0]), numbers[:, 1], Moments(np.zeros(1), np.ones(1))
    own_columns = OwnColumns(names, p.owners[0], np.zeros((rows, 0)), y, none, none, none, beside)
    return await weighted_columns(p, x, own_columns, target, FEW_LARGEST)


def _rooted_twin(x: Array, parts: tuple[Array, ...]) -> Array:
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


# -- the fit from 1/8 + 3/4 x x', whose last row is the target's


async def _solved(p: Party, x: Share) -> tuple[Share, Share, Share]:
    scaled = await matmul(p, x, x.T) * p.constant(3, (1,), 2, MATRIX_RING)
    eighth = Public(identity(3) >> 3, MATRIX_SCALE, MATRIX_RING)
    a = p.plus(await wide_truncate(p, scaled, 2), eighth)
    found = await least_squares(p, await wide_truncate(p, a, MATRIX_SCALE - covariance_scale(2)), DOUBLINGS)
    return found.w, found.inverse, found.squares


def _solved_twin(x: Array) -> tuple[Array, Array, Array]:
    a = 0.125 * np.eye(3) + 0.75 * x @ x.T
    c, g, t = a[:2, :2], a[:2, 2], a[2, 2]
    w = np.linalg.solve(c, g)
    return w, np.linalg.inv(c), np.array([t - w @ g, t])


def _any_two(n: int) -> Secrets:
    """Nothing is opened but that features can be told apart."""
    root = [[0.3, 0.1, 0.0], [-0.2, 0.3, 0.1], [0.1, 0.0, -0.3]]
    return [([root], [[row[::-1] for row in root]])]


# -- the whole job, near a public table that has a fit

ROWS = 12


def _near(owner: int, moved: Array) -> Array:
    """The table's rows of an owner, two features and the target, a little moved."""
    base = np.cos(np.outer(np.arange(ROWS) + owner, [1.0, 2.0, 3.3]))
    rows: Array = base + moved
    return rows


def _told(found: LinearFit | None) -> Any:
    """Coefficients, standard errors, sums of squares."""
    if found is None:
        return None
    return np.array(found.coefficients), np.sqrt(found.variances), np.array([found.residual, found.total])


def _beside(moved: Array) -> Beside:
    """An offset and a weight from 1/2 to 5/2 of each row, from the last column of what moves it."""
    return Beside(moved[::-1, -1], 1.5 + 4 * moved[:, -1])


def _regression(inference: Any, *, weighted: bool = False) -> Any:
    async def run(p: Party, mine: Array) -> Any:
        rows, none = (ROWS,) * len(p.owners), (0,) * len(p.owners)
        how = LinearSettings(
            p.owners, "helper", rows, none, 2, "y", inference=inference, weighted=weighted, offset=weighted
        )
        if p.dry:
            return await linear_job(p, None, how)
        moved = decode(mine, SCALE)
        x, beside = _near(p.index, moved[:, :3]), _beside(moved) if weighted else NOTHING_BESIDE
        own_rows = OwnRows(("a", "b"), x[:, :2], x[:, 2], x[:0, :2], x[:0, 2], beside_train=beside)
        return _told(await linear_job(p, own_rows, how))

    return run


def _regression_twin(parts: tuple[Array, ...]) -> Any:
    rows = np.concatenate([_near(k, moved[:, :3]) for k, moved in enumerate(parts)])
    beside = Beside.joined([_beside(moved) for moved in parts]) if parts[0].shape[1] == 4 else NOTHING_BESIDE
    return _told(fit_plain(rows[:, :2], rows[:, 2], ("a", "b"), beside))


def _on_columns(*, weighted: bool = False) -> Any:
    async def run(p: Party, mine: Array) -> Any:
        """One column an owner; and the target, the weights and the offset at the first."""
        how = LinearSettings(
            p.owners, "helper", (ROWS,), (0,), len(p.owners), "y", "vertical", weighted=weighted, offset=weighted
        )
        if p.dry:
            return await vertical_linear_job(p, None, how)
        names: dict[str, tuple[str, ...]] = {owner: (f"x{k}",) for k, owner in enumerate(p.owners)}
        moved, none, first = decode(mine, SCALE), np.zeros(0), p.index == 0
        x, y = _column(p.index, moved), TARGET if first else none
        beside = _beside(moved) if first and weighted else NOTHING_BESIDE
        ids = np.zeros(DIGEST_BITS, dtype=np.uint8)
        return _told(await vertical_linear_job(p, OwnColumns(names, p.owners[0], x, y, x[:0], none, ids, beside), how))

    return run


def _column(owner: int, moved: Array) -> Array:
    base: Array = np.cos((owner + 1.0) * np.arange(ROWS))[:, np.newaxis] + moved
    return base


def _on_columns_twin(*parts: tuple[Array, ...], weighted: bool = False) -> Any:
    (moved,) = parts
    x = np.concatenate([_column(k, one) for k, one in enumerate(moved)], axis=1)
    names = tuple(f"x{k}" for k in range(len(moved)))
    return _told(fit_plain(x, TARGET, names, _beside(moved[0]) if weighted else NOTHING_BESIDE))


TARGET = np.sin(2.5 * np.arange(ROWS))
MOVED = own(reals((ROWS, 3), scale=SCALE, largest=0.25))
MOVED_WEIGHTED = own(reals((ROWS, 4), scale=SCALE, largest=0.25))
MOVED_COLUMN = own(reals((ROWS, 1), scale=SCALE, largest=0.25))


def job(protocol: Any, twin: Any, moved: Input, error: float, **how: Any) -> Spoken:
    return Spoken(
        protocol, twin, [moved], error, owners=(2, 3), cost_owners=(2,), examples=4, every=47, **how
    )  # fmt: skip


OURS = {
    "covariances": Spoken(
        _pooled,
        _pooled_twin,
        [own(reals(("m", 2), scale=SCALE, largest=100.0))],
        1e-9,
        24,
        12616,
        8878,
        {"m": 3},
        secrets=_same_powers_of_two,
        view_sizes={"m": 4},
        words=100,
        shift=1.0,
        structure="by round",
        examples=8,
        every=23,
    ),
    "covariances, weighted": Spoken(
        _pooled_weighted,
        _pooled_weighted_twin,
        [own(reals((FEW, 3), scale=SCALE, largest=0.25))],
        1e-9,
        24,
        13000,
        9070,
        secrets=_other_weights,
        words=100,
        shift=1.0,
        structure="by round",
        examples=8,
        every=23,
    ),
    "rows and roots of weights": Spoken(
        _rooted,
        _rooted_twin,
        [reals(("m", 2), scale=24, largest=2.0), own(reals(("m", 2), scale=SCALE, largest=1.0))],
        1e-6,
        2,
        120,
        144,
        {"m": 3},
        secrets=_any_weights,
        view_sizes={"m": 2},
        structure_sizes={"m": 2},
        shift=0.5,
        examples=20,
    ),
    "fit": Spoken(
        _solved,
        _solved_twin,
        [reals((3, 3), scale=MATRIX_SCALE // 2, largest=0.33, ring=MATRIX_RING)],
        1e-7,
        24 + 2 * DOUBLINGS,
        9169,
        10132,
        secrets=_any_two,
        words=100,
        shift=1.0,
        structure="by round",
        examples=4,
        every=23,
    ),
    "regression": job(_regression("shared"), _regression_twin, MOVED, 1e-8, rounds=104, bytes=41829, dealt=39961),
    "regression, open": job(_regression("open-gram"), _regression_twin, MOVED, 1e-8, rounds=1, bytes=576, dealt=0),
    "regression, weighted": job(
        _regression("shared", weighted=True),
        _regression_twin,
        MOVED_WEIGHTED,
        1e-8,
        rounds=105,
        bytes=42629,
        dealt=40345,
    ),
    "regression, open, weighted": job(
        _regression("open-gram", weighted=True), _regression_twin, MOVED_WEIGHTED, 1e-8, rounds=2, bytes=672, dealt=0
    ),
    "regression on columns": job(
        _on_columns(), _on_columns_twin, MOVED_COLUMN, 1e-4, rounds=85, bytes=23353, dealt=28604
    ),
    "regression on columns, weighted": job(
        _on_columns(weighted=True),
        partial(_on_columns_twin, weighted=True),
        MOVED_COLUMN,
        1e-4,
        rounds=88,
        bytes=48516,
        dealt=58173,
    ),
}
QUICK = ("regression, open", "regression, open, weighted", "rows and roots of weights")
every_one = pytest.mark.parametrize("name", OURS)
long_ones = pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak) for name in OURS]
)


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@long_ones
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "owners"),
    [("covariances", 2), ("covariances", 3), ("fit", 2), ("covariances, weighted", 2), ("covariances, weighted", 3)],
)
def test_view(name: str, owners: int) -> None:
    """Of a result that is opened, no two secrets have the same: so of what comes before."""
    hold_to_view(OURS[name], owners)


@long_ones
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
