"""Reals to ring elements and back: nearest, within the bounds, and refused outside."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError
from mpc.ring.abstract_array import abstract, is_abstract
from mpc.ring.fixed_point import decode, encode
from mpc.ring.rings import Z32, Z64, Ring, wide
from tests.examples import steady

WIDE = wide(256)
reals = st.floats(allow_nan=False, allow_infinity=False)


@steady(100)
@given(st.lists(st.floats(-1e6, 1e6), max_size=6), st.integers(0, 40))
def test_there_and_back_within_half_a_unit(xs: list[float], scale: int) -> None:
    x = np.array(xs, dtype=np.float64)
    for ring in (Z64, WIDE):
        elements = encode(x, scale, ring)
        assert elements.dtype == ring.dtype and elements.shape == x.shape
        back = decode(elements, scale, ring)
        for before, after in zip(xs, back, strict=True):
            assert abs(Fraction(before) - Fraction(float(after))) <= Fraction(1, 2 << scale)


@steady(100)
@given(st.integers(-(2**62) + 1, 2**62 - 1), st.integers(0, 63))
def test_what_a_double_holds_comes_back_exactly(number: int, scale: int) -> None:
    x = np.array([np.ldexp(float(number), -scale)])
    if abs(float(number)) < 2.0**62:
        assert encode(x, scale).view(np.int64)[0] == int(float(number))
        assert decode(encode(x, scale), scale)[0] == x[0]


@steady(100)
@given(st.integers(0, 2**64 - 1), st.integers(0, 80))
def test_decode_is_the_nearest_double(word: int, scale: int) -> None:
    signed = word - 2**64 if word >= 2**63 else word
    expected = float(Fraction(signed, 1 << scale))
    assert decode(np.array([word], dtype=np.uint64), scale)[0] == expected
    assert decode(np.array([signed % 2**256], dtype=object), scale, WIDE)[0] == expected


@steady(100)
@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=8))
def test_a_wide_ring_adds_reals_exactly(xs: list[float]) -> None:
    scale = 100
    total = sum(int(v) for v in encode(np.array(xs), scale, WIDE)) % 2**256
    expected = sum(round(Fraction(x) * (1 << scale)) for x in xs)
    assert total == expected % 2**256


@pytest.mark.parametrize("ring, scale", [(Z64, 0), (Z64, 20), (Z64, 62), (Z32, 10), (WIDE, 100), (wide(128), 0)])
def test_a_quarter_of_the_ring_is_the_bound(ring: Ring, scale: int) -> None:
    bound = 2.0 ** (ring.bits - 2 - scale)
    for sign in (1.0, -1.0):
        below = np.nextafter(bound, 0.0) if ring != Z32 else bound - 2.0**-scale
        assert decode(encode(np.array([sign * below]), scale, ring), scale, ring)[0] == sign * below
        for beyond in (bound, 2 * bound, 4 * bound, 1e300):
            with pytest.raises(
                ProtocolError, match=f"the rate is too large for {scale} fractional bits in {ring.bits}"
            ):
                encode(np.array([0.0, sign * beyond]), scale, ring, what="the rate")


def test_a_value_that_rounds_up_to_the_bound_is_refused() -> None:
    with pytest.raises(ProtocolError, match="too large"):
        encode(np.array([2.0**30 - 2.0**-10]), 0, Z32)
    assert encode(np.array([2.0**30 - 1]), 0, Z32)[0] == 2**30 - 1


@pytest.mark.parametrize("ring", [Z64, WIDE])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_refused(ring: Ring, bad: float) -> None:
    with pytest.raises(ProtocolError, match="column age is not a finite number"):
        encode(np.array([[1.0, bad]]), 10, ring, what="column age")


def test_an_error_never_shows_the_value() -> None:
    for x in (7.0625e17, np.nan):
        with pytest.raises(ProtocolError) as caught:
            encode(np.array([x]), 20)
        assert "7.0625" not in str(caught.value) and caught.value.hint


@pytest.mark.parametrize("ring", [Z64, Z32, WIDE])
def test_shapes_are_kept_and_nothing_is_fine(ring: Ring) -> None:
    for shape in ((0,), (0, 3), (2, 0), (2, 3), (1, 1, 2)):
        x = np.zeros(shape)
        assert encode(x, 5, ring).shape == shape
        assert decode(encode(x, 5, ring), 5, ring).shape == shape


@pytest.mark.parametrize("ring", [Z64, Z32, WIDE])
@pytest.mark.parametrize("shape", [(9,), (5, 9), (2, 3, 4)])
def test_the_same_in_pieces_as_at_once(ring: Ring, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(5).normal(0, 100, shape)
    at_once = encode(x, 12, ring)
    monkeypatch.setattr("mpc.ring.slices.PIECE", 4)
    for same in (x, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        np.testing.assert_array_equal(encode(same, 12, ring), at_once)
    for bad, why in ((np.inf, "not a finite"), (2.0**252, "too large")):
        y = x.copy()
        y[-1] = bad
        with pytest.raises(ProtocolError, match=f"the rate is {why}"):
            encode(y, 12, ring, what="the rate")


def test_halves_round_to_even_everywhere() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5])
    assert decode(encode(x, 0), 0).tolist() == [0, 2, 2, 0, -2]
    assert decode(encode(x, 0, WIDE), 0, WIDE).tolist() == [0, 2, 2, 0, -2]


def test_abstract_arrays_pass_through() -> None:
    assert is_abstract(encode(abstract((2,)), 5)) and is_abstract(decode(abstract((2,)), 5))


@steady(100)
@given(reals)
def test_every_real_is_encoded_right_or_refused(x: float) -> None:
    exact = round(Fraction(x) * 2**30)
    if abs(exact) < 2**62:
        assert int(encode(np.array([x]), 30).view(np.int64)[0]) == exact
    else:
        with pytest.raises(ProtocolError):
            encode(np.array([x]), 30)
