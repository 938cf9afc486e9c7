"""A matrix times a vector: compiled and by numpy, the same words as Python's integers give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring import thin_products
from mpc.ring.thin_products import matrix_times_vector, product_by_numpy, rows_times_vector
from tests.examples import steady

needs_compiled = pytest.mark.skipif(not thin_products.COMPILED, reason="no C compiler with Python's headers was here")
WAYS = [matrix_times_vector, product_by_numpy]


def exact(a: np.ndarray, x: np.ndarray) -> list[int]:
    modulus = 1 << 8 * a.dtype.itemsize
    return [sum(int(p) * int(q) for p, q in zip(row, x, strict=True)) % modulus for row in a]


def words(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


@steady(120)
@given(
    seed=st.integers(0, 10**6),
    m=st.integers(0, 40),
    n=st.integers(0, 40),
    dtype=st.sampled_from([np.uint8, np.uint16, np.uint32, np.uint64]),
    order=st.sampled_from(["rows", "columns", "neither"]),
    way=st.sampled_from(WAYS),
)
def test_exact_in_every_order_of_memory(seed: int, m: int, n: int, dtype: type, order: str, way: object) -> None:
    assert callable(way)
    rng = np.random.default_rng(seed)
    a, x = words(rng, (m, n), dtype), words(rng, (2 * n,), dtype)[::2]
    if order == "columns":
        a = np.asfortranarray(a)
    elif order == "neither":
        a = words(rng, (m, 2 * n), dtype)[:, ::2]
    product = way(a, x)
    assert product.dtype == dtype and product.shape == (m,)
    assert product.tolist() == exact(a, x)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64])
def test_large_ones_and_their_transposes_agree(way: object, dtype: type) -> None:
    assert callable(way)
    rng = np.random.default_rng(4)
    a, x, y = words(rng, (300, 457), dtype), words(rng, (457,), dtype), words(rng, (300,), dtype)
    assert way(a, x)[[0, 17, 299]].tolist() == exact(a[[0, 17, 299]], x)
    assert way(a.T, y)[[0, 17, 456]].tolist() == exact(a.T[[0, 17, 456]], y)


def test_words_at_an_odd_address() -> None:
    rng = np.random.default_rng(1)
    a, x = words(rng, (7, 9), np.uint64), words(rng, (9,), np.uint64)
    odd = np.frombuffer(b"x" + a.tobytes(), dtype=np.uint8)[1:].view(np.uint64).reshape(a.shape)
    assert not odd.flags.aligned
    assert matrix_times_vector(odd, x).tolist() == exact(a, x)


@pytest.mark.parametrize("way", WAYS)
def test_a_vector_of_another_length_is_refused(way: object) -> None:
    assert callable(way)
    with pytest.raises(ValueError, match=r"mismatch|dimension|fit"):
        way(np.zeros((4, 5), dtype=np.uint64), np.zeros(4, dtype=np.uint64))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_rows_that_are_not_copied_give_what_copied_ones_do(dtype: type, transposed: bool) -> None:
    rng = np.random.default_rng(6)
    a, index = words(rng, (50, 13), dtype), np.array([7, 0, 49, 7, 7, 30])
    x = words(rng, (6 if transposed else 13,), dtype)
    rows = a[index].T if transposed else a[index]
    for whole in (a, np.asfortranarray(a)):
        got = rows_times_vector(whole, index, x, transposed=transposed)
        assert got.dtype == dtype and got.tolist() == exact(rows, x)
    none = rows_times_vector(a, index[:0], x[:0] if transposed else x, transposed=transposed)
    assert none.tolist() == ([0] * 13 if transposed else [])
    assert rows_times_vector(a[:, :0], index, x[: 6 if transposed else 0], transposed=transposed).tolist() == (
        [] if transposed else [0] * 6
    )


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize(("first", "count"), [(0, 50), (0, 20), (20, 30), (17, 1), (50, 0), (3, 0)])
def test_rows_that_are_left_out_are_zero(
    dtype: type, first: int, count: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(thin_products, "COMPILED", False)
    rng = np.random.default_rng(7)
    a, index, x = words(rng, (50, 13), dtype), rng.integers(0, 50, 40), words(rng, (13,), dtype)
    y = words(rng, (40,), dtype)
    some = np.zeros_like(a)
    some[first : first + count] = a[first : first + count]
    here = a[first : first + count].copy()
    for held in (here, np.asfortranarray(here)):
        assert rows_times_vector(held, index, x, first=first).tolist() == exact(some[index], x)
        assert rows_times_vector(held, index, y, transposed=True, first=first).tolist() == exact(some[index].T, y)
    assert rows_times_vector(here, index[:0], x, first=first).tolist() == []


@pytest.mark.parametrize("row", [-1, 50])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    if row < 0 and not thin_products.COMPILED:
        pytest.skip("numpy counts negative rows from the end")
    a, x = np.zeros((50, 13), dtype=np.uint64), np.zeros(13, dtype=np.uint64)
    with pytest.raises((ValueError, IndexError)):
        rows_times_vector(a, np.array([3, row]), x)


@needs_compiled
@pytest.mark.parametrize("sizes", [(20, 5, 3, 8), (20, 4, 4, 8), (20, 5, 4, 3), (20, 5, 4, 0), (20, 5, 4, 4)], ids=str)
def test_arrays_that_do_not_fit_are_refused(sizes: tuple[int, int, int, int]) -> None:
    from mpc.ring import _thin_products

    a, x, out, word = sizes
    arrays = [np.zeros(size, dtype=np.uint64) for size in (a, x, out)]
    for function in (_thin_products.times, _thin_products.transposed_times):
        with pytest.raises(ValueError, match="do not fit"):
            function(arrays[0], None, arrays[1], arrays[2], word, -1)
