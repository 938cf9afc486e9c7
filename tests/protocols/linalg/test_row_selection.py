"""Rows that are not copied out: their products are those of the rows, and need one public and one shared side."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import InternalError
from mpc.ring.rings import B64, Z32, Z64, Ring, wide
from mpc.sharing.share import Public, Share
from protocols.linalg.row_selection import RowSelection

INDEX = np.array([3, 0, 3])


def words(*shape: int, ring: Ring = Z64) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**32, shape, dtype=np.uint64).astype(ring.dtype)


@pytest.mark.parametrize("ring", [Z64, Z32])
def test_the_product_is_that_of_the_rows(ring: Ring) -> None:
    a, x = words(5, 4, ring=ring), words(4, ring=ring)
    for left, right in ((Public(a, 3, ring), Share(x, 4, ring)), (Share(a, 3, ring), Public(x, 4, ring))):
        product = RowSelection(left, INDEX) @ right
        assert (product.scale, product.ring) == (7, ring)
        np.testing.assert_array_equal(product.value, a[INDEX] @ x)


@pytest.mark.parametrize("ring", [Z64, Z32])
def test_rows_that_are_left_out_are_zero(ring: Ring) -> None:
    a, x = words(5, 4, ring=ring), words(4, ring=ring)
    some = np.zeros_like(a)
    some[2:4] = a[2:4]
    product = RowSelection(Share(a[2:4], 3, ring), INDEX, 2) @ Public(x, 4, ring)
    np.testing.assert_array_equal(product.value, some[INDEX] @ x)
    with pytest.raises(InternalError, match="rings of machine words"):
        RowSelection(Share(words(2, 4).astype(object), 3, wide(128)), INDEX, 2) @ Public(x.astype(object), 4, wide(128))


def test_two_shares_or_two_rings_have_none() -> None:
    a, x = words(5, 4), words(4)
    with pytest.raises(InternalError, match="one of the two has to be public"):
        RowSelection(Share(a), INDEX) @ Share(x)
    with pytest.raises(InternalError, match="one of the two has to be public"):
        RowSelection(Public(a), INDEX) @ Public(x)
    with pytest.raises(InternalError, match="differ in ring"):
        RowSelection(Public(a), INDEX) @ Share(words(4, ring=Z32), 0, Z32)
    with pytest.raises(InternalError, match="are bits"):
        RowSelection(Public(a, 0, B64), INDEX) @ Share(x, 0, B64)


def test_its_repr_shows_no_data() -> None:
    assert repr(RowSelection(Share(words(5, 4), 3), INDEX)) == "3 rows of Share(shape=(5, 4), scale=3, bits=64)"
