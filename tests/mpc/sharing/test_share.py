"""Shares and public values: arithmetic in the ring, scales that are checked, and nothing that leaks or decides."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError
from mpc.ring.abstract_array import abstract
from mpc.ring.rings import B64, Z32, Z64, Ring, matmul, wide
from mpc.sharing.share import Mask, Masked, Public, Share, concatenate
from tests.examples import steady
from tests.mpc.kit import RINGS, combine, elements, ints, word_arrays

SECRET = 0x1234_5678_9ABC_DEF0
each_ring = pytest.mark.parametrize("ring", RINGS, ids=repr)


def share(*numbers: int, scale: int = 4, ring: Ring = Z64) -> Share:
    return Share(np.array(numbers, dtype=ring.dtype), scale, ring)


def public(*numbers: int, scale: int = 4, ring: Ring = Z64) -> Public:
    return Public(np.array(numbers, dtype=ring.dtype), scale, ring)


def mask(*numbers: int, scale: int = 4, ring: Ring = Z64) -> Mask:
    return Mask(np.array(numbers, dtype=ring.dtype), scale, ring)


@each_ring
@steady(20)
@given(data=st.data(), n=st.integers(2, 5))
def test_arithmetic_on_shares_is_arithmetic_on_secrets(ring: Ring, data: st.DataObject, n: int) -> None:
    xs = [data.draw(word_arrays((3,), ring)) for _ in range(n)]
    ys = [data.draw(word_arrays((3,), ring)) for _ in range(n)]
    k = data.draw(word_arrays((3,), ring))
    x, y = combine(ring, xs).astype(ring.dtype), combine(ring, ys).astype(ring.dtype)
    pairs = [(Share(a, 2, ring), Share(b, 2, ring)) for a, b in zip(xs, ys, strict=True)]
    scalar = Public(k, 5, ring)
    for expected, results, scale in (
        (ring.add(x, y), [a + b for a, b in pairs], 2),
        (ring.sub(x, y), [a - b for a, b in pairs], 2),
        (ring.mul(k, x), [scalar * a for a, _ in pairs], 7),
        (ring.mul(k, x), [a * scalar for a, _ in pairs], 7),
        (ring.sum(x.reshape(3, 1), 0), [a.sum() for a, _ in pairs], 2),
        (ring.sum(x.reshape(1, 3), 1), [a.reshape(1, 3).sum(axis=1) for a, _ in pairs], 2),
    ):
        assert combine(ring, [r.value for r in results]).tolist() == ints(expected).tolist()
        assert all(type(r) is Share and r.scale == scale and r.ring == ring for r in results)


@pytest.mark.parametrize("ring", [Z64, Z32])
def test_matrix_products_with_public_values(ring: Ring) -> None:
    a, b = Share(elements(ring, (5, 6), 1), 3, ring), Public(elements(ring, (6, 4), 2), 7, ring)
    for got, expected in (
        (a @ b, matmul(a.value, b.value)),
        (b.T @ a.T, matmul(a.value, b.value).T),
        (b.T @ b, matmul(b.value.T, b.value)),
    ):
        np.testing.assert_array_equal(got.value, expected)
    assert type(a @ b) is Share and (a @ b).scale == 10
    assert type(b.T @ a.T) is Share and type(b.T @ b) is Public and (b.T @ b).scale == 14


def test_there_are_no_matrix_products_over_bits() -> None:
    square = Share(elements(B64, (5, 5), 1), 0, B64), Public(elements(B64, (5, 5), 2), 0, B64)
    for a, b in (square, square[::-1]):
        with pytest.raises(InternalError, match="matrix product"):
            a @ b  # type: ignore[operator]


def test_matrix_products_over_a_wide_ring_are_those_of_integers() -> None:
    ring = wide(128)
    a, b = elements(ring, (3, 5), 1), elements(ring, (5, 2), 2)
    product = Share(a, 1, ring) @ Public(b, 2, ring)
    exact = [[sum(int(x) * int(y) for x, y in zip(row, column, strict=True)) % 2**128 for column in b.T] for row in a]
    assert product.value.tolist() == exact and (product.scale, product.ring) == (3, ring)


@pytest.mark.parametrize(
    "a, b",
    [
        (share(1), share(1, scale=5)),
        (share(1), share(1, ring=Z32)),
        (share(1), share(1, ring=B64)),
        (share(1), mask(1, scale=5)),
        (share(1), mask(1, ring=wide(128))),
        (public(1), public(1, scale=5)),
        (public(1), public(1, ring=Z32)),
    ],
)
@pytest.mark.parametrize("f", [operator.add, operator.sub])
def test_other_scales_and_rings_are_not_added(a: Any, b: Any, f: Callable[[Any, Any], Any]) -> None:
    for x, y in ((a, b), (b, a)):
        with pytest.raises(InternalError, match="differ in scale or ring"):
            f(x, y)


@pytest.mark.parametrize("f", [operator.add, operator.sub])
def test_a_public_value_is_not_added_to_every_share(f: Callable[[Any, Any], Any]) -> None:
    for x, y in ((share(1), public(1)), (public(1), share(1)), (public(1), mask(1)), (mask(1), public(1))):
        with pytest.raises(InternalError, match=r"Party\.public"):
            f(x, y)


@pytest.mark.parametrize("f", [operator.add, operator.sub, operator.mul, operator.matmul])
@pytest.mark.parametrize("value", [share(2), public(2), mask(2)])
@pytest.mark.parametrize("plain", [2, 2.5, np.ones(2), [1.0, 2.0]])
def test_plain_numbers_need_a_scale(f: Callable[[Any, Any], Any], value: Any, plain: Any) -> None:
    for x, y in ((value, plain), (plain, value)):
        with pytest.raises(InternalError, match="a number needs a scale and a ring"):
            f(x, y)


@pytest.mark.parametrize("f", [operator.mul, operator.matmul])
def test_products_that_are_wrong_without_a_round_are_refused(f: Callable[[Any, Any], Any]) -> None:
    for left in (share(2, 3), mask(2, 3)):
        with pytest.raises(InternalError, match="a round and a correlation"):
            f(left, share(4, 5))
    for x, y in ((public(1), share(1, ring=Z32)), (share(1), public(1, ring=B64)), (public(1), public(1, ring=Z32))):
        with pytest.raises(InternalError, match="differ in ring"):
            f(x, y)


@pytest.mark.parametrize("value", [share(SECRET), public(SECRET), mask(SECRET), share(SECRET) - mask(1)])
class TestNothingGetsOut:
    def test_no_truth_value(self, value: Any) -> None:
        for decide in (bool, operator.not_, lambda v: v and 1):
            with pytest.raises(InternalError, match="no truth value"):
                decide(value)

    def test_no_iteration(self, value: Any) -> None:
        for walk in (iter, list, lambda v: [*v], lambda v: 3 in v, max):
            with pytest.raises(InternalError, match="cannot be iterated over"):
                walk(value)

    def test_no_number_and_no_order(self, value: Any) -> None:
        for read in (int, float, len, lambda v: v > v):
            with pytest.raises((TypeError, AttributeError)):
                read(value)

    def test_repr_has_no_data(self, value: Any) -> None:
        for text in (repr(value), str(value), f"{value}", f"{[value]}"):
            assert text.strip("[]") == f"{type(value).__name__}(shape=(1,), scale=4, bits=64)"

    def test_it_cannot_be_changed(self, value: Any) -> None:
        with pytest.raises(AttributeError):
            value.scale = 0
        with pytest.raises(TypeError):
            value[0] = 1


def test_a_mask_makes_a_masked_value() -> None:
    a = mask(3, 5)
    for got, expected in ((share(10, 20) - a, [7, 15]), (share(10, 20) + a, [13, 25])):
        assert type(got) is Masked and got.use is a.use and got.scale == 4 and got.value.tolist() == expected
    assert type(share(1, 1) - a[:]) is Share


def test_a_mask_covers_every_entry() -> None:
    one, two = mask(9), share(1, 2)
    for f in (operator.add, operator.sub):
        with pytest.raises(InternalError, match="mask of its own shape"):
            f(two, one)
        with pytest.raises(InternalError, match="mask of its own shape"):
            f(two.reshape(2, 1), mask(9, 9))
    assert (share(1) - mask(8, 9)).shape == (2,)


def test_a_mask_cannot_be_taken_off_again() -> None:
    a, b = mask(3), mask(4)
    for covered in (share(10) - a, share(10) + a, a, b):
        for f in (operator.add, operator.sub):
            with pytest.raises(InternalError, match="masked already"):
                f(covered, a)
            assert not isinstance(f(covered, share(1)), Mask | Masked)


def test_a_masked_value_is_opened_whole() -> None:
    covered = share(1, 2) - mask(3, 4)
    for cut in (lambda m: m[:1], lambda m: m[0], lambda m: m.reshape(2, 1), lambda m: m.T):
        with pytest.raises(InternalError, match="opened whole"):
            cut(covered)


def test_parts_and_products_of_a_mask_are_plain_shares() -> None:
    a, k = mask(3, 4), public(5, 6)
    for part in (
        a[:1],
        a[[1, 0]],
        a.T,
        a.reshape(2, 1),
        k * a,
        a * k,
        a @ k,
        k @ a,
        a.sum(),
        a.shifted(3),
        a + share(1, 1),
    ):
        assert type(part) is Share


def test_products_and_sums_of_a_masked_value_are_plain_shares() -> None:
    covered, k = share(1, 2) - mask(3, 4), public(5, 6)
    for part in (covered * k, k * covered, covered @ k, covered + share(1, 1), share(1, 1) - covered, covered.sum()):
        assert type(part) is Share


@pytest.mark.parametrize("value", [share(8), public(8), mask(8), share(8) - mask(1)])
def test_at_scale_keeps_what_a_value_is(value: Any) -> None:
    other = value.at_scale(9)
    assert type(other) is type(value)
    assert other.scale == 9 and other.ring == value.ring and other.value is value.value
    if isinstance(value, Mask | Masked):
        assert other.use is value.use


@pytest.mark.parametrize("ring", [Z64, Z32, wide(128)])
@pytest.mark.parametrize("bits", [0, 1, 31, 32, 63, 64])
def test_shifted_is_times_a_power_of_two(ring: Ring, bits: int) -> None:
    x = Share(elements(ring, (6,), 4), 6, ring)
    assert ints(x.shifted(bits).value).tolist() == [v * 2**bits % 2**ring.bits for v in ints(x.value)]
    assert x.shifted(bits).scale == 6


@pytest.mark.parametrize("kind", [Share, Public])
def test_rows_are_those_that_indexing_gives(kind: type[Share] | type[Public]) -> None:
    value, index = elements(Z64, (9, 4), 3), np.array([7, 0, 7, 3], dtype=np.int64)
    got = kind(value, 5).rows(index)
    assert isinstance(got, kind) and got.scale == 5
    np.testing.assert_array_equal(got.value, value[index])
    assert kind(abstract((9, 4)), 5).rows(index).shape == (4, 4)
    with pytest.raises(InternalError):
        Masked(value, 5, Z64).rows(index)
    with pytest.raises(InternalError):
        Masked(abstract((9, 4)), 5, Z64).rows(index)


@each_ring
def test_concatenate_is_numpys_in_the_same_ring(ring: Ring) -> None:
    joined = concatenate([share(1, 2, ring=ring), share(3, ring=ring)])
    assert (type(joined), joined.scale, joined.ring) == (Share, 4, ring)
    np.testing.assert_array_equal(joined.value, share(1, 2, 3, ring=ring).value)
    assert concatenate([share(1, ring=ring).reshape(1, 1)] * 2, axis=1).shape == (1, 2)


def test_concatenate_refuses_other_scales_and_masked_values() -> None:
    masked = share(1) - Mask(np.array([5], dtype=np.uint64), 4)
    for other, said in (
        (share(1, scale=5), "differ in scale"),
        (masked, "before they are masked"),
        (public(1), "public"),
    ):
        with pytest.raises(InternalError, match=said):
            concatenate([share(1), other])  # type: ignore[list-item]
    mask = Mask(np.array([5], dtype=np.uint64), 4)
    assert type(concatenate([mask, mask])) is Share  # as a slice of a mask, it covers nothing


@pytest.mark.parametrize("function", [np.stack, np.concatenate, np.sum, np.asarray])
def test_numpys_functions_take_no_shares(function: Callable[..., Any]) -> None:
    """They would make an array of objects, and fail far from the line that called them."""
    with pytest.raises(InternalError, match="is no numpy array"):
        function([share(1), share(2)])
