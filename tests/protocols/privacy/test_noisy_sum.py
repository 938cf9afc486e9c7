"""Sums with noise inside: the law of what is opened, and of what is left when a party takes its own noise off.

The kit's checks are in tests/testing, of the case "noisy sum".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.randomness.streams import Stream, derive
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.privacy.accounting import calibrated
from protocols.privacy.discrete_gaussian import samples
from protocols.privacy.noisy_sum import LEAST, DiscreteGaussian, Noise, noisy_sum
from tests.helpers import lockstep, owner_names
from tests.protocols.privacy.laws import delta_of, misfit, sum_law

COUNT = 20_000
VARIANCE = 600
FALSE_ALARM = 1e-4
EXACT = np.arange(COUNT, dtype=np.uint64)

Sum = Callable[[Party, Array, Array, Noise], Any]


async def right(p: Party, own: Array, own_noise: Array, noise: Noise) -> Public:
    return await noisy_sum(p, own, own_noise, noise, what="total", why="agreed")


def opened_noise(run: Sum, owners: int, seed: int = 0) -> np.ndarray:
    """The noise in an opened sum: every owner enters the same numbers."""
    noise = Noise(VARIANCE, owners)

    def program(p: Party) -> Any:
        key = derive(bytes(32), f"own noise/{seed}/{p.name}")
        own_noise = abstract(EXACT.shape) if p.dry else noise.own(Stream(key), COUNT)
        return run(p, abstract(EXACT.shape) if p.dry else EXACT, own_noise, noise)

    outcome = lockstep(dict.fromkeys(owner_names(owners), program), seed)
    first, *others = (one.value for one in outcome.results.values())
    assert all((other == first).all() for other in others)
    found: np.ndarray = (first - np.uint64(owners) * EXACT).view(np.int64)
    return found


@pytest.mark.parametrize("owners", [2, 3, 5])
def test_opened_noise_has_twice_the_claims_variance(owners: int) -> None:
    left = sum_law(VARIANCE, *[VARIANCE / owners] * owners)
    assert misfit(opened_noise(right, owners), left) > FALSE_ALARM
    assert misfit(opened_noise(right, owners), sum_law(2 * VARIANCE)) > FALSE_ALARM


async def without_helper(p: Party, own: Array, own_noise: Array, noise: Noise) -> Public:
    p.correlation(DiscreteGaussian(own.shape[0], noise.variance))
    return (await p.reveal(Share(own) + Share(own_noise), what="total", why="", label="planted"))[0]


async def without_one_owner(p: Party, own: Array, own_noise: Array, noise: Noise) -> Public:
    return await right(p, own, own_noise * np.uint64(p.index > 0), noise)


async def with_less_by_half(p: Party, own: Array, own_noise: Array, noise: Noise) -> Public:
    _, dealt = p.correlation(DiscreteGaussian(own.shape[0], noise.variance // 2))
    return (await p.reveal(Share(own) + Share(own_noise) + dealt, what="total", why="", label="planted"))[0]


@pytest.mark.parametrize("planted", [without_helper, without_one_owner, with_less_by_half])
def test_noise_that_is_missing_is_found(planted: Sum) -> None:
    assert misfit(opened_noise(planted, 3), sum_law(2 * VARIANCE)) < FALSE_ALARM


def test_two_sums_have_other_noise() -> None:
    assert (opened_noise(right, 2, 1) != opened_noise(right, 2, 2)).mean() > 0.9


@pytest.mark.parametrize(("owners", "epsilon"), [(2, 1.0), (3, 1.0), (3, 8.0), (10, 20.0)])
def test_what_a_party_cannot_take_off_meets_epsilon(owners: int, epsilon: float) -> None:
    """The helper takes off its own; all owners but one theirs: exactly, from the law of the rest."""
    found = calibrated(epsilon, 1e-6, 1, owners)
    noise = found.noise
    to_helper = sum_law(*[noise.own_variance] * owners)
    to_others = sum_law(noise.variance, noise.own_variance)
    for rest in (to_helper, to_others):
        assert delta_of(rest, found.sensitivity, epsilon) <= 1e-6
    assert delta_of(sum_law(noise.variance // 2), found.sensitivity, epsilon) > 1e-6


def test_sum_of_the_owners_noise_is_a_discrete_gaussian() -> None:
    """Kairouz, Liu, Steinke 2021: but for a factor that no double sees, from `LEAST` on; below it shows."""
    wide, narrow = sum_law(*[float(LEAST)] * 4), sum_law(*[0.1] * 4)
    one, other = sum_law(4.0 * LEAST), sum_law(0.4)
    middle, reach = len(wide) // 2, 30
    assert wide[middle - reach : middle + reach] == pytest.approx(
        one[len(one) // 2 - reach : len(one) // 2 + reach], rel=1e-11
    )
    assert narrow[len(narrow) // 2] != pytest.approx(other[len(other) // 2], rel=1e-2)


@pytest.mark.parametrize(("variance", "owners"), [(100, 3), (3 * LEAST - 3, 3)])
def test_noise_without_whole_parts_is_refused(variance: int, owners: int) -> None:
    with pytest.raises(ValueError, match="no parts"):
        Noise(variance, owners)


def test_helpers_noise_follows_from_the_key_alone() -> None:
    kind = DiscreteGaussian(5, 900)
    key = np.arange(4, dtype=np.uint64)
    (dealt,) = kind.deal((key,), {})
    assert (dealt.view(np.int64) == samples(Stream(key.tobytes()), 900, 5)).all()
