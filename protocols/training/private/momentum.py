"""Nesterov's method on public weights, by noisy gradients: the same bits at every owner, for it goes number by number.

    V_(t+1) = momentum V_t - step_size (g_t + l2 w),     w_(t+1) = w_t + V_(t+1)

where the gradient g_t of the mean loss is taken at w = w_t + momentum V_t (Nesterov 1983); the intercept, which is
last, has no penalty. The model is the mean of the second half of the w_t, which has less of their noise (Polyak,
Juditsky 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array

Floats = NDArray[np.float64]


class Steps(Protocol):
    """The public numbers of a training."""

    @property
    def steps(self) -> int:
        """How many there are."""

    @property
    def step_size(self) -> float:
        """The length of each."""

    @property
    def momentum(self) -> float:
        """How much of the last one goes into the next."""

    @property
    def l2(self) -> float:
        """The penalty."""


@dataclass(frozen=True)
class Iterate:
    """The state of a training after some steps.

    Args:
        w, velocity: (d + 1,).
        late: the sum of the weights of the second half of the steps.
    """

    taken: int
    w: Floats
    velocity: Floats
    late: Floats

    @staticmethod
    def start(features: int) -> Iterate:
        """Before the first step: all weights 0."""
        zero = np.zeros(features + 1)
        return Iterate(0, zero, zero, zero)

    def look_ahead(self, how: Steps) -> Floats:
        """Where the next gradient is taken (d + 1,)."""
        return self.w + how.momentum * self.velocity

    def stepped(self, gradient: Array, how: Steps) -> Iterate:
        """After one more step, by the gradient (d + 1,) of the mean loss, without the penalty's."""
        slope = gradient + how.l2 * np.append(self.look_ahead(how)[:-1], 0.0)
        velocity = how.momentum * self.velocity - how.step_size * slope
        w = self.w + velocity
        late = self.late + w if self.taken >= how.steps // 2 else self.late
        return Iterate(self.taken + 1, w, velocity, late)

    def model(self, how: Steps) -> Floats:
        """The mean of the second half of the weights (d + 1,)."""
        return self.late / (how.steps - how.steps // 2)
