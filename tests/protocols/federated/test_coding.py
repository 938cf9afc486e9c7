"""Sums of coded vectors are exact to the stated bound; what no honest client can send is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError, InternalError, ProtocolError, UsageError
from protocols.federated.coding import Layout, Part, clip, mean_update, refuse_large, scale_for
from tests.examples import steady

EXPONENTS = st.integers(-12, 48)
CLIENTS = st.integers(1, 6)


@st.composite
def sums(draw: st.DrawFn) -> tuple[Layout, list[dict[str, np.ndarray]]]:
    """A layout of one to three parts, and some clients' values for it; some of them are out of range."""
    clients, parts = draw(CLIENTS), []
    for k in range(draw(st.integers(1, 3))):
        low, width = draw(st.floats(-1e3, 1e3)), draw(st.floats(1e-2, 1e3))
        parts.append(Part(f"part {k}", draw(st.integers(1, 3)), low, low + width, 2.0 ** draw(EXPONENTS)))
    layout = Layout(tuple(parts), draw(st.integers(clients, 9)))
    inside = st.floats(-0.1, 1.1)
    values = [
        {p.name: np.array([p.low + (p.high - p.low) * draw(inside) for _ in range(p.length)]) for p in parts}
        for _ in range(clients)
    ]
    return layout, values


def summed(layout: Layout, values: list[dict[str, np.ndarray]]) -> np.ndarray:
    mask = np.uint64((1 << layout.bits) - 1)
    total = np.zeros(layout.length, dtype=np.uint64)
    for one in values:
        total += layout.encode(one)[0].astype(np.uint64)
    return total & mask


@given(sums())
@steady(300)
def test_a_sum_is_exact_to_its_bound(case: tuple[Layout, list[dict[str, np.ndarray]]]) -> None:
    layout, values = case
    decoded = layout.decode(summed(layout, values), len(values))
    for part in layout.parts:
        bound = Fraction(layout.bound(part.name, len(values)))
        for k in range(part.length):
            inside = [Fraction(float(np.clip(one[part.name][k], part.low, part.high))) for one in values]
            assert abs(Fraction(float(decoded[part.name][k])) - sum(inside)) <= bound


@given(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=6), st.integers(-10, 30))
@steady(100)
def test_values_on_the_grid_are_summed_to_the_bit(numbers: list[int], exponent: int) -> None:
    scale = 2.0**exponent
    layout = Layout((Part("update", 1, -(2**20) / scale, 2**20 / scale, scale), Part("rows", 1, 0, 9)), len(numbers))
    values = [{"update": np.array([n / scale]), "rows": np.array([3])} for n in numbers]
    decoded = layout.decode(summed(layout, values), len(values))
    assert decoded["update"][0] == sum(numbers) / scale and decoded["rows"][0] == 3 * len(numbers)


def test_a_sum_of_the_full_64_bits_is_decoded() -> None:
    layout = Layout((Part("large", 2, 0, 2.0**62),), 3)
    assert layout.bits == 64
    values = [{"large": np.array([2.0**62, 0.0])}] * 3
    assert layout.decode(summed(layout, values), 3)["large"].tolist() == [3 * 2.0**62, 0.0]


def test_the_widest_part_sets_the_modulus_of_all() -> None:
    narrow, wide = Part("narrow", 2, 0, 1), Part("wide", 1, -8, 8, 2.0**10)
    assert Layout((narrow,), 5).bits == 3
    both = Layout((narrow, wide), 5)
    assert both.bits == Layout((wide,), 5).bits == 17 and both.length == 3


def test_clipped_values_are_counted() -> None:
    layout = Layout((Part("update", 4, -1, 1, 16.0),), 1)
    words, clipped = layout.encode({"update": np.array([2.0, 1.0, -1.0, -1.0000001])})
    assert clipped == 2
    assert layout.decode(words, 1)["update"].tolist() == [1, 1, -1, -1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_no_vector_of_infinite_numbers_is_made(bad: float) -> None:
    layout = Layout((Part("rows", 1, 0, 9), Part("update", 3, -1, 1, 16.0)), 2)
    with pytest.raises(DataError, match="number 1 of update is infinite or not a number"):
        layout.encode({"rows": np.array([1]), "update": np.array([0.123456, bad, 0.5])})
    with pytest.raises(DataError, match="number 2 of the update"):
        clip(np.array([0.123456, 0.5, bad]), 1.0)


def test_1e30_is_clipped_to_the_range() -> None:
    layout = Layout((Part("update", 1, -1, 1, 16.0),), 2)
    words, clipped = layout.encode({"update": np.array([1e30])})
    assert clipped == 1 and layout.decode(words, 1)["update"][0] == 1


def test_a_sum_that_no_honest_clients_have_is_refused() -> None:
    """Of a part narrower than the modulus, a liar's number shows in the sum where it leaves the range."""
    layout = Layout((Part("rows", 1, 0, 10), Part("update", 1, -1, 1, 2.0**20)), 4)
    honest = layout.encode({"rows": np.array([10]), "update": np.array([1.0])})[0].astype(np.uint64)
    assert layout.decode(2 * honest, 2)["rows"][0] == 20
    for lie in (1, -21, 64):
        with pytest.raises(ProtocolError, match="the sum of rows is none that 2 clients"):
            layout.decode((2 * honest + np.array([lie, 0]).astype(np.uint64)) & np.uint64(2**layout.bits - 1), 2)


def test_a_sum_over_too_many_clients_is_refused() -> None:
    with pytest.raises(InternalError):
        Layout((Part("rows", 1, 0, 10),), 4).decode(np.zeros(1, dtype=np.uint32), 5)


def test_a_part_that_takes_more_than_64_bits_is_refused() -> None:
    with pytest.raises(UsageError, match="1000 clients' update takes 65 bits"):
        Layout((Part("update", 1, -1, 1, 2.0**54),), 1000)
    assert Layout((Part("update", 1, -1, 1, 2.0**53),), 1000).bits == 64


def test_a_range_beyond_64_bits_is_refused() -> None:
    """Though it is narrow: the numbers themselves would not fit a machine word."""
    with pytest.raises(UsageError, match="of 64"):
        Layout((Part("far", 1, 2.0**63, 2.0**63 + 2.0**20),), 1)


@pytest.mark.parametrize("scale", [3.0, 0.0, -2.0, np.nan])
def test_a_scale_is_a_power_of_two(scale: float) -> None:
    with pytest.raises(InternalError, match="scale"):
        Part("update", 1, -1, 1, scale)


@given(
    st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=5),
    st.floats(1e-3, 1e3),
)
@steady(200)
def test_a_clipped_update_keeps_its_direction(numbers: list[float], norm: float) -> None:
    update = np.array(numbers)
    found, was = clip(update, norm)
    exact = sum(Fraction(x) ** 2 for x in numbers)
    assert was == (exact > Fraction(norm) ** 2) or abs(float(exact) / norm**2 - 1) < 1e-12
    assert np.max(np.abs(found)) <= norm or not was
    if was:
        assert np.linalg.norm(found) == pytest.approx(norm, rel=1e-12)
        assert np.allclose(found / np.max(np.abs(found)), update / np.max(np.abs(update)), atol=1e-12)
    else:
        assert found is update


@given(st.floats(1e-9, 0.5), st.floats(1e-3, 1e3), st.floats(0.01, 1.0), st.integers(1, 1000))
@steady(200)
def test_the_coarsest_scale_that_is_precise(precision: float, norm: float, least: float, cohort: int) -> None:
    scale = scale_for(precision, norm, cohort, least)
    layout = Layout((Part("update", 1, -norm, norm, scale),), cohort)
    error = layout.bound("update", cohort) / (least * cohort)
    assert error <= precision * norm * (1 + 1e-12) < 2 * error * (1 + 1e-11)


def test_a_precision_beyond_64_bits_is_refused() -> None:
    with pytest.raises(UsageError, match="take 71 bits in a sum of 1000 clients, of 64; raise precision to"):
        scale_for(2.0**-61, 1.0, 1000)
    assert scale_for(2.0**-54, 1.0, 1000) == 2.0**53


def test_a_mean_longer_than_the_clipping_norm_is_refused() -> None:
    """Honest clients' weighted mean is at most `clip` long; the rounding of each coordinate is allowed for."""
    norm, bound = 2.0, 1e-3
    edge = np.array([2.0, 0.0, 0.0, 0.0])
    refuse_large(edge, norm, 0.0)
    refuse_large(edge + bound * np.array([1, -1, 1, -1]), norm, bound)
    with pytest.raises(ProtocolError, match="longer than the norm"):
        refuse_large(edge + 2.1 * bound * np.array([1, 0, 0, 0]), norm, bound)
    for large in (edge * (1 + 1e-6), np.full(4, 1.01), np.array([1e200, 1e200, 0, 0]), np.array([np.nan, 0, 0, 0])):
        with pytest.raises(ProtocolError, match="longer than the norm"):
            refuse_large(large, norm, 0.0)


@given(st.integers(1, 8), st.integers(1, 30), st.integers(0, 2**32), st.floats(0.1, 10))
@steady(60)
def test_honest_clients_mean_is_never_refused(clients: int, size: int, seed: int, norm: float) -> None:
    """All of them at the clipping norm, and alike, so that the mean is as long as can be."""
    draw = np.random.default_rng(seed)
    update = clip(draw.normal(size=size) * 100, norm)[0]
    rows = draw.integers(1, 11, clients)
    scale = scale_for(1e-3, norm, clients, 0.1)
    layout = Layout((Part("update", size, -norm, norm, scale), Part("rows", 1, 0, 10)), clients)
    total = summed(layout, [{"update": update * (r / 10), "rows": np.array([r])} for r in rows])
    sums = layout.decode(total, clients)
    mean, error = mean_update(sums["update"], sums["rows"][0] / 10, norm, layout.bound("update", clients))
    assert np.max(np.abs(mean - update)) <= error + 1e-12 * norm
    assert error <= 1e-3 * norm


def test_a_liars_update_longer_than_the_norm_is_refused() -> None:
    """Each of its coordinates is in range, so that nothing but the mean's length tells."""
    size, norm = 100, 1.0
    layout = Layout((Part("update", size, -norm, norm, 2.0**20), Part("rows", 1, 0, 10)), 10)
    honest = {"update": np.zeros(size), "rows": np.array([1])}
    total = summed(layout, [honest] * 9 + [{"update": np.full(size, norm), "rows": np.array([0])}])
    sums = layout.decode(total, 10)
    with pytest.raises(ProtocolError, match="longer than the norm"):
        mean_update(sums["update"], sums["rows"][0] / 10, norm, layout.bound("update", 10))


def test_a_mean_of_no_rows_is_refused() -> None:
    with pytest.raises(ProtocolError, match="add up to 0"):
        mean_update(np.zeros(3), 0.0, 1.0, 0.0)
