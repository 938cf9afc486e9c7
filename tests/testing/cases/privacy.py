"""A sum with noise that nobody knows."""

from __future__ import annotations

from math import sqrt

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public
from mpc.testing import integers, own
from protocols.privacy.noisy_sum import Noise, noisy_sum
from tests.testing.cases.case import Case, Cost, View, each_in_turn
from tests.testing.cases.costs import WORD

PARTS = 60  # that 2, 3, 4 or 5 owners divide
VARIANCE = 20 * PARTS
_TAIL = 8.0  # standard deviations, which one in 10^15 samples exceeds


def noise_of(owners: int) -> Noise:
    return Noise(VARIANCE, owners)


async def _noisy(p: Party, mine: Array, own_noise: Array) -> Public:
    """The owners' own noise is their input: so the reference knows it, and only the helper's is not in it."""
    return await noisy_sum(p, mine, own_noise, noise_of(len(p.owners)), what="noisy total", why="agreed")


# An owner's addend and its noise trade: the sum stays, and hides which of them it is.
CASES: dict[str, Case] = {
    "noisy sum": Case(
        _noisy,
        lambda parts, own_noise: np.sum(parts, axis=0) + np.sum(own_noise, axis=0),
        [own(integers(("m",), -(2**40), 2**40)), own(integers(("m",), -1000, 1000))],
        _TAIL * sqrt(VARIANCE),
        Cost(1, 3 * WORD, 3 * WORD, {"m": 3}),
        View(owners=(2, 3), soak_from=3, secrets=lambda n: each_in_turn(n, (500, 0), (0, 500))),
        bias=sqrt(VARIANCE) / 10,
    ),
}
