"""Least squares under sharing, and the covariances that it starts from: right, at their cost, and nothing to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.fixed import decode
from mpc.ghost import Array
from mpc.party import Party
from mpc.share import Public, Share
from mpc.testing import check_correct, check_cost, check_faults, check_view, own, reals
from protocols.beaver import matmul
from protocols.cross_products import pooled_covariance
from protocols.least_squares import covariance_scale, least_squares
from protocols.private_scales import plain_scales
from protocols.wide import wide_truncate
from protocols.wide_inverse import MATRIX_RING, MATRIX_SCALE, identity

ROOTS = [reals((3, 3), scale=MATRIX_SCALE // 2, largest=0.33, ring=MATRIX_RING)]
DOUBLINGS = 8
ROWS, SCALE = 3, 10
OWN = [own(reals((ROWS, 2), scale=SCALE, largest=100.0))]


async def solved(p: Party, x: Share) -> tuple[Share, Share, Share]:
    """The fit from 1/8 + 3/4 x x', whose last row is the target's."""
    scaled = await matmul(p, x, x.T) * p.constant(3, (1,), 2, MATRIX_RING)
    eighth = Public(identity(3) >> 3, MATRIX_SCALE, MATRIX_RING)
    a = p.plus(await wide_truncate(p, scaled, 2), eighth)
    found = await least_squares(p, await wide_truncate(p, a, MATRIX_SCALE - covariance_scale(2)), DOUBLINGS)
    return found.w, found.inverse, found.squares


def solved_twin(x: Array) -> tuple[Array, Array, Array]:
    a = 0.125 * np.eye(3) + 0.75 * x @ x.T
    c, g, t = a[:2, :2], a[:2, 2], a[2, 2]
    w = np.linalg.solve(c, g)
    return w, np.linalg.inv(c), np.array([t - w @ g, t])


async def pooled(p: Party, mine: Array) -> tuple[Array, Share, Share]:
    x = p.compute(lambda: decode(mine, SCALE), shape=mine.shape)
    found = await pooled_covariance(p, x, (ROWS,) * len(p.owners), ("x", "y"))
    return found.units, found.means, found.covariance


def pooled_twin(parts: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    units = plain_scales(parts)
    if np.isinf(units).any():
        raise DataError("a column is constant")
    x = np.concatenate(parts) / units
    return units, x.mean(axis=0), np.cov(x.T, ddof=0)


def test_the_fit_is_right() -> None:
    check_correct(solved, solved_twin, ROOTS, error=1e-7, examples=5)


def test_the_covariances_are_right() -> None:
    check_correct(pooled, pooled_twin, OWN, error=1e-9, examples=15)


def test_cost() -> None:
    check_cost(solved, ROOTS, rounds=24 + 2 * DOUBLINGS, bytes=9169)
    check_cost(pooled, OWN, rounds=24, bytes=12616)


@pytest.mark.soak
def test_two_groups_of_rows_with_the_same_powers_of_two_look_alike() -> None:
    """And other covariances: which the coalition of two is not told."""
    one, other = (
        [[[a, b] for a, b in zip(first, (0, 9, 1, 8), strict=True)], *[[[v, 9 - v] for v in range(4)]] * 2]
        for first in ([0, 4, 0, 4], [5, 2, 5, 1])
    )
    parts = [[np.array(rows[:ROWS], dtype=float) for rows in tables] for tables in (one, other)]
    np.testing.assert_array_equal(*(plain_scales(tables) for tables in parts))
    given = [([[rows[:ROWS] for rows in one]], [[rows[:ROWS] for rows in other]])]
    saw = check_view(pooled, OWN, secrets=given, words=60, coalitions=[(1, 2)], structure=False)
    assert saw.shift < 1


@pytest.mark.soak
def test_the_fit_shows_nothing() -> None:
    assert check_view(solved, ROOTS, owners=2, words=60, structure=False).shift < 1


@pytest.mark.soak
def test_faults() -> None:
    check_faults(solved, ROOTS, owners=2, every=9)
    check_faults(pooled, OWN, owners=2, every=9)
