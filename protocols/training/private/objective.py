"""Objective perturbation: how much noise a training's objective needs, and how much its result besides. With proof.

    F(w) = sum_i l(x_i . w, y_i) + (Lambda / 2) |w|^2 + c . w,      what is told is near argmin F, with a little noise

Chaudhuri, Monteleoni, Sarwate 2011, algorithm 2; with Gaussian noise c Kifer, Smith, Thakurta, "Private convex
empirical risk minimization and high-dimensional regression", COLT 2012. Where data curve the loss, noise of the
objective moves the minimum less than noise that is added to it would. l, s, S, B, N, Lambda are those of
bounds.py; neighbours differ by one row x. c = k + b, where k is what an onlooker knows and b is what is left
to it (noisy_sum.py): first let b be N(0, sigma^2) in each place, in real numbers.

**The exact minimum** w*. Given k, w* is a one-to-one function of b: b(w) = -grad L(w) - Lambda w - k, and the chance
density of w is that of b(w) times det(H + Lambda), H the losses' second derivative at w. With the row x there is
a = s(x . w) - y, and

    b'(w) = b(w) - a x,     det(H' + Lambda) / det(H + Lambda) = 1 + s'(x . w) x^T (H + Lambda)^-1 x

which is between 1 and e^J = 1 + S N^2 / Lambda. x is one vector, and w changes nothing but the number a, |a| <= B. So
with mu = B N / sigma the log of the densities' ratio, in either direction, is at most J + mu |g| + mu^2 / 2, where g,
the part of b along x by the law under which we look, in deviations, is N(0, 1). Renyi's divergence of order a is then

    D_a <= J + a mu^2 / 2 + log 2 / (a - 1),        as E[e^(t |g|)] <= 2 e^(t^2 / 2)

(Redberg, Koskela, Wang 2023, "Improving the Privacy and Practicality of Objective Perturbation for Differentially
Private Linear Learners", bound the same loss.) The first term and the last are `Excess`, the second a vector's.

**What is computed.** The training ends within e of w*, whatever the masks are. Releasing w* and then, on a grid, what
was computed with noise of its own, is a composition: given w*, neighbours' computed vectors are at most 2 e apart
(bounds.py), and more noise than is left needs not be counted. What is really told is the second of the two
alone. (Approximate minima perturbation: Iyengar et al. 2019, "Towards Practical Differentially Private Convex
Optimization".)

**Noise in whole numbers.** b is really N(v) in whole units u, v u^2 = sigma^2. Given such a b, think of a real one
drawn as the normal law has it among those that round to b: all of the above is about this one, and the training's
objective is off by at most u sqrt(d) / 2 in its linear term, which moves the minimum by u sqrt(d) / (2 Lambda): a part
of e. The law of a real b is not quite normal. Of a number that rounds to j, the normal law's chance is that of N(v)
times

    (the sum of e^(-i^2 / 2v) over whole i) / sqrt(2 pi v)  times  the mean of cosh(j t / v) e^(-t^2 / 2v), |t| <= 1/2

The first factor is 1 but for 2 e^(-2 pi^2 v); the second is between e^(-1 / 24v) and e^(j^2 / 8v^2), by Jensen's
inequality and cosh(z) <= e^(z^2 / 2). For |j| <= (kappa + mu) sqrt(v) in all d places both laws are so within e^(+-r),
r = d (kappa + mu)^2 / (8 v), which is checked to be below `_ROUNDED`.

**Events.** A row moves b by B N at most. Let E be that |c| <= C - B N and all |b_j| <= kappa sigma, and E' that |c| <=
C and all |b_j| <= (kappa + mu) sigma; E with one of two neighbours is part of E' with the other. Both have a chance of
1 - p or more: N(v), and sums of several, are subgaussian (Canonne, Kamath, Steinke 2020), so that |b_j| > kappa sigma
has a chance of at most 2 e^(-kappa^2 / 2), and |c|^2 > 2 v (d + 2 sqrt(d t) + 2 t) u^2 one of e^-t (Hsu, Kakade, Zhang
2012). In E' no score leaves the sigmoid's range. Between the real laws given E and given E' the divergence is larger
than between those above by at most 2 r - log(1 - p) + (r - log(1 - p)) / (a - 1). So `Excess` has J + 2 r + 2 p for
its epsilon, 2 e^(r + 2 p) for its factor, and p for its delta.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, exp, floor, log, log1p, log2, sqrt
from typing import Final

from mpc.errors import UsageError
from protocols.functions.rising_fits import RISING_FITS
from protocols.privacy.accounting import Excess, mean_shift, rounded_up
from protocols.privacy.concentrated import rho_at
from protocols.privacy.noisy_sum import LEAST, Noise
from protocols.training.private.bounds import Linear, Perturbed, course_of, least_strength, on_grid

_SLOPE: Final = max(one.slope for one in RISING_FITS)  # S
_STEEPEST: Final = 0.5 + max(one.fit.bound for one in RISING_FITS)  # B
_ROUNDED: Final = 1e-9  # r at most
_TAIL: Final = 2.0**-7  # p, as a part of delta
_SLACK: Final = 1.001  # as in bounds.py
_WIDE: Final = 26  # bits of the deviation of b, in units
_TOLD: Final = 2.0**-5  # of all rho, which the noise takes that is added to the result
_REST: Final = 2.0**-14  # of a patient's reach, which the steps leave of the way to the minimum
_NEAR: Final = 2.0**-12  # of it, which e may be
_CLOSE: Final = 0.99  # of Lambda, which the steps' whole numbers have at least


@lru_cache(maxsize=8)
def perturbed_objective(
    rows: int, columns: int, norm: float, strength: float, epsilon: float, delta: float, owners: int
) -> Perturbed:
    """The cheapest training whose objective has noise, and its noise; arguments as of `perturbed`.

    Raises:
        UsageError: `strength` is too small for so many rows, or for epsilon.
    """
    excess = _excess(columns, norm, strength, delta)
    rho = _rho(epsilon, delta, excess)
    course = course_of(rows, columns, norm, strength, _pull(columns, norm, rho, excess), _REST, _NEAR)
    weight = (1 + course.how.momentum) * course.how.rate / rows  # of the gradient of all rows' losses, in a step
    finest = 2.0**-course.how.bits.w / weight
    shift = max(0, floor(log2(_deviation(norm, rho) / finest)) - _WIDE)
    unit = finest * 2.0**shift
    squared = ceil(_SLACK * (_STEEPEST * norm / unit) ** 2)
    noise = Noise(rounded_up(squared / (2 * (1 - _TOLD) * rho), owners), owners)
    far = _kappa(columns, excess.delta) + sqrt(squared / noise.variance)
    if course.strength < _CLOSE * strength or columns * far**2 > 8 * _ROUNDED * noise.variance:
        raise _too_weak(strength, rows)
    distance = course.distance + _SLACK * unit * sqrt(columns) / (2 * course.strength)
    grid, on_it = on_grid(2 * distance, columns)
    told = Noise(rounded_up(max(on_it / (2 * _TOLD * rho), LEAST * owners), owners), owners)
    linear = Linear(noise, squared, shift, unit, excess)
    return Perturbed(rows, columns, norm, epsilon, delta, course, grid, on_it, told, linear)


def automatic_penalty(epsilon: float, delta: float, rows: int, columns: int, norm: float) -> float:
    """Lambda where none is asked for: N^2 / mean_shift, or as a training needs.

    J is then about a twentieth of epsilon. (Tried on the breast-cancer data, epsilon 0.3 to 10, N of 1.5 to 4: half as
    much costs up to 0.03 of the AUC, twice as much up to 0.04 of the accuracy, for want of an intercept.)
    """

    def pull(strength: float) -> float:
        excess = _excess(columns, norm, strength, delta)
        return _pull(columns, norm, _rho(epsilon, delta, excess), excess)

    return least_strength(norm**2 / mean_shift(epsilon, delta), rows, columns, norm, pull)


def _excess(columns: int, norm: float, strength: float, delta: float) -> Excess:
    p = _TAIL * delta
    jacobian = log1p(_SLOPE * norm**2 / (_CLOSE * strength))
    return Excess(jacobian + 2 * _ROUNDED + 2 * p, 2 * exp(_ROUNDED + 2 * p), p)


def _rho(epsilon: float, delta: float, excess: Excess) -> float:
    """What is left of epsilon and delta for noise: mu^2 / 2, and that of the noise in the result."""
    if epsilon <= 2 * excess.epsilon:
        raise UsageError(
            f"[privacy] needs more of a penalty for epsilon = {epsilon:g}: it alone would cost {excess.epsilon:.3g}",
            "leave l2 out, so that it follows from epsilon, or raise it",
        )
    return rho_at(epsilon - excess.epsilon, (delta - excess.delta) / excess.factor)


def _deviation(norm: float, rho: float) -> float:
    """sigma."""
    return _STEEPEST * norm / sqrt(2 * (1 - _TOLD) * rho)


def _pull(columns: int, norm: float, rho: float, excess: Excess) -> float:
    """C; the variance of c is twice that of b, and both are rounded up by less than 1 in 250."""
    t = log(2 / excess.delta)
    longest = sqrt(2 * 1.004 * (columns + 2 * sqrt(columns * t) + 2 * t)) * _deviation(norm, rho)
    return _SLACK * (longest + _STEEPEST * norm)


def _kappa(columns: int, p: float) -> float:
    return sqrt(2 * log(4 * columns / p))


def _too_weak(strength: float, rows: int) -> UsageError:
    return UsageError(
        f"[privacy] needs more of a penalty than l2 = {strength / rows:.3g} for {rows} rows: noise has too few bits",
        "leave l2 out, so that it follows from epsilon, or raise it",
    )
