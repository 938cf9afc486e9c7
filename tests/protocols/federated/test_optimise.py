"""The server's steps on examples worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.federated.optimise import fed_adam, fed_avg, no_moments

W = np.array([1.0, -2.0])


def test_fed_avg_adds_the_mean_update() -> None:
    w, moments = fed_avg(W, np.array([0.5, 0.25]), no_moments(2), rate=1.0, momentum=0.0)
    assert w.tolist() == [1.5, -1.75] and moments.steps == 1


def test_momentum_keeps_a_share_of_the_last_velocity() -> None:
    """v1 = (0.5, 0.25), v2 = 0.5 v1 + (1, 0) = (1.25, 0.125); w moves by 2 v1 + 2 v2 = (3.5, 0.75)."""
    w, moments = fed_avg(W, np.array([0.5, 0.25]), no_moments(2), rate=2.0, momentum=0.5)
    w, moments = fed_avg(w, np.array([1.0, 0.0]), moments, rate=2.0, momentum=0.5)
    assert w.tolist() == [4.5, -1.25] and moments.first.tolist() == [1.25, 0.125] and moments.steps == 2


def test_fed_adam_divides_by_the_root_of_the_squares() -> None:
    """beta1 = 0.5, beta2 = 0.75, tau = 2, rate 4, updates (6, 0) and (2, 0).

    First: m = 3, v = 0.75 * 4 + 0.25 * 36 = 12. Second: m = 1.5 + 1 = 2.5, v = 9 + 0.25 * 4 = 10. A coordinate without
    updates keeps its place, and its v only fades: 4 -> 3 -> 2.25.
    """
    step = {"rate": 4.0, "beta1": 0.5, "beta2": 0.75, "tau": 2.0}
    w, moments = fed_adam(W, np.array([6.0, 0.0]), no_moments(2, tau=2.0), **step)
    assert w == pytest.approx([1 + 4 * 3 / (12**0.5 + 2), -2])
    assert moments.second.tolist() == [12, 3]
    w, moments = fed_adam(w, np.array([2.0, 0.0]), moments, **step)
    assert w == pytest.approx([1 + 12 / (12**0.5 + 2) + 10 / (10**0.5 + 2), -2])
    assert moments.first.tolist() == [2.5, 0] and moments.second.tolist() == [10, 2.25] and moments.steps == 2
