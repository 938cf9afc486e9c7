"""The product of matrices at one product for each of two owners: exact, as private as the plain one, at its cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core import beaver
from protocols.core.halved import halved_matmul
from tests.examples import steady
from tests.helpers import on_shares
from tests.testing.cases.case import hold_to_view
from tests.testing.cases.core import CASES

EDGES = np.array([0, 1, 2**22 - 1, 2**63, 2**64 - 1], dtype=np.uint64)


def words(draw: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    out = draw.integers(0, 2**64, shape, dtype=np.uint64)
    out.flat[::5] = draw.choice(EDGES, out.flat[::5].size)
    return out


@steady(60)
@given(st.integers(1, 5), st.integers(1, 13), st.integers(1, 5), st.integers(0, 2**32))
def test_every_shape(rows: int, inner: int, columns: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = words(draw, (rows, inner)), words(draw, (inner, columns))

    async def body(p: Party, s: list[Share]) -> Share:
        return await halved_matmul(p, s[0], s[1], label="halved")

    (z,), outcome = on_shares(body, [(x, 3, Z64), (y, 4, Z64)], 2, seed)
    assert (z == x @ y).all()
    assert outcome.results["owner0"][0].scale == 7


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("shape", [(16, 600, 17), (16, 33, 16), (15, 8, 40), (16, 1, 16)])
def test_beavers_product_of_matrices_takes_it_where_it_pays(
    n: int, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def noted(p: Party, x: Share, y: Share, *, label: str) -> object:
        taken.append(p.name)
        return halved_matmul(p, x, y, label=label)

    monkeypatch.setattr(beaver, "halved_matmul", noted)
    draw = np.random.default_rng(7)
    x, y = words(draw, shape[:2]), words(draw, shape[1:])

    async def body(p: Party, s: list[Share]) -> Share:
        return await beaver.matmul(p, s[0], s[1])

    (z,), _ = on_shares(body, [(x, 0, Z64), (y, 0, Z64)], n)
    assert (z == x @ y).all()
    pays = n == 2 and shape in ((16, 600, 17), (16, 33, 16))
    assert set(taken) == ({"owner0", "owner1"} if pays else set())


def test_every_mask_of_it_is_looked_at() -> None:
    saw = hold_to_view(CASES["halved matmul"], 2)
    assert saw.structure is not None and saw.structure.words == 2 * (10 + 15)
