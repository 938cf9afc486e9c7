"""The server's step: from the clients' mean update to the next model.

    FedAvgM (Hsu et al. 2019, eq. 2):            v <- momentum v + Delta,   w <- w + rate v
    FedAdam (Reddi et al. 2021, algorithm 2):    m <- beta1 m + (1 - beta1) Delta
                                                 v <- beta2 v + (1 - beta2) Delta^2
                                                 w <- w + rate m / (sqrt(v) + tau)

Delta is the mean of w_local - w over the clients, weighted. FedAvg is FedAvgM with rate 1 and no momentum. FedAdam has
no correction of its moments' bias, and v starts at tau^2, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ring.array import Array


@dataclass(frozen=True)
class Moments:
    """What the server's optimiser keeps between rounds.

    Args:
        first: the velocity, or the mean of the updates: float64 (size,).
        second: the mean of their squares (FedAdam): float64 (size,).
        steps: how many were made.
    """

    first: Array = field(repr=False)
    second: Array = field(repr=False)
    steps: int


def no_moments(size: int, tau: float = 0.0) -> Moments:
    """The moments before the first round."""
    return Moments(np.zeros(size), np.full(size, tau**2), 0)


def fed_avg(w: Array, mean_update: Array, moments: Moments, rate: float, momentum: float) -> tuple[Array, Moments]:
    """The next model, and the moments with its velocity (FedAvgM; FedAvg where `momentum` is 0)."""
    velocity = momentum * moments.first + mean_update
    return w + rate * velocity, Moments(velocity, moments.second, moments.steps + 1)


def fed_adam(
    w: Array, mean_update: Array, moments: Moments, rate: float, beta1: float, beta2: float, tau: float
) -> tuple[Array, Moments]:
    """The next model, and its moments; those of the first round are `no_moments(size, tau)`."""
    first = beta1 * moments.first + (1 - beta1) * mean_update
    second = beta2 * moments.second + (1 - beta2) * mean_update**2
    return w + rate * first / (np.sqrt(second) + tau), Moments(first, second, moments.steps + 1)
