"""What releases of whole vectors with discrete Gaussian noise cost together: zero-concentrated differential privacy.

A release has cost rho if D_a(P || Q) <= rho a for all a > 1, P and Q the laws of what is released with and without one
unit, D_a Renyi's divergence of order a (Bun, Steinke 2016). Costs add up, also where a release depends on earlier ones.

- A vector of whole numbers with noise of N(v) on each of them, independent, which a unit changes by at most D in L2
  norm, costs D^2 / (2 v), however long it is (Canonne, Kamath, Steinke 2020, theorem 4). The loss of one number alone,
  as accounting.py has it, is not enough here: of a vector the change has a direction, too.
- From rho to epsilon (the same paper, corollary 13; any a > 1 gives a bound, and the best is taken):

      epsilon(delta) = min over a of   rho a + log(1 - 1/a) - (log(delta) + log(a)) / (a - 1)

- `slack`. Let the true laws be within factors e^(+-s) of P and Q, pointwise over all releases. Then for every event S
  P*(S) <= e^s P(S) <= e^s (e^epsilon Q(S) + delta) <= e^(epsilon + 2 s) Q*(S) + e^s delta: with delta e^-s in the place
  of delta, epsilon grows by 2 s.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt
from typing import Final

_SPAN: Final = (-12.0, 12.0)
"""Of log(a - 1), among which the best order is looked for."""


def epsilon_at(rho: float, delta: float, slack: float = 0.0) -> float:
    """The epsilon at `delta` of releases that cost rho together: an upper bound; 0 of none."""
    if rho == 0.0:
        return 0.0
    from scipy.optimize import minimize_scalar

    target = log(delta) - slack

    def bound(power: float) -> float:
        less = exp(power)  # a - 1
        a = 1.0 + less
        return rho * a - log1p(1.0 / less) - (target + log(a)) / less

    guess = min(max(0.5 * log(-target / rho), _SPAN[0] + 1), _SPAN[1] - 1)  # of a Gaussian, roughly
    found = minimize_scalar(bound, bounds=(max(_SPAN[0], guess - 3), min(_SPAN[1], guess + 3)), method="bounded")
    return max(0.0, float(found.fun)) + 2.0 * slack


def rho_at(epsilon: float, delta: float) -> float:
    """The largest rho, nearly, whose releases are together (epsilon, delta)-private; never one that is too large."""
    low, high = 0.0, epsilon + sqrt(epsilon)
    while epsilon_at(high, delta) < epsilon:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if epsilon_at(middle, delta) <= epsilon else (low, middle)
    return low
