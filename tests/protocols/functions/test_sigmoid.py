"""The one-round sigmoid: within the fit's error of the exact one, on all of its range.

The kit's four checks of it are in tests/testing; here is what they cannot express: every fit on the whole of its
range and beyond it.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.abstract_array import abstract
from mpc.ring.fixed_point import decode
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.runtime.plan import make_plan
from mpc.sharing.share import Share
from protocols.functions.sigmoid import TRIG_SCALE, _weights, expansion, odd_part, sigmoid
from protocols.functions.sigmoid_fits import FITS, SigmoidFit
from protocols.plain.maximum_likelihood import sigmoid as exact
from tests.examples import steady
from tests.helpers import on_shares
from tests.protocols.functions.approximation import approximate

every_fit = pytest.mark.parametrize("fit", FITS, ids=lambda fit: f"period{fit.period}")


def rounding(fit: SigmoidFit, weight: float, scale: int) -> float:
    """What the helper's rounded waves, the rounded coefficients and the rounded half can add up to."""
    size = sum(abs(c) for c in fit.coefficients)
    return 2 * (weight * size * 2.0 ** -(TRIG_SCALE + 1) + len(fit.coefficients) * 2.0 ** -(scale + 1)) + 2.0**-40


def run(z: np.ndarray, fit: SigmoidFit, weight: float, scale: int, n: int, seed: int = 0) -> np.ndarray:
    z_scale = 64 - fit.period.bit_length() + 1

    async def body(p: Party, s: list[Share]) -> Share:
        return await sigmoid(p, s[0], fit, weight, scale)

    # Not through `encode`, which keeps to a quarter of the ring: here the range fills nearly all of it.
    words = np.rint(np.ldexp(z, z_scale)).astype(np.int64).view(np.uint64)
    (value,), outcome = on_shares(body, [(words, z_scale, Z64)], n, seed)
    assert outcome.results["owner0"][0].scale == TRIG_SCALE + scale
    assert set(outcome.rounds.values()) == {1}
    return decode(value, TRIG_SCALE + scale)


@every_fit
@pytest.mark.parametrize("n", [2, 3, 5])
def test_on_the_whole_range(fit: SigmoidFit, n: int) -> None:
    z = np.concatenate((np.linspace(-fit.reach, fit.reach, 1501), [0.0, 1e-12, -1e-12]))
    assert np.abs(run(z, fit, 1.0, 30, n) - exact(z)).max() <= fit.error + rounding(fit, 1.0, 30)


@every_fit
def test_beyond_the_range_it_is_the_periodic_fit(fit: SigmoidFit) -> None:
    z = np.linspace(-0.499 * fit.period, 0.499 * fit.period, 301)
    assert np.abs(run(z, fit, 1.0, 30, 2) - approximate(fit, z)).max() <= rounding(fit, 1.0, 30) + 1e-9


@steady(60)
@given(
    st.sampled_from(FITS),
    st.lists(st.floats(-1, 1), min_size=1, max_size=10),
    st.floats(1e-4, 20.0),
    st.integers(20, 30),
    st.integers(2, 5),
)
def test_weights_and_scales(fit: SigmoidFit, places: list[float], weight: float, scale: int, n: int) -> None:
    z = np.array(places) * fit.reach
    error = np.abs(run(z, fit, weight, scale, n) - weight * exact(z)).max()
    assert error <= weight * fit.error + rounding(fit, weight, scale)


@every_fit
def test_the_public_coefficients_are_those_of_the_angle_sum(fit: SigmoidFit) -> None:
    m = np.random.default_rng(1).integers(0, 2**64, 20, dtype=np.uint64)
    angle = m.astype(float) * (2 * np.pi / 2.0**64)
    k = np.arange(1, 2 * len(fit.coefficients), 2)[:, np.newaxis]
    c = np.array(fit.coefficients)[:, np.newaxis] * 0.25
    got = decode(expansion(m, fit, 0.25, 26), 26)
    np.testing.assert_allclose(got[: len(k)], c * np.sin(k * angle), atol=2.0**-26)
    np.testing.assert_allclose(got[len(k) :], -c * np.cos(k * angle), atol=2.0**-26)


def test_a_dry_run_works_out_the_weights_that_the_run_needs() -> None:
    fit, weight, scale = FITS[1], 0.37, 30
    _weights.cache_clear()
    make_plan(lambda p: odd_part(p, Share(abstract((3,)), 57), fit, weight, scale, label="s"), ("a", "b"), "helper")
    assert _weights.cache_info().misses == 1
    _weights(fit, weight, scale)
    assert _weights.cache_info().misses == 1
