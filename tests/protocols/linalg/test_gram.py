"""The Gram matrix of several owners' rows, and sums of rows, are exact but for one rounding.

The kit's four checks of it are in tests/testing; here is what they cannot express: owners with different numbers of
rows, or with none.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.linalg.gram import hold_gram
from protocols.linalg.held import hold
from protocols.rows.limits import X_SCALE
from tests.examples import steady
from tests.helpers import on_shares, signed, words

SCALE = 10  # of G in these tests; X's is X_SCALE


async def held_gram(p: Party, x: np.ndarray, s: Share, sizes: list[int]) -> tuple[Any, Any]:
    """X held, and G, for rows x of which each owner knows its own."""
    starts = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    own = words(x[starts[p.index] : starts[p.index + 1]])
    held = await hold(p, s)
    return held, await hold_gram(p, held, own, sizes, SCALE)


@steady(40)
@given(st.lists(st.integers(0, 6), min_size=2, max_size=5), st.integers(1, 5), st.integers(0, 2**32))
def test_the_matrix_is_every_product_of_two_rows(sizes: list[int], d: int, seed: int) -> None:
    sizes[0] += 1
    draw = np.random.default_rng(seed)
    m = sum(sizes)
    largest = 2 ** int(draw.integers(1, 29))  # d * 2^58 < 2^62
    x = draw.integers(-largest, largest + 1, size=(m, d)).astype(object)

    async def body(p: Party, s: list[Share]) -> Share:
        _, gram = await held_gram(p, x, s[0], sizes)
        assert (gram.shape, gram.scale) == ((m, m + 1), SCALE)
        return gram.share

    (g,), outcome = on_shares(body, [(words(x), X_SCALE, Z64)], len(sizes), seed % 1000)
    got = signed(g)
    unit = 2 ** (2 * X_SCALE - SCALE)
    assert (got[:, m] == 2**SCALE).all()
    assert (got[:, :m] == got[:, :m].T).all()
    for i in range(m):
        for j in range(m):
            assert abs(int(got[i, j]) * unit - int(x[i] @ x[j])) <= unit
    one_owner = max(sizes) == m
    assert set(outcome.rounds.values()) == {2 if one_owner else 3}
    cross = sum(a * b for a, b in combinations(sizes, 2))
    payloads = {one.label: one.payload for one in outcome.plan.rounds}
    assert payloads.get("truncate", 0) == 8 * cross
    assert outcome.reveals == ()
