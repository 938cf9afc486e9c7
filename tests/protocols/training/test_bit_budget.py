"""How the ring's bits are spent: everything fits, or the setting to change is named."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpc.errors import UsageError
from protocols.functions.sigmoid import TRIG_SCALE
from protocols.functions.sigmoid_fits import FITS, SigmoidFit
from protocols.rows.limits import X_LIMIT, X_SCALE
from protocols.training.bit_budget import CUT, LOW_SHIFT, WEIGHT_LIMIT, bit_budget
from tests.examples import steady


@steady(200)
@given(st.sampled_from(FITS), st.floats(0, 50), st.integers(1, 10_000), st.integers(2, 200))
@example(FITS[0], 5e-324, 4, 2)  # so small that a batch's share of it is zero
def test_everything_fits(fit: SigmoidFit, rate: float, batch: int, columns: int) -> None:
    bits = bit_budget(fit, rate, batch, columns)
    assert bits.x == X_SCALE
    assert 2.0 ** (64 - bits.x - bits.w) == fit.period
    assert bits.x + bits.e == bits.w
    # What is cut, and may be cut: see truncation and held.
    assert 1 <= bits.e_shift <= CUT
    assert bits.e_shift == bits.waves + bits.coefficients - bits.e
    assert bits.w_shift == LOW_SHIFT
    # The errors before they are cut, their products, the weights after a step, and the scores that are checked.
    largest_error = (fit.bound + 1) * rate / batch
    assert largest_error * 2.0 ** (bits.waves + bits.coefficients) < 2.0**62
    assert (WEIGHT_LIMIT + (fit.bound + 0.5) * rate * X_LIMIT) * 2.0**bits.w < 2.0**62
    low = bits.x + bits.w - LOW_SHIFT
    assert columns * X_LIMIT * WEIGHT_LIMIT * 2.0**low < 2.0**62
    # Small batches have larger errors, whose coefficients then get fewer bits, never too few.
    assert bits.coefficients >= 20 and 12 <= bits.waves <= TRIG_SCALE
    assert math.isfinite(bits.coefficients)


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: f"period{fit.period}")
def test_a_large_rate_is_refused_by_name(fit: SigmoidFit) -> None:
    with pytest.raises(UsageError, match="learning_rate 100000 ") as caught:
        bit_budget(fit, 1e5, 128, 31)
    assert "learning_rate" in caught.value.hint


def test_a_large_rate_on_a_small_batch_is_refused_by_name() -> None:
    bit_budget(FITS[0], 100.0, 100, 3)
    with pytest.raises(UsageError, match="learning_rate"):
        bit_budget(FITS[0], 20_000.0, 1, 3)


def test_a_penalty_beyond_the_ring_is_refused_by_name() -> None:
    assert bit_budget(FITS[3], 0.5, 16, 2, 1.0) == bit_budget(FITS[3], 0.5, 16, 2)
    with pytest.raises(UsageError, match="learning_rate 100 with l2 50 ") as caught:
        bit_budget(FITS[3], 100.0, 16, 2, 50.0)
    assert "l2" in caught.value.hint


def test_too_many_columns_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match="5000 columns") as caught:
        bit_budget(FITS[0], 0.5, 128, 5000)
    assert "features" in caught.value.hint
