"""Linear regression: the fit, and whole jobs near a public table that has one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import Input, own, reals
from protocols.core.beaver import matmul
from protocols.core.wide import wide_truncate
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, identity
from protocols.linear.columns_job import vertical_linear_job
from protocols.linear.least_squares import least_squares
from protocols.linear.rows_job import linear_job
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.plain.linear import fit_plain
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, OwnRows
from protocols.scaling.cross_products import covariance_scale
from tests.testing.cases.case import Case, Checks, Cost, Secrets, View

SCALE = 8
DOUBLINGS = 8

# -- the fit from 1/8 + 3/4 x x', whose last row is the target's


async def _solved(p: Party, x: Share) -> tuple[Share, Share, Share]:
    scaled = await matmul(p, x, x.T) * p.constant(3, (1,), 2, MATRIX_RING)
    eighth = Public(identity(3) >> 3, MATRIX_SCALE, MATRIX_RING)
    a = p.plus(await wide_truncate(p, scaled, 2), eighth)
    found = await least_squares(p, await wide_truncate(p, a, MATRIX_SCALE - covariance_scale(2)), DOUBLINGS)
    return found.w, found.inverse, found.squares


def _solved_reference(x: Array) -> tuple[Array, Array, Array]:
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


def _beside(moved: Array) -> OffsetWeights:
    """An offset and a weight from 1/2 to 5/2 of each row, from the last column of what moves it."""
    return OffsetWeights(moved[::-1, -1], 1.5 + 4 * moved[:, -1])


def _regression(inference: Any, *, weighted: bool = False) -> Any:
    async def run(p: Party, mine: Array) -> Any:
        rows, none = (ROWS,) * len(p.owners), (0,) * len(p.owners)
        how = LinearSettings(
            p.owners, "helper", rows, none, 2, "y", inference=inference, weighted=weighted, offset=weighted
        )
        if p.dry:
            return await linear_job(p, None, how)
        moved = decode(mine, SCALE)
        x, offset_weights = _near(p.index, moved[:, :3]), _beside(moved) if weighted else NO_OFFSET_WEIGHTS
        own_rows = OwnRows(("a", "b"), x[:, :2], x[:, 2], x[:0, :2], x[:0, 2], offset_weights_train=offset_weights)
        return _told(await linear_job(p, own_rows, how))

    return run


def _regression_reference(parts: tuple[Array, ...]) -> Any:
    rows = np.concatenate([_near(k, moved[:, :3]) for k, moved in enumerate(parts)])
    offset_weights = (
        OffsetWeights.joined([_beside(moved) for moved in parts]) if parts[0].shape[1] == 4 else NO_OFFSET_WEIGHTS
    )
    return _told(fit_plain(rows[:, :2], rows[:, 2], ("a", "b"), offset_weights))


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
        offset_weights = _beside(moved) if first and weighted else NO_OFFSET_WEIGHTS
        ids = np.zeros(DIGEST_BITS, dtype=np.uint8)
        return _told(
            await vertical_linear_job(p, OwnColumns(names, p.owners[0], x, y, x[:0], none, ids, offset_weights), how)
        )

    return run


def _column(owner: int, moved: Array) -> Array:
    base: Array = np.cos((owner + 1.0) * np.arange(ROWS))[:, np.newaxis] + moved
    return base


def _on_columns_reference(*parts: tuple[Array, ...], weighted: bool = False) -> Any:
    (moved,) = parts
    x = np.concatenate([_column(k, one) for k, one in enumerate(moved)], axis=1)
    names = tuple(f"x{k}" for k in range(len(moved)))
    return _told(fit_plain(x, TARGET, names, _beside(moved[0]) if weighted else NO_OFFSET_WEIGHTS))


TARGET = np.sin(2.5 * np.arange(ROWS))
MOVED = own(reals((ROWS, 3), scale=SCALE, largest=0.25))
MOVED_WEIGHTED = own(reals((ROWS, 4), scale=SCALE, largest=0.25))
MOVED_COLUMN = own(reals((ROWS, 1), scale=SCALE, largest=0.25))


def job(protocol: Any, reference: Any, moved: Input, error: float, cost: Cost, quick: bool = False) -> Case:
    """Of a result that is opened, no two secrets have the same: nobody's view is looked at."""
    long: Checks = () if quick else ("correct", "faults")
    return Case(
        protocol, reference, [moved], error, cost, View(owners=()), owners=(2, 3), examples=4, every=47, long=long
    )


def rows_job(inference: str, cost: Cost, weighted: bool = False) -> Case:
    moved, run = MOVED_WEIGHTED if weighted else MOVED, _regression(inference, weighted=weighted)
    return job(run, _regression_reference, moved, 1e-8, cost, quick=inference == "open-gram")


def columns_job(cost: Cost, weighted: bool = False) -> Case:
    reference = partial(_on_columns_reference, weighted=weighted)
    return job(_on_columns(weighted=weighted), reference, MOVED_COLUMN, 1e-4, cost)


CASES = {
    "fit": Case(
        _solved,
        _solved_reference,
        [reals((3, 3), scale=MATRIX_SCALE // 2, largest=0.33, ring=MATRIX_RING)],
        1e-7,
        Cost(24 + 2 * DOUBLINGS, 9169, 10132),
        View(owners=(2,), soak_from=2, secrets=_any_two, words=100, shift=1.0, structure="by round"),
        examples=4,
        every=23,
        long=("correct", "faults"),
    ),
    "regression": rows_job("shared", Cost(104, 41829, 39961, owners=(2,))),
    "regression, open": rows_job("open-gram", Cost(1, 576, 0, owners=(2,))),
    "regression, weighted": rows_job("shared", Cost(105, 42629, 40345, owners=(2,)), weighted=True),
    "regression, open, weighted": rows_job("open-gram", Cost(2, 672, 0, owners=(2,)), weighted=True),
    "regression on columns": columns_job(Cost(85, 23353, 28604, owners=(2,))),
    "regression on columns, weighted": columns_job(Cost(88, 48516, 58173, owners=(2,)), weighted=True),
}
