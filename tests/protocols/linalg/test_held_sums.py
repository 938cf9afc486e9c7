"""A product with held rows, at one owner: compiled and by numpy, the words that Python's integers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.linalg import held_sums
from protocols.linalg.held_sums import transposed_sum, transposed_sum_by_numpy
from tests.examples import steady

needs_compiled = pytest.mark.skipif(not held_sums.COMPILED, reason="no C compiler with Python's headers was here")
SUM: Any = transposed_sum
BY_NUMPY: Any = transposed_sum_by_numpy


def words(rng: np.random.Generator, *shape: int, dtype: Any = np.uint64) -> np.ndarray:
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def arrays(seed: int, m: int, n: int, rows: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """x, e, index, d, v, t, wraps, av."""
    rng = np.random.default_rng(seed)
    d = words(rng, rows)
    d[: rows // 3] = np.resize(np.array([0, 2**63 - 1, 2**63, 2**64 - 1], dtype=np.uint64), rows // 3)
    index = rng.integers(0, m, rows)
    some = (words(rng, m, n), words(rng, m, n), index, d, words(rng, rows), words(rng, rows))
    return (*some, words(rng, rows, n, dtype=dtype), words(rng, n))


def exact(given: tuple[np.ndarray, ...], shift: int) -> list[int]:
    x, e, index, d, v, t, wraps, av = (one.tolist() for one in given)
    total = [int(word) for word in av]
    for i, row in enumerate(index):
        negative = d[i] >> 63
        low, high = (d[i] - (negative << 64)) >> shift, v[i] + negative * t[i]
        for j in range(len(total)):
            total[j] += x[row][j] * low + e[row][j] * high + (negative * wraps[i][j] << (64 - shift))
    return [word % 2**64 for word in total]


@steady(80)
@given(
    seed=st.integers(0, 10**6),
    m=st.integers(1, 12),
    n=st.integers(0, 20),
    rows=st.integers(0, 25),
    shift=st.integers(1, 32),
    way=st.sampled_from([SUM, BY_NUMPY]),
)
def test_exact(seed: int, m: int, n: int, rows: int, shift: int, way: Any) -> None:
    given_ones = arrays(seed, m, n, rows, np.uint16 if shift <= 16 else np.uint32)
    assert way(*given_ones, shift).tolist() == exact(given_ones, shift)


@pytest.mark.parametrize("way", [SUM, BY_NUMPY])
@pytest.mark.parametrize(("first", "count"), [(0, 12), (0, 5), (5, 7), (4, 1), (12, 0), (2, 0)])
def test_rows_that_are_left_out_are_zero(first: int, count: int, way: Any) -> None:
    x, *rest = arrays(5, 12, 7, 40, np.uint16)
    some = np.zeros_like(x)
    some[first : first + count] = x[first : first + count]
    here = x[first : first + count].copy()
    assert way(here, *rest, 11, first).tolist() == exact((some, *rest), 11)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_a_batch_of_a_training_in_any_order_of_memory(dtype: Any) -> None:
    x, e, index, *rest = arrays(3, 455, 31, 128, dtype)
    expected = BY_NUMPY(x, e, index, *rest, 16)
    for held in (x, np.asfortranarray(x)):
        for rows in (index, np.repeat(index, 2)[::2]):
            np.testing.assert_array_equal(SUM(held, e, rows, *rest, 16), expected)
    d = rest[0]
    odd = np.frombuffer(b"x" + d.tobytes(), dtype=np.uint8)[1:].view(np.uint64)
    assert not odd.flags.aligned
    np.testing.assert_array_equal(SUM(x, e, index, odd, *rest[1:], 16), expected)


@needs_compiled
@pytest.mark.parametrize("which", range(8))
def test_arrays_that_do_not_fit_are_refused(which: int) -> None:
    good = list(arrays(1, 9, 4, 6, np.uint16))
    SUM(*good, 5)
    bad = [*good[:which], good[which][:-1], *good[which + 1 :]]
    with pytest.raises(ValueError, match="do not fit"):
        SUM(*bad, 5)


@needs_compiled
@pytest.mark.parametrize("row", [-1, 9])
def test_a_row_that_is_not_there_is_refused(row: int) -> None:
    good = list(arrays(1, 9, 4, 6, np.uint16))
    good[2] = np.array([0, 1, row, 2, 3, 4])
    for first in (None, 0):
        with pytest.raises(ValueError, match="do not fit"):
            SUM(*good, 5, first)


@needs_compiled
@pytest.mark.parametrize("shift", [0, 33])
def test_a_shift_by_too_much_is_refused(shift: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        SUM(*arrays(1, 9, 4, 6, np.uint32), shift)
