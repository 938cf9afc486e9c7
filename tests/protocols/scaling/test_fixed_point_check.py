"""Columns that fixed point cannot hold are refused by name; all others pass."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.errors import DataError
from protocols.rows.limits import X_LIMIT
from protocols.scaling.fixed_point_check import check_fit

NAMES = ("age", "dose", "stay")


def columns(*scales: float) -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (40, 3)) * np.array(scales)


@pytest.mark.parametrize("standardised", [False, True])
def test_columns_of_usual_size_pass(standardised: bool) -> None:
    assert check_fit(columns(1.0, 50.0, 0.1), NAMES, "a", standardised=standardised)
    assert check_fit(np.full((3, 3), -X_LIMIT), NAMES, "a", standardised=standardised)
    assert check_fit(np.zeros((0, 3)), NAMES, "a", standardised=standardised), "an owner without rows"
    assert check_fit(np.zeros((4, 3)), NAMES, "a", standardised=standardised), "zeros are no small values"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("standardised", [False, True])
def test_one_value_that_is_too_large_is_enough(standardised: bool, sign: int) -> None:
    x = columns(1.0, 1.0, 1.0)
    x[7, 1] = sign * (X_LIMIT + 1)
    with pytest.raises(DataError, match="a: column dose has values beyond") as caught:
        check_fit(x, NAMES, "a", standardised=standardised)
    assert caught.value.party == "a"


def test_small_values_are_refused_unless_they_were_standardised() -> None:
    x = columns(1.0, 1.0, 1e-4)
    with pytest.raises(DataError, match="a: column stay has values too small"):
        check_fit(x, NAMES, "a", standardised=False)
    assert check_fit(x, NAMES, "a", standardised=True)
