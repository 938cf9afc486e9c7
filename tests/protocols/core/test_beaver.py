"""Beaver products equal the products, in every ring, shape and number of owners.

The kit's four checks of it are in tests/testing; here is what they cannot express: every ring, broadcasting shapes
and long inner sizes, which the kit's inputs do not have.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import BroadcastableShapes, mutually_broadcastable_shapes

from mpc.ring.rings import B8, B16, B32, B64, Z32, Z64, Ring, wide
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.beaver import matmul, multiply
from tests.examples import steady
from tests.helpers import on_shares

RINGS = (Z64, Z32, B64, B32, B16, B8, wide(128))
EDGES = (0, 1, -1, 2**31, 2**63, 2**64 - 1, 2**22 - 1)


def elements(draw: np.random.Generator, shape: tuple[int, ...], ring: Ring) -> np.ndarray:
    """Random elements, with the ring's edges among them."""
    numbers = [
        int.from_bytes(draw.bytes(ring.word_bytes), "little") if draw.random() < 0.7 else int(draw.choice(EDGES[:3]))
        for _ in range(int(np.prod(shape)))
    ]
    for k in range(0, len(numbers), 5):
        numbers[k] = EDGES[(k // 5) % len(EDGES)]
    return np.array([v % 2**ring.bits for v in numbers], dtype=object).reshape(shape).astype(ring.dtype)


@steady(120)
@given(
    mutually_broadcastable_shapes(num_shapes=2, min_dims=1, max_dims=3, max_side=4),
    st.sampled_from(RINGS),
    st.integers(2, 5),
    st.integers(0, 2**32),
)
def test_multiply(shapes: BroadcastableShapes, ring: Ring, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = (elements(draw, shape, ring) for shape in shapes.input_shapes)

    async def body(p: Party, s: list[Share]) -> Share:
        return await multiply(p, s[0], s[1])

    (z,), outcome = on_shares(body, [(x, 3, ring), (y, 4, ring)], n, seed)
    wanted = x.astype(object) & y.astype(object) if ring.xor else x.astype(object) * y.astype(object) % 2**ring.bits
    assert z.shape == shapes.result_shape
    assert (z == wanted).all()
    assert outcome.results["owner0"][0].scale == 7
    assert set(outcome.rounds.values()) == {1}


@steady(60)
@given(
    st.integers(1, 7),
    st.one_of(st.integers(1, 12), st.sampled_from([170, 171, 345])),
    st.integers(1, 7),
    st.sampled_from(["mm", "mv", "vm", "vv"]),
    st.integers(2, 5),
    st.integers(0, 2**32),
)
def test_matmul(rows: int, inner: int, columns: int, kind: str, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x = elements(draw, (rows, inner) if kind[0] == "m" else (inner,), Z64)
    y = elements(draw, (inner, columns) if kind[1] == "m" else (inner,), Z64)

    async def body(p: Party, s: list[Share]) -> Share:
        return await matmul(p, s[0], s[1])

    (z,), outcome = on_shares(body, [(x, 0, Z64), (y, 0, Z64)], n, seed)
    wanted = np.atleast_1d(x.astype(object) @ y.astype(object) % 2**64)
    assert z.shape == wanted.shape
    assert (z == wanted).all()
    assert set(outcome.rounds.values()) == {1}
