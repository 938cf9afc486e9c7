"""Ring arithmetic against Python's integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError
from mpc.ring.abstract_array import AbstractArray, abstract
from mpc.ring.rings import B8, B16, B32, B64, Z32, Z64, Ring, matmul, wide
from tests.examples import steady
from tests.mpc.kit import EDGES, RINGS, elements, ints, word_arrays

each_ring = pytest.mark.parametrize("ring", RINGS, ids=lambda ring: f"{'B' if ring.xor else 'Z'}{ring.bits}")


def product(a: np.ndarray, b: np.ndarray, bits: int = 64) -> np.ndarray:
    """a @ b in Python's integers, modulo 2^bits."""
    left, right = np.atleast_2d(ints(a)), ints(b)
    right = right.reshape(-1, 1) if right.ndim == 1 else right
    rows = [[sum(x * y for x, y in zip(row, column, strict=True)) % 2**bits for column in right.T] for row in left]
    return np.array(rows, dtype=f"<u{bits // 8}").reshape(a.shape[:-1] + b.shape[1:] or (1,))


@steady(12)
@given(st.integers(1, 8), st.integers(1, 1100), st.integers(1, 8), st.integers(0, 2**32))
def test_matmul_of_any_shape(m: int, k: int, n: int, seed: int) -> None:
    a, b = elements(Z64, (m, k), seed), elements(Z64, (k, n), seed + 1)
    np.testing.assert_array_equal(matmul(a, b), product(a, b))


@pytest.mark.parametrize("inner", [1, 169, 170, 171, 340, 341, 511, 512, 513, 1025])
def test_matmul_is_exact_where_the_float_sums_are_largest(inner: int) -> None:
    lowest = -(2**21) * (1 + 2**22 + 2**44) % 2**64  # every limb is the most negative there is
    for word in (2**64 - 1, 2**63, 2**44 - 1, 0x3FFFFF3FFFFF3FFFFF & (2**64 - 1), lowest, 2**64 - lowest):
        for other in (2**64 - 1, lowest):
            a, b = np.full((5, inner), word, dtype=np.uint64), np.full((inner, 4), other, dtype=np.uint64)
            expected = np.full((5, 4), word * other * inner % 2**64, dtype=np.uint64)
            np.testing.assert_array_equal(matmul(a, b), expected)
            np.testing.assert_array_equal(matmul(b.T, a.T), expected.T)


@pytest.mark.parametrize("inner", [512, 513, 600, 1024, 1025])
def test_matmul_is_exact_where_large_float_sums_are_odd(inner: int) -> None:
    """Limbs close to the most negative one: 512 products of two limbs' sums stay below 2^53, 1,024 are rounded."""
    draw = np.random.default_rng(inner)

    def limbs(shape: tuple[int, ...]) -> np.ndarray:
        low, middle = (draw.integers(-(2**21), -(2**21) + 2**10, shape).astype(np.uint64) for _ in range(2))
        return low + (middle << np.uint64(22))

    a, b = limbs((4, inner)), limbs((inner, 30))
    np.testing.assert_array_equal(matmul(a, b), product(a, b))


@pytest.mark.parametrize("inner", [6, 200, 530])
def test_matmul_of_any_layout_and_leaves_its_arguments_alone(inner: int) -> None:
    big_a, big_b = elements(Z64, (12, 3 * inner), 1), elements(Z64, (2 * inner, 15), 2)
    lefts = [
        big_a[:6, :inner],
        np.asfortranarray(big_a[:6, :inner]),
        big_a[::2, ::3],
        big_a[::-2, inner - 1 :: -1],
        elements(Z64, (inner, 6), 3).T,
    ]
    rights = [
        big_b[:inner, :5],
        np.asfortranarray(big_b[:inner, :5]),
        big_b[::2, ::3],
        big_b[inner - 1 :: -1, 4::-1],
        elements(Z64, (5, inner), 4).T,
    ]
    before = big_a.copy(), big_b.copy()
    for a in lefts:
        for b in rights:
            np.testing.assert_array_equal(matmul(a, b), matmul(a.copy("C"), b.copy("C")))
        np.testing.assert_array_equal(matmul(a, rights[0]), product(a, rights[0]))
    np.testing.assert_array_equal(big_a, before[0])
    np.testing.assert_array_equal(big_b, before[1])


@pytest.mark.parametrize("ring", [Z64, Z32])
@pytest.mark.parametrize(
    "left, right",
    [
        *[((5,), (5,)), ((4, 5), (5,)), ((5,), (5, 4)), ((1, 5), (5, 9)), ((9, 5), (5, 1)), ((6, 5), (5, 6))],
        *[((90, 70), (70,)), ((2, 4000), (4000,))],  # large, for a vector
    ],
)
def test_matmul_of_vectors_and_of_small_words(ring: Ring, left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = elements(ring, left, 5), elements(ring, right, 6)
    out = matmul(a, b)
    assert out.dtype == ring.dtype
    np.testing.assert_array_equal(out, product(a, b, ring.bits))
    assert matmul(abstract(left), abstract(right)).shape == out.shape
    assert matmul(a, abstract(right)).shape == matmul(abstract(left), b).shape == out.shape


def test_matmul_of_nothing_is_zero() -> None:
    out = matmul(Z64.zeros((5, 0)), Z64.zeros((0, 6)))
    np.testing.assert_array_equal(out, np.zeros((5, 6), dtype=np.uint64))
    assert matmul(Z64.zeros((0, 4)), Z64.zeros((4, 6))).shape == (0, 6)


@each_ring
@steady(30)
@given(data=st.data())
def test_elementwise(ring: Ring, data: st.DataObject) -> None:
    a, b = data.draw(word_arrays((3, 2), ring)), data.draw(word_arrays((3, 2), ring))
    top = (1 << ring.bits) - 1
    pairs = list(zip(ints(a).ravel(), ints(b).ravel(), strict=True))
    for got, expected in (
        (ring.add(a, b), [x ^ y if ring.xor else (x + y) & top for x, y in pairs]),
        (ring.sub(a, b), [x ^ y if ring.xor else (x - y) & top for x, y in pairs]),
        (ring.mul(a, b), [x & y if ring.xor else (x * y) & top for x, y in pairs]),
    ):
        assert got.dtype == ring.dtype and got.shape == (3, 2)
        assert ints(got).ravel().tolist() == expected


@each_ring
def test_sums(ring: Ring) -> None:
    a = elements(ring, (7, 4), 8)
    top = (1 << ring.bits) - 1
    for axis in (0, 1, -1):
        lines = ints(a) if axis else ints(a).T
        expected = [int(np.bitwise_xor.reduce(line)) if ring.xor else sum(line) & top for line in lines]
        got = ring.sum(a, axis)
        assert got.dtype == ring.dtype
        assert ints(got).tolist() == expected
    assert ring.sum(abstract((7, 4)), 0).shape == (4,)
    assert int(ring.sum(a[0], 0)) == int(ring.sum(a, 1)[0])


@each_ring
@steady(25)
@given(data=st.data(), shape=st.sampled_from([(0,), (1,), (3,), (2, 3), (0, 3), (2, 1, 2)]))
def test_bytes_there_and_back(ring: Ring, data: st.DataObject, shape: tuple[int, ...]) -> None:
    a = data.draw(word_arrays(shape, ring))
    sent = bytes(ring.to_bytes(a))
    assert sent == b"".join(int(x).to_bytes(ring.word_bytes, "little") for x in a.ravel())
    back = ring.from_bytes(memoryview(sent), shape)
    assert back.dtype == ring.dtype and back.shape == shape
    assert ints(back).tolist() == ints(a).tolist()
    assert bytes(np.ascontiguousarray(ring.words(a)).tobytes()) == sent


@each_ring
def test_bytes_are_in_c_order(ring: Ring) -> None:
    a = elements(ring, (4, 6), 9)
    for view in (np.asfortranarray(a), a.T, a[::2, ::3], a[::-1]):
        assert bytes(ring.to_bytes(view)) == b"".join(int(x).to_bytes(ring.word_bytes, "little") for x in view.ravel())


@each_ring
def test_bytes_of_another_length_are_refused(ring: Ring) -> None:
    w = ring.word_bytes
    for wrong in (bytes(3 * w - 1), bytes(3 * w + 1), bytes(2 * w), bytes(4 * w), b""):
        with pytest.raises(ValueError):
            ring.from_bytes(wrong, (3,))


@pytest.mark.parametrize("ring", [Z64, Z32, wide(128), wide(256)])
@steady(30)
@given(data=st.data())
def test_centred(ring: Ring, data: st.DataObject) -> None:
    a = data.draw(word_arrays((5,), ring))
    half = 1 << (ring.bits - 1)
    expected = [int(x) - (1 << ring.bits) if int(x) >= half else int(x) for x in a]
    assert ints(ring.centred(a)).tolist() == expected
    strided = np.repeat(a, 2)[::2]
    assert ints(ring.centred(strided)).tolist() == expected


@each_ring
def test_reduce(ring: Ring) -> None:
    numbers = [0, 1, -1, 2**300 + 5, -(2**299) - 1, *EDGES]
    got = ring.reduce(np.array(numbers, dtype=object))
    assert got.dtype == ring.dtype
    assert ints(got).tolist() == [x % (1 << ring.bits) for x in numbers]
    assert ints(ring.reduce(np.array([-3, 4], dtype=np.int64))).tolist() == [-3 % (1 << ring.bits), 4]


def test_zeros_and_words_of_wide_rings_are_exact_integers() -> None:
    assert all(type(x) is int for x in wide(256).zeros((3,)))
    words = wide(256).words(np.array([2**255 + 7], dtype=object))
    assert words.dtype == np.uint8 and words.tobytes() == (2**255 + 7).to_bytes(32, "little")
    same = elements(Z64, (3,), 1)
    assert Z64.words(same) is same


def test_abstract_arrays_pass_through() -> None:
    g = AbstractArray((2, 3))
    for ring in (Z64, wide(256), B64):
        assert ring.reduce(abstract((2, 3))).shape == (2, 3)
        assert ring.add(abstract((2, 3)), abstract((3,))).shape == (2, 3)
        assert ring.mul(abstract((2, 1)), abstract((3,))).shape == (2, 3)
        assert ring.centred(abstract((4,))).shape == (4,)
        assert ring.words(g) is g  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize("bits", [0, 8, 63, 64, 65, 100, 160, -128])
def test_a_wide_ring_is_whole_words_above_one(bits: int) -> None:
    with pytest.raises(InternalError, match="multiple of 64"):
        wide(bits)


def test_rings_are_told_apart() -> None:
    assert len({repr(ring) for ring in RINGS}) == len(set(RINGS)) == len(RINGS)
    assert wide(128) == Ring(128)
    assert [r.word_bytes for r in (B8, B16, B32, B64, Z32, Z64, wide(256))] == [1, 2, 4, 8, 4, 8, 32]
