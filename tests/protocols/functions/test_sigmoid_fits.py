"""The sigmoid's Fourier fits: as close as they say, on all of their range, and as close as can be."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mpc.errors import UsageError
from protocols.functions.sigmoid_fits import FITS, SigmoidFit, fit_for
from tests.protocols.functions.approximation import approximate

every_fit = pytest.mark.parametrize("fit", FITS, ids=lambda fit: f"period{fit.period}")


def centred(z: np.ndarray) -> np.ndarray:
    return 0.5 * np.tanh(z / 2)


def on_grid(fit: SigmoidFit, z: np.ndarray) -> np.ndarray:
    """The fit less 1/2, in pieces that stay in the cache."""
    return np.concatenate([approximate(fit, piece) for piece in np.array_split(z, 200)]) - 0.5


def test_the_table_is_in_order_and_of_the_expected_sizes() -> None:
    assert [(fit.period, len(fit.coefficients)) for fit in FITS] == [
        (64, 16),
        (128, 32),
        (256, 64),
        (512, 128),
    ]
    assert [fit.reach for fit in FITS] == [21.0, 53.0, 117.0, 245.0]
    assert all(fit.error < 2.2e-5 for fit in FITS)


@every_fit
def test_the_error_is_the_stated_one_on_a_million_points(fit: SigmoidFit) -> None:
    z = np.linspace(-fit.reach, fit.reach, 1_000_000)
    worst = float(np.abs(on_grid(fit, z) - centred(z)).max())
    assert 0.99 * fit.error < worst <= fit.error


@every_fit
def test_the_bound_holds_over_the_whole_period(fit: SigmoidFit) -> None:
    worst = float(np.abs(on_grid(fit, np.linspace(-fit.period / 2, fit.period / 2, 1_000_000))).max())
    assert fit.bound - 3e-6 < worst <= fit.bound
    assert fit.bound < 0.50003


@every_fit
def test_no_other_fit_of_as_many_harmonics_is_closer(fit: SigmoidFit) -> None:
    # The harmonics are a Chebyshev system on (0, period/4]: where the error reaches a height with alternating
    # signs at one point more than there are harmonics, every other fit errs by that height at one of them.
    z = np.linspace(0, fit.period / 4, 100_001)[1:]
    mirrored = fit.period / 2 - z
    low = centred(z)
    high = np.where(mirrored <= fit.reach, centred(mirrored), low)
    value = on_grid(fit, z)
    height = 0.97 * fit.error
    signs = np.where(value - low >= height, 1, np.where(high - value >= height, -1, 0))
    signs = signs[signs != 0]
    assert 1 + np.count_nonzero(np.diff(signs)) >= len(fit.coefficients) + 1


def test_the_cheapest_fit_that_reaches_is_chosen() -> None:
    chosen = {reach: fit_for(reach).period for reach in (0.5, 21.0, 21.1, 48.0, 53.0, 53.5, 112.0, 200.0, 245.0)}
    assert chosen == {
        0.5: 64,
        21.0: 64,
        21.1: 128,
        48.0: 128,
        53.0: 128,
        53.5: 256,
        112.0: 256,
        200.0: 512,
        245.0: 512,
    }


@pytest.mark.parametrize("reach", [245.01, 1e9, math.inf, math.nan, 0.0, -3.0])
def test_a_reach_that_no_fit_has_is_refused(reach: float) -> None:
    with pytest.raises(UsageError, match="sigmoid_range") as caught:
        fit_for(reach)
    assert caught.value.hint
