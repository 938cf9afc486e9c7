"""The inverse of a shared matrix in a wide ring: right, at its cost, and with nothing to see."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import check_correct, check_cost, check_faults, check_view, reals
from protocols.core.beaver import matmul
from protocols.core.wide import wide_truncate
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, identity, inverse, refined, residual
from tests.helpers import on_shares

WIDE, WORD = MATRIX_RING.word_bytes, 8
ROOTS = [reals((3, 3), scale=MATRIX_SCALE // 2, largest=0.33, ring=MATRIX_RING)]
DOUBLINGS = 3


def positive(x: np.ndarray) -> np.ndarray:
    """A matrix between 1/8 and 1."""
    return 0.125 * np.eye(3) + 0.75 * x @ x.T


def series(h: np.ndarray, doublings: int) -> np.ndarray:
    r = np.eye(len(h)) - h
    return np.sum([np.linalg.matrix_power(r, k) for k in range(2**doublings)], axis=0)


async def from_root(p: Party, x: Share) -> Share:
    """The same matrix, shared: between 1/8 and 1 whatever x is."""
    scaled = await matmul(p, x, x.T) * p.constant(3, (1,), 2, MATRIX_RING)
    eighth = Public(identity(3) >> 3, MATRIX_SCALE, MATRIX_RING)
    return p.plus(await wide_truncate(p, scaled, 2), eighth)


async def inverted(p: Party, x: Share) -> tuple[Share, Share]:
    return await inverse(p, await from_root(p, x), DOUBLINGS)


async def finer(p: Party, x: Share) -> tuple[Share, Share]:
    h = await from_root(p, x)
    coarse, _ = await inverse(p, h, 2)
    fine = await refined(p, h, coarse, 2)
    return fine, await residual(p, h, fine)


def test_it_is_the_series() -> None:
    def reference(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h = positive(x)
        return series(h, DOUBLINGS), np.linalg.matrix_power(np.eye(3) - h, 2**DOUBLINGS)

    check_correct(inverted, reference, ROOTS, error=1e-9, examples=5)


def test_it_goes_on_from_a_coarser_one() -> None:
    def reference(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        h = positive(x)
        fine = series(h, 4)
        return fine, np.eye(3) - h @ fine

    check_correct(finer, reference, ROOTS, error=1e-9, examples=5)


def test_a_nearly_singular_matrix_is_inverted_to_many_digits() -> None:
    h = np.array([[0.5, 0.4999], [0.4999, 0.5]])
    words = np.array([[int(v * 2**53) << (MATRIX_SCALE - 53) for v in row] for row in h], dtype=object)

    async def body(p: Party, shares: list[Share]) -> tuple[Share, Share]:
        return await inverse(p, shares[0], 20)

    (found, left), _ = on_shares(body, [(words, MATRIX_SCALE, MATRIX_RING)])
    exact = np.linalg.inv(h)
    got = np.array([[int(v) / 2**MATRIX_SCALE for v in row] for row in MATRIX_RING.centred(found)])
    np.testing.assert_allclose(got, exact, rtol=1e-9)
    assert max(abs(int(v)) for v in MATRIX_RING.centred(left).ravel()) < 2**30


def test_cost() -> None:
    root = (2 * 9 + 9) * WIDE, (9 + 18) * WIDE  # the product of the roots, cut
    a_factor = (18 + 9 + 18) * WIDE, (18 + 2 * 18) * WIDE
    check_cost(
        inverted,
        ROOTS,
        rounds=2 + 2 * DOUBLINGS,
        bytes=root[0] + DOUBLINGS * a_factor[0],
        dealt=root[1] + DOUBLINGS * a_factor[1],
    )


@pytest.mark.soak
def test_view_and_faults() -> None:
    async def short(p: Party, x: Share) -> tuple[Share, Share]:
        return await inverse(p, x, 1)

    small = [reals((2, 2), scale=MATRIX_SCALE, largest=0.4, ring=MATRIX_RING)]
    check_view(short, small, owners=2)
    check_faults(short, small, owners=2, every=7)
