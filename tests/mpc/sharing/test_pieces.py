"""Expressions in pieces equal those on the whole, to the bit, for every shape and kind of array."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import InternalError
from mpc.ring.abstract_array import abstract
from mpc.ring.rings import B8, Z64, Ring
from mpc.sharing.pieces import in_pieces
from mpc.sharing.share import Public, Share


def share(shape: tuple[int, ...], seed: int, ring: Ring = Z64, scale: int = 3) -> Share:
    draw = np.random.default_rng(seed)
    return Share(draw.integers(0, 2**ring.bits, shape, dtype=ring.dtype), scale, ring)


def combined(x: Share, y: Share, d: Public) -> Share:
    return x + y - d * x


@pytest.mark.parametrize("ring", [Z64, B8])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (8,), (9,), (40,), (5, 9), (3, 0)])
def test_the_same_as_the_whole(shape: tuple[int, ...], ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.ring.slices.PIECE", 8)
    x, y, public = share(shape, 1, ring), share(shape, 2, ring), Public(share(shape, 3, ring).value, 0, ring)
    whole, cut = combined(x, y, public), in_pieces(combined, x, y, public)
    assert (cut.value == whole.value).all() and cut.value.dtype == ring.dtype
    assert (cut.shape, cut.scale, cut.ring) == (shape, 3, ring)


def test_other_shapes_are_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.ring.slices.PIECE", 8)
    sizes = []

    def added(x: Share, y: Share) -> Share:
        sizes.append(x.shape)
        return x + y

    x, column = share((6, 5), 1), share((6, 1), 2)
    assert (in_pieces(added, x, column).value == x.value + column.value).all()
    assert (in_pieces(added, x.T, x.T).value == 2 * x.value.T).all()  # not contiguous
    assert sizes == [(6, 5), (5, 6)]
    assert in_pieces(added, Share(abstract((100,))), Share(abstract((100,)))).shape == (100,)


def test_a_mistake_in_the_expression_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.ring.slices.PIECE", 8)
    with pytest.raises(InternalError, match="differ in scale"):
        in_pieces(lambda x, y: x + y, share((20,), 1), share((20,), 2, scale=4))
