"""The inverse of a shared matrix in a wide ring, where it is nearly singular."""

from __future__ import annotations

import numpy as np

from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, inverse
from tests.helpers import on_shares


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
