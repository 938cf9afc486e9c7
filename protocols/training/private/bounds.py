"""How far one patient moves a trained model, and how far what is computed is from it: bounds from public numbers.

**The objective.** With rows x_i of length |x_i| <= N (the 1 of the intercept included), labels y_i of 0 and 1, and a
public s that rises for |z| <= Z (rising_fits.py),

    F(w) = sum_i l(x_i . w, y_i) + (Lambda / 2) |w|^2 + c . w,      l(0, y) = log 2,   dl/dz = s(z) - y

where c is 0 in output perturbation, and noise in objective.py, with |c| <= C. This is the definition: s is
near the sigmoid, but nothing below depends on it. Beyond Z think of s as rising on, no steeper than before, until it
is at least 1 and at most -> 0 on the other side: so l is convex and F strongly convex on the whole space, with
curvature between Lambda and beta = S N^2 m + Lambda (S = max ds/dz, m rows). No point that the training reaches has a
score beyond Z (below), so that it never notices.

**Sensitivity** (Chaudhuri, Monteleoni, Sarwate 2011, "Differentially private empirical risk minimization", with
add-or-remove neighbours). Let w and w' minimise F and F' = F + l(x . , y). Then grad F(w') = -(s(x . w') - y) x, whose
length is at most B N, B = max |s - y|; and |grad F(w')| >= Lambda |w' - w|, since F is strongly convex. So

    |w' - w| <= B N / Lambda.

**Distance.** F is minimised by Nesterov's method with constant momentum b = (1 - theta) / (1 + theta), theta = sqrt(L /
beta), L <= Lambda (accelerated.py, whose v is y below). With z = x_before + (x - x_before) / theta and w* the minimum,

    V = F(x) - F(w*) + (L / 2) |z - w*|^2      shrinks by 1 - theta each step

(Bansal, Gupta 2019, "Potential-function proofs for gradient methods", section 5.2). A step in fixed point gives x + r
and z + r' instead. As |grad F(x)|^2 <= 2 beta (F(x) - F(w*)), sqrt(V) grows by at most sqrt(beta/2 |r|^2 + L/2
|r'|^2) by that, so that with d the largest such growth

    sqrt(V_t) <= q^t sqrt(V_0) + d / (1 - q),      q = sqrt(1 - theta) (+ what the rounding of b's words adds)

and y, which lies between x and z, is within sqrt(2 V / L) of w*. At the start, w = 0, V_0 <= m G + C |w*|, where G =
log 2 + Z max |s - sigmoid| is the most that one row's loss can fall from w = 0. F(0) - F(w*) >= (Lambda / 2) |w*|^2,
so that Lambda |w*|^2 - C |w*| <= m G, and |w*| <= R = (C + sqrt(C^2 + 4 Lambda m G)) / (2 Lambda). So each score of
the training is at most N (R + sqrt(2 / L) (sqrt(m G + C R) + d / (1 - q))), which is checked against Z: no range check
on shares is needed, and none is opened.

**Rounding of a step**, the worst case over all masks (every cut is within one unit of its last place, truncation.py):

- the gradient: for each row the cut of its error, and the roundings of the helper's waves and of their public
  coefficients (half a unit of each, sigmoid.py), times |x_i|; and the cut of v that the penalty multiplies;
- momentum: the cut of u.

The scores X v are exact: the ring's products do not round. **What is released** is y of the last step, within e of w*,
cut to a grid of 2^-g: one unit for each weight. Two neighbours' vectors on the grid so differ by at most

    D = 2^g (B N / Lambda + 2 e) + 2 sqrt(d)       units in L2 norm, d weights.

Steps and bits are chosen so that e is below 2 % of B N / Lambda, where 64 bits allow it: of 10^7 rows they do not, and
e is many times that, and the noise with it. g is so large that the rounding to the grid is small beside both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from math import ceil, floor, hypot, inf, log, log2, sqrt
from typing import Final

from mpc.errors import UsageError
from protocols.functions.rising_fits import RISING_FITS, RisingFit
from protocols.functions.sigmoid import TRIG_SCALE
from protocols.privacy.accounting import AnyMechanism, Excess, VectorMechanism, least_variance, mean_shift
from protocols.privacy.noisy_sum import Noise
from protocols.training.accelerated import Accelerated, momentum_words
from protocols.training.accelerated_budget import MOMENTUM_BITS, AcceleratedBudget

FINEST_X: Final = 12
"""The most fractional bits of a feature, which is in [-1, 1]. Its rounding is a part of how rows are scaled."""
_COARSEST_X: Final = 7
_LOW_SHIFT: Final = 24  # bits that v loses before the penalty multiplies it, and those of the penalty's factor
_HALF: Final = 0.51  # of a unit, by which waves and coefficients are rounded; they are off by 1e-14 besides
_SLACK: Final = 1.001  # of each bound, for what is smaller than its parts by far: products of errors, floating point
_REST: Final = 2.0**-8  # of the sensitivity, which the steps leave of the way to the minimum
_NEAR: Final = 2.0**-6  # of the sensitivity, which e may be
_FINE: Final = 10  # bits by which the sensitivity is larger than the rounding to the grid
_MOST_STEPS: Final = 20_000
_STRENGTH: Final = 3.0
_DIGITS: Final = 8  # bits of the automatic strength, rounded up: the same at every party, whose last bits may differ


@dataclass(frozen=True)
class Course:
    """A training of which it is known how near to the minimum it ends.

    Its bounds are not in its text, which is in the plan's digest: their last bits depend on a machine's logarithm.

    Args:
        how: its public numbers, for accelerated.py.
        steps: their number.
        strength: Lambda, as the steps' whole numbers have it.
        distance: e.
        sensitivity: B N / Lambda.
        largest_score: of any step.
    """

    how: Accelerated
    steps: int
    strength: float
    distance: float = field(repr=False)
    sensitivity: float = field(repr=False)
    largest_score: float = field(repr=False)


@dataclass(frozen=True)
class Linear:
    """The noise c of an objective (objective.py), whole numbers of `unit` in each of its d places.

    Args:
        squared: D^2, rounded up: a patient changes c by at most D units.
        shift: a unit is 2^shift last places of what a step adds to v.
        excess: what it costs beside the noise.
    """

    noise: Noise
    squared: int
    shift: int
    unit: float
    excess: Excess = field(repr=False)

    @property
    def deviation(self) -> float:
        """The standard deviation of c in each place."""
        return sqrt(self.noise.opened_variance) * self.unit


@dataclass(frozen=True)
class Perturbed:
    """All that is public about a training whose model is told with noise.

    Args:
        rows: m, an agreed number: owners with fewer fill up with rows of zeros, which add nothing to any sum.
        columns: d, with the intercept's.
        norm: N.
        grid: g; a weight is told in units of 2^-g.
        squared: D^2, rounded up.
        noise: in each weight, in units.
        linear: the noise of the objective, if there is any.
    """

    rows: int
    columns: int
    norm: float
    epsilon: float
    delta: float
    course: Course
    grid: int
    squared: int
    noise: Noise
    linear: Linear | None = None

    @property
    def told(self) -> VectorMechanism:
        """What its result costs, given the exact minimum."""
        return VectorMechanism(self.noise.variance, self.squared, 1)

    @property
    def mechanisms(self) -> tuple[AnyMechanism, ...]:
        """What the run costs."""
        c = self.linear
        return (self.told,) if c is None else (VectorMechanism(c.noise.variance, c.squared, 1), self.told, c.excess)

    @property
    def x_scale(self) -> int:
        """Fractional bits of the features."""
        return self.course.how.bits.x

    @property
    def squared_norm(self) -> int:
        """N^2 in whole numbers, of features at `x_scale`."""
        return floor(self.norm**2 * 4.0**self.x_scale)

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise in each weight."""
        return sqrt(self.noise.opened_variance) / 2.0**self.grid


@lru_cache(maxsize=8)
def perturbed(
    rows: int, columns: int, norm: float, strength: float, epsilon: float, delta: float, owners: int
) -> Perturbed:
    """The cheapest training whose model can be told with noise, and the noise.

    Args:
        rows: m; `columns`: d, with the intercept's; `norm`: N, at least 1.
        strength: Lambda, the penalty of the sum of all rows' losses.

    Raises:
        UsageError: `strength` is too small for so many rows; or dp-accounting is not installed.
    """
    course = course_of(rows, columns, norm, strength)
    per_unit = course.sensitivity + 2 * course.distance
    grid, squared = on_grid(per_unit, columns)
    variance = least_variance(epsilon, delta, owners, lambda v: (VectorMechanism(v, squared, 1),))
    return Perturbed(rows, columns, norm, epsilon, delta, course, grid, squared, Noise(variance, owners))


def on_grid(per_unit: float, columns: int) -> tuple[int, int]:
    """The grid for weights that neighbours differ in by `per_unit`, and the largest squared difference on it."""
    grid = max(1, ceil(log2(2 * sqrt(columns) / per_unit)) + _FINE)
    return grid, ceil(_SLACK * (per_unit * 2.0**grid + 2 * sqrt(columns)) ** 2)


def automatic_strength(epsilon: float, delta: float, rows: int, columns: int, norm: float) -> float:
    """Lambda where none is asked for: so large that the noise moves a score by about 1/2, or as a training needs.

    The noise has standard deviation sqrt(2) N / (Lambda mu) in each weight, mu = mean_shift(epsilon, delta), and N
    times that in the score of a row of length N. (Tried on the breast-cancer data, epsilon 1 to 10, N of 1.5 to 5.6:
    three times less costs 0.02 to 0.05 of the AUC, three times more 0.05 to 0.1 of the accuracy, for want of an
    intercept.) The widest sigmoid, which takes longest, is not for it.
    """
    return least_strength(_STRENGTH * norm**2 / mean_shift(epsilon, delta), rows, columns, norm, lambda _: 0.0)


def least_strength(wanted: float, rows: int, columns: int, norm: float, pull: Callable[[float], float]) -> float:
    """The least Lambda from `wanted` on with which there is a training, but not with the widest sigmoid.

    Args:
        pull: C of a Lambda.
    """
    strength = _rounded_up(wanted)
    while next(_courses(rows, columns, norm, strength, pull(strength), RISING_FITS[:-1]), None) is None:
        strength = _rounded_up(1.05 * strength)
    return strength


def course_of(
    rows: int, columns: int, norm: float, strength: float, pull: float = 0.0, rest: float = _REST, near: float = _NEAR
) -> Course:
    """The training with the cheapest sigmoid whose rounding is small beside the sensitivity, else the most exact one.

    Args:
        pull: C.
        rest: of the sensitivity, which the steps leave of the way to the minimum; `near`: of it, which is small.

    Raises:
        UsageError: there is none.
    """
    best: Course | None = None
    for found in _courses(rows, columns, norm, strength, pull, rest=rest):
        if found.distance <= near * found.sensitivity:
            return found
        if best is None or found.distance < best.distance:
            best = found
    if best is None:
        raise UsageError(
            f"[privacy] needs more of a penalty than l2 = {strength / rows:.3g} for {rows} rows of "
            f"{columns - 1} features: scores could leave the range in which the sigmoid is right",
            "leave l2 out, so that it follows from epsilon, or raise it",
        )
    return best


def _courses(
    rows: int,
    columns: int,
    norm: float,
    strength: float,
    pull: float,
    fits: Sequence[RisingFit] = RISING_FITS,
    rest: float = _REST,
) -> Iterator[Course]:
    """All that are possible, the cheapest sigmoid and the most exact features first."""
    for rising in fits:
        for x in range(FINEST_X, _COARSEST_X - 1, -1):
            found = _course(rising, x, rows, columns, norm, strength, pull, rest)
            if found is not None:
                yield found


def _course(
    rising: RisingFit, x: int, rows: int, columns: int, norm: float, strength: float, pull: float, left: float
) -> Course | None:
    """One training's bounds, as above; None if a score could leave the sigmoid's range, or a number the ring."""
    fit = rising.fit
    smooth = _SLACK * (rising.slope * norm**2 * rows + strength)  # beta
    root = sqrt(strength / smooth)
    momentum = (ceil(2.0**MOMENTUM_BITS * (1 - root) / (1 + root)) + 1) / 2.0**MOMENTUM_BITS
    if momentum >= 1:
        return None
    theta = (1 - momentum) / (1 + momentum)
    rate = rows / smooth
    weight = (1 + momentum) * rate / rows  # of a row's error, as a step takes it off v
    bits = _bits(fit.period, x, weight)
    if bits is None:
        return None
    how = Accelerated(rate, momentum, strength / rows, fit, bits, penalise_intercept=True)
    decay = round((1 + momentum) * rate * how.l2 * 2.0**bits.w_shift) / 2.0**bits.w_shift
    actual, low = decay / weight, theta**2 * smooth  # Lambda, and L
    if low > actual:
        return None

    harmonics, total = len(fit.coefficients), sum(map(abs, fit.coefficients))
    waved = sqrt(2) * _HALF * (weight * total * 2.0**-TRIG_SCALE + harmonics * 2.0**-bits.coefficients)
    each = 2.0**-bits.e + waved + 2 * 2.0 ** -(TRIG_SCALE + bits.coefficients) + 1e-15 * weight
    gradient = _SLACK * (sqrt(columns) * decay * 2.0 ** -(bits.w - bits.w_shift) + rows * norm * each)
    carried = _SLACK * sqrt(columns) * 2.0 ** -(bits.w - MOMENTUM_BITS)
    wrong = abs(momentum_words(momentum)[1] / 2.0**MOMENTUM_BITS - momentum**2 / (1 + momentum)) + 1e-15
    growth = sqrt(smooth / 2) * (hypot(gradient, gradient + carried) * (1 + theta) / 2 + 2 * wrong * carried)
    shrunk = sqrt(1 - theta) + wrong * 2 * sqrt(2) * sqrt(1 + theta**2) / (1 - theta**2)
    if shrunk >= 1:
        return None

    start = sqrt(rows * (log(2) + 1.01 * fit.error * fit.reach))
    rest = growth / (1 - shrunk)
    furthest = (pull + sqrt(pull**2 + 4 * actual * start**2)) / (2 * actual)  # R
    start = sqrt(start**2 + pull * furthest)
    reach = furthest + sqrt(2 / low) * (start + rest)  # of |v|
    steepest = 0.5 + fit.bound
    sensitivity = steepest * norm / actual
    steps = max(1, ceil(log(max(2.0, start * sqrt(2 / low) / (left * sensitivity))) / -log(shrunk)))
    fits = 8 * reach * 2.0**bits.w < 2.0**62  # v, u and the gradient
    if norm * reach > fit.reach or not fits or steps > _MOST_STEPS:
        return None
    distance = _SLACK * sqrt(2 / low) * (shrunk**steps * start + rest)
    return Course(how, steps, actual, distance, _SLACK * sensitivity, norm * reach)


def _bits(period: int, x: int, weight: float) -> AcceleratedBudget | None:
    """The ring's bits, as in accelerated_budget.py, with features at `x`."""
    w = 64 - (period.bit_length() - 1) - x
    e = w - x
    coefficients = min(32 + e - TRIG_SCALE, 60 - TRIG_SCALE - (ceil(log2(2.2 * weight)) + 1))
    shift = TRIG_SCALE + coefficients - e
    if shift < 1:
        return None
    return AcceleratedBudget(x, w, x, e, coefficients, shift, _LOW_SHIFT, 0, inf)


def _rounded_up(value: float) -> float:
    step = 2.0 ** (floor(log2(value)) - _DIGITS)
    return ceil(value / step) * step
