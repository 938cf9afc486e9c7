"""The fits that rise: everywhere, not only on a grid; and as close to the sigmoid as they say."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.functions.rising_fits import RISING_FITS, RisingFit
from protocols.functions.sigmoid_fits import FITS, SigmoidFit
from protocols.plain.maximum_likelihood import sigmoid
from protocols.plain.perturbed import rising_sigmoid

every_fit = pytest.mark.parametrize("rising", RISING_FITS, ids=lambda one: f"period{one.fit.period}")
STEPS = 40_000


def slopes(fit: SigmoidFit) -> tuple[float, float]:
    """Bounds of the derivative on [0, reach]: it is within h^2 / 8 max |s'''| of a line between points h apart."""
    z = np.linspace(0, fit.reach, STEPS + 1)
    found = np.concatenate([rising_sigmoid(part, fit)[1] for part in np.array_split(z, 100)])
    steps = (2 * np.arange(len(fit.coefficients)) + 1) * (2 * np.pi / fit.period)
    between = (fit.reach / STEPS) ** 2 / 8 * float(np.abs(np.array(fit.coefficients) * steps**3).sum())
    return float(found.min()) - between, float(found.max()) + between


@every_fit
def test_each_rises_on_its_whole_range(rising: RisingFit) -> None:
    low, high = slopes(rising.fit)
    assert low > 0
    assert high <= rising.slope + 1e-5
    assert rising.slope < 0.25


def test_the_closer_fits_do_not_rise() -> None:
    assert all(slopes(fit)[0] < -1e-6 for fit in FITS)


@every_fit
def test_each_is_as_close_as_it_says(rising: RisingFit) -> None:
    fit = rising.fit
    z = np.linspace(0, fit.period / 4, 20_001)
    s, _ = rising_sigmoid(z, fit)
    assert np.abs(s - sigmoid(z))[z <= fit.reach].max() <= fit.error < 3e-3
    assert np.abs(s - 0.5).max() <= fit.bound
