"""Federated Newton's method for generalised linear models: the maximum-likelihood fit to the rows of all clients.

    eta = X w     mu = h(eta)     g = X'(y - mu)     F = X' diag(v(mu)) X     w <- w + F^-1 g

With the canonical links (linear: mu = eta, logistic: mu = 1 / (1 + exp(-eta)), poisson: mu = exp(eta)) Newton's method
is Fisher scoring (Nelder and Wedderburn, J. R. Stat. Soc. A 135, 1972). g, F and the deviance D are sums over rows, so
over clients. One secure aggregation gives them at the public w, and the server takes the step. If D has risen, half the
step is tried. The covariance of w is phi F^-1, phi = 1, and for linear D / (N - d).

A linear fit is reached by the first step: D is quadratic, so it falls by g' F^-1 g. Else |v'| <= v, so that a step
which moves no score by more than m changes F by factors from exp(-m) to exp(m) at most. With L^2 = g' F^-1 g, what is
left of g after it is at most L ((exp(m) - 1) / m - 1), about L m / 2, in standard errors of any combination of
coefficients (Cauchy and Schwarz). So is, but for exp(2 m), the distance that is left, if it is shorter than the step;
and standard errors change by the part (exp(2 m) - 1) / 2 at most. The step is the last if the first is at most
SMALL_ERROR, and m, for any row within the range, LARGEST_MOVE. Where features separate the classes, m stays about 1,
however small L is.

The fit is that of the clients of the last step. If others take part in each step, it changes with them and no step is
so small. After PATIENCE such steps in a row the fit is taken, and the distance told by an estimate: the same with the
root mean square of the scores' moves, weighted by v, in place of m: L / sqrt(sum v).

What the server sees: g, F, D and N at each w, summed over the clients that took part, and with F of flags the numbers
of rows of each combination of two of them. If clients take part in one step and not in the next, and w hardly
moved, the difference of the two sums is nearly those clients' own: of one client, its own g and F. So each client
asks `small_cells` of its own rows before it takes part. A linear fit has one sum alone, so no differences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mpc.errors import DataError, InternalError
from mpc.ring.array import Array
from protocols.aggregation.quantise import MOST_BITS
from protocols.disclosure.own_design import OwnDesign, plain
from protocols.federated.coding import Layout, Part, scale_within
from protocols.federated.models import Rows
from protocols.federated.units import Units
from protocols.linalg.inverse import collinear
from protocols.linalg.symmetric import places
from protocols.linear.table import EXACT

Family = Literal["linear", "logistic", "poisson"]
SMALL_ERROR = 1e-6
"""Of standard errors: so far is the last step's end from the fit at most."""
LARGEST_MOVE = 5e-5
"""Of scores, in the last step."""
LARGEST_LEFT = 0.05
"""Of standard errors: the same, estimated, where the clients are others in each step."""
PATIENCE = 3
LARGEST_ERROR = 1e-5
"""Of standard errors: what the rounding of the sums may move a coefficient; ten times that, of a standard error."""
MOST_STEPS = 25
MOST_HALVINGS = 30
MEANS_ABOVE = 8.0
"""A poisson model's means may be so many times the largest count, on a client's average."""
_SMALLEST_PIVOT = 2.0**-40  # of a diagonal entry, as in linalg/symmetric.py
_SLACK = 1 + 1e-9  # of bounds, for the rounding of float64 sums


# -- the client


def glm_sums(family: Family, w: Array, rows: Rows) -> dict[str, Array]:
    """A client's addends at w: `gradient` (d,), `fisher` (d (d + 1) / 2,) by rows, `deviance` (1,), `rows` (1,).

    Args:
        w: d coefficients, the intercept last.
        rows: x (n, d - 1) within -1 and 1 (units.py), y (n,).
    """
    x = np.column_stack([rows.x, np.ones(len(rows.y))])
    eta = x @ w
    mu, slope, deviance = _FAMILIES[family](eta, rows.y)
    fisher = x.T @ (x * slope[:, None])
    return {
        "gradient": x.T @ (rows.y - mu),
        "fisher": fisher[np.triu_indices(len(w))],
        "deviance": np.array([deviance.sum()]),
        "rows": np.array([float(len(rows.y))]),
    }


def fitting(sums: Mapping[str, Array], layout: Layout) -> dict[str, Array]:
    """A client's addends as it codes them: with `unfit` 0, or all 0 and `unfit` 1 if one is outside its part's bounds.

    So no sum is silently clipped. Only a poisson model's can be: its means have no bound that w alone gives.

    Raises:
        DataError: there are more rows than agreed.
    """
    most = layout.part("rows").high
    if sums["rows"][0] > most:
        raise DataError(
            f"this client has {sums['rows'][0]:.0f} rows, and most_rows = {most:.0f}",
            "raise `most_rows` in [task], or use fewer rows",
        )
    parts = [layout.part(name) for name in sums]
    within = all(np.all((part.low <= sums[part.name]) & (sums[part.name] <= part.high)) for part in parts)
    if within:
        return {**sums, "unfit": np.zeros(1)}
    return {**{name: np.zeros_like(sum_) for name, sum_ in sums.items()}, "unfit": np.ones(1)}


def glm_layout(
    family: Family, w: Array, *, clients: int, most_rows: int, most_target: float = 1.0, bits: int = MOST_BITS - 1
) -> Layout:
    """How the addends at w are coded: bounds from w, as |x_ij| <= 1, and scales that fill the modulus.

    The scales depend on w, which all know; the modulus and the length do not. An entry's error is some n 2^-bits of the
    largest sum that n clients could have: see `rounding`.

    Args:
        most_rows: the most that a client has.
        most_target: the largest |y|, in the units of the rows; for poisson 1 at least.
    """
    reach = float(np.abs(w).sum())  # |eta| <= reach
    error, slope, deviance = _bounds(family, reach, most_target)
    products = len(w) * (len(w) + 1) // 2
    most = most_rows * _SLACK

    def part(name: str, length: int, low: float, high: float) -> Part:
        return Part(name, length, low, high, scale_within(high - low, clients, bits))

    parts = (
        part("gradient", len(w), -error * most, error * most),
        part("fisher", products, -slope * most, slope * most),
        part("deviance", 1, -deviance * most * 1e-9, deviance * most),  # 0 may be rounded below
        Part("rows", 1, 0, most_rows),
        Part("unfit", 1, 0, 1),
    )
    return Layout(parts, clients)


def small_cells(family: Family, x: Array, y: Array, m: int) -> tuple[int, ...]:
    """The columns of a client's own rows (n, p), in their own units, of which F and g could tell fewer than m rows.

    As for other fits whose matrices are opened (disclosure/own_design.py): a column of few values has cells, the rows
    of each value, by class; a cell of 1 to m - 1 rows is small. Counts have two classes, 0 and all others: g has sums
    of counts, which few of the latter would make. The number p stands for the target's own cells; p + 1
    for those of all combinations of the columns' values, whose numbers F gives; p + 2 for all rows, if they are fewer
    than m, or no more than the p + 1 coefficients: then F = X'VX gives them up to a rotation.

    Limits: a client judges its own rows alone, while the server sees sums over all clients. So it is strict where many
    clients have a few rows of a cell each, and needed where all clients but one collude with the server, or where a
    client takes part in one step and not in the next. A cell that only columns of many values make (all above 60,
    say) is not looked for.
    """
    target = (y > 0).astype(np.float64) if family == "poisson" else y
    design = OwnDesign(x, plain(x.shape[1]), target, family != "linear", m, open_matrices=True)
    found = np.flatnonzero(design.alone(named=False)).tolist()
    rows, p = x.shape
    return (*found, p + 2) if 0 < rows < max(m, p + 2) else tuple(found)


def _linear(eta: Array, y: Array) -> tuple[Array, Array, Array]:
    return eta, np.ones_like(eta), (y - eta) ** 2


def _logistic(eta: Array, y: Array) -> tuple[Array, Array, Array]:
    mu = 0.5 * (1.0 + np.tanh(0.5 * eta))
    return mu, mu * (1 - mu), 2 * (np.logaddexp(0, eta) - y * eta)


def _poisson(eta: Array, y: Array) -> tuple[Array, Array, Array]:
    with np.errstate(over="ignore"):
        mu = np.exp(eta)
    logs = np.log(np.where(y > 0, y, 1.0))
    return mu, mu, 2 * (y * (logs - eta) - (y - mu))


_FAMILIES: Mapping[str, Callable[[Array, Array], tuple[Array, Array, Array]]] = {
    "linear": _linear,
    "logistic": _logistic,
    "poisson": _poisson,
}


def _bounds(family: Family, reach: float, target: float) -> tuple[float, float, float]:
    """The largest |y - mu|, v(mu) and deviance of a row with |eta| <= reach and |y| <= target."""
    if family == "linear":
        return target + reach, 1.0, (target + reach) ** 2
    if family == "logistic":
        return 1.0, 0.25, 2 * (math.log(2) + reach)
    mean = min(math.exp(min(reach, 700.0)), MEANS_ABOVE * target)
    return max(mean, target), mean, 2 * (target * (math.log(target) + reach) + mean)


# -- the server


@dataclass(frozen=True)
class Pooled:
    """The sums over the clients that took part, at w.

    Args:
        gradient: g (d,); fisher: F (d, d).
        unfit: how many clients' sums were out of range, and are left out.
        errors: the bounds of what rounding changed in an entry of g, of F and in the deviance.
    """

    w: Array
    gradient: Array
    fisher: Array
    deviance: float
    rows: float
    unfit: int
    errors: tuple[float, float, float]


def pooled(w: Array, sums: Mapping[str, Array], layout: Layout, clients: int) -> Pooled:
    """What the decoded sums of `clients` clients are.

    Their errors are those of `Layout.bound`, but for the float64 of the sums as they are, not as they could be.
    """

    def error(name: str) -> float:
        return clients / (2 * layout.part(name).scale) + 2.0**-53 * float(np.abs(sums[name]).max())

    return Pooled(
        w,
        sums["gradient"],
        sums["fisher"][places(len(w))],
        float(sums["deviance"][0]),
        float(sums["rows"][0]),
        round(float(sums["unfit"][0])),
        (error("gradient"), error("fisher"), error("deviance")),
    )


@dataclass(frozen=True)
class Newton:
    """A fit on its way.

    Args:
        at: the w at which the next sums are needed (d,), the intercept last; once `reached`, the fit.
        base: the last w whose deviance had not risen, and the full step from there; None at the start.
        length: the part of the step that is tried.
        sums: those at `base`.
        null_deviance: of the intercept alone, where it is known.
        unlike: how many steps in a row were of other clients than the one before.
        reached: whether `at` is the fit.
    """

    family: Family
    at: Array
    base: Array | None = None
    step: Array | None = None
    length: float = 1.0
    steps: int = 0
    sums: Pooled | None = None
    null_deviance: float | None = None
    unlike: int = 0
    reached: bool = False


def start(family: Family, columns: int, mean: float | None = None) -> Newton:
    """The start: scores of 0; for poisson the logarithm of the mean count if that is known, which saves rounds.

    Args:
        columns: without the intercept.
    """
    w = np.zeros(columns + 1)
    if family == "poisson" and mean is not None and mean > 0:
        w[-1] = math.log(mean)
    return Newton(family, w)


def newton_step(fit: Newton, sums: Pooled, *, same: bool) -> Newton:
    """The fit after the sums at `fit.at`: a step on, or half a step if the deviance rose.

    Args:
        same: whether the sums are of the same clients as those before; if not, deviances cannot be compared. Then the
            fit goes on to that of the clients that take part last.

    Raises:
        DataError: features are collinear, separate the classes or determine a linear model's target; sums are too
            coarse (see `rounding`); no part of a step lowers the deviance, or MOST_STEPS steps do not reach the fit.
    """
    before = fit.sums
    rose = before is not None and same and sums.deviance > before.deviance + _doubt(before) + _doubt(sums)
    if sums.unfit or rose:
        if fit.base is None or fit.step is None or fit.length < 2.0**-MOST_HALVINGS:
            raise _not_found(fit.family)
        length = fit.length / 2
        return replace(fit, at=fit.base + length * fit.step, length=length)
    if fit.steps == MOST_STEPS:
        raise _not_found(fit.family)
    if sums.rows <= len(sums.w):
        raise DataError(
            f"{sums.rows:.0f} rows of all clients are too few for {len(sums.w)} coefficients",
            "name fewer `features`, or wait for more clients",
        )
    inverse = _inverse(sums.fisher, collinear() if before is None else _not_found(fit.family))
    step = inverse @ sums.gradient
    null = _null_deviance(fit, sums) if before is None else fit.null_deviance if same else None
    unlike = 0 if same or before is None else fit.unlike + 1
    found = Newton(fit.family, sums.w + step, sums.w, step, 1.0, fit.steps + 1, sums, null, unlike)
    if fit.family == "linear":
        found = replace(found, reached=True)
        if null is not None and deviance(found) <= EXACT * null:
            raise DataError(
                "the features determine the target, or nearly, over all clients' rows: errors would come from rounding",
                "leave out the feature that gives the target",
            )
    coefficient, se = rounding(found)
    if fit.family != "linear":
        distance, moved = distance_left(found, bound=True)
        close = distance <= SMALL_ERROR and moved <= LARGEST_MOVE
        settled = unlike >= PATIENCE and distance_left(found, bound=False)[0] <= LARGEST_LEFT
        found = replace(found, reached=close or settled)
    # Until it is reached, the classes may yet be found separated: then F is small, and this is not the reason.
    if (coefficient > LARGEST_ERROR or se > 10 * LARGEST_ERROR) and (found.reached or before is None):
        raise DataError(
            f"the sums are so coarse that coefficients are uncertain by {max(coefficient, se):.1g} standard errors",
            "set `standardise`, narrow the `range` of features that fill little of theirs, or leave out a feature that "
            "is nearly a sum of others",
        )
    return found


def rounding(fit: Newton) -> tuple[float, float]:
    """The most by which rounding moved a coefficient, in standard errors, and a standard error, as a part of it.

    Let |e_j| <= a be the errors of g, |E_jk| <= b those of F, C = K^-1/2 F K^-1/2 with K = diag(F), l the least
    eigenvalue of C, and s = (sum_j 1 / F_jj) / l. Errors move w by u, F u = e (for linear e - E w), and

        |u_j| / se_j <= sqrt(e' F^-1 e / phi) <= sqrt(|K^-1/2 e|^2 / (l phi)) <= a sqrt(s / phi)

    by Cauchy and Schwarz; for linear with a + b |w|_1 in place of a. The variances (F^-1)_jj move by a part of at most
    t / (1 - t), t = |C^-1/2 K^-1/2 E K^-1/2 C^-1/2| <= b s, and phi by that of the deviance; standard errors by half.
    """
    sums = fit.sums
    if sums is None or fit.step is None:
        raise InternalError("there is no step yet")
    diagonal = np.diag(sums.fisher)
    root = np.sqrt(diagonal)
    least = float(np.linalg.eigvalsh(sums.fisher / np.outer(root, root))[0])
    s = float(np.sum(1 / diagonal)) / max(least, 1e-300)
    a, b, _ = sums.errors
    part = b * s / (1 - b * s) if b * s < 1 else math.inf
    if fit.family != "linear":
        return a * math.sqrt(s), part / 2
    left, doubt = deviance(fit), _doubt(sums)
    if left <= doubt:
        return math.inf, math.inf
    return (a + b * float(np.abs(fit.at).sum())) * math.sqrt(s / dispersion(fit)), (part + doubt / left) / 2


def distance_left(fit: Newton, *, bound: bool) -> tuple[float, float]:
    """How far the fit may be from `fit.at`, in standard errors, and the move m of scores in the step there; linear: 0.

    Args:
        bound: by the largest move of a row within the range, else an estimate by the rows' root mean square.
    """
    if fit.sums is None or fit.step is None:
        raise InternalError("there is no step yet")
    if fit.family == "linear":
        return 0.0, 0.0
    length = math.sqrt(max(0.0, float(fit.sums.gradient @ fit.step)))
    moved = float(np.abs(fit.step).sum()) if bound else length / math.sqrt(fit.sums.fisher[-1, -1])
    moved = min(moved, 100.0)
    return math.exp(2 * moved) * length * (math.expm1(moved) / moved - 1 if moved > 0 else 0.0), moved


def deviance(fit: Newton) -> float:
    """D at `fit.at`: of a linear fit exactly, else at the w before the last step."""
    if fit.sums is None or fit.step is None:
        raise InternalError("there is no step yet")
    fallen = float(fit.sums.gradient @ fit.step) if fit.family == "linear" else 0.0
    return fit.sums.deviance - fallen


def dispersion(fit: Newton) -> float:
    """phi."""
    if fit.family != "linear" or fit.sums is None:
        return 1.0
    return deviance(fit) / (fit.sums.rows - len(fit.at))


def _doubt(sums: Pooled) -> float:
    """How far rounding may move a deviance; of a linear fit the sum of squares and what the step takes off it."""
    return sums.errors[2] + 2.0**-44 * abs(sums.deviance)


def _null_deviance(fit: Newton, sums: Pooled) -> float | None:
    """Of the intercept alone, from the sums at scores of 0."""
    if np.any(sums.w) or fit.family == "poisson":
        return None
    total = float(sums.gradient[-1])
    if fit.family == "linear":
        return sums.deviance - total**2 / sums.rows
    share = total / sums.rows + 0.5
    logs = [part * math.log(part) for part in (share, 1 - share) if 0 < part < 1]
    return -2 * sums.rows * math.fsum(logs)


def _inverse(fisher: Array, singular: DataError) -> Array:
    """F^-1, by Cholesky's factor of F with a unit diagonal."""
    diagonal = np.sqrt(np.maximum(np.diag(fisher), 0.0))
    if not np.all(diagonal > 0):
        raise singular
    try:
        lower = np.linalg.cholesky(fisher / np.outer(diagonal, diagonal))
    except np.linalg.LinAlgError:
        raise singular from None
    if not np.all(np.diag(lower) ** 2 > _SMALLEST_PIVOT):
        raise singular
    half = np.linalg.inv(lower) / diagonal
    inverse: Array = half.T @ half
    return inverse


def _not_found(family: Family) -> DataError:
    separate = {
        "linear": "features are nearly collinear",
        "logistic": "features (or a sum of them) separate the two classes, or nearly",
        "poisson": "features (or a sum of them) tell the rows whose count is 0, or nearly",
    }[family]
    return DataError(
        f"there is no maximum-likelihood fit, or Newton's method did not reach it: {separate}, so that estimates or "
        "their errors are infinite",
        "leave out or join features that only one class has, look for values far from all others, or give more rows; "
        'method = "fedavg" with l2 gives a model without errors',
    )


# -- the result


@dataclass(frozen=True)
class GlmFit:
    """The fit in the columns' own units, the intercept last.

    Args:
        coefficients: (d,); covariance: (d, d).
        dispersion: phi, in the target's own units.
        null_deviance: of the intercept alone, where it is known: linear and logistic, of clients that all took part
            to the end.
        error: the most that rounding moved a coefficient, in standard errors; se_error: a standard error, as a part.
        left: how far coefficients may still be from the fit, in standard errors; se_left: likewise. Estimates, of
            SMALL_ERROR and LARGEST_MOVE at most if the last clients took part in the step before, too.
    """

    family: Family
    coefficients: Array
    covariance: Array
    dispersion: float
    deviance: float
    null_deviance: float | None
    rows: int
    steps: int
    error: float
    se_error: float
    left: float
    se_left: float

    @property
    def df(self) -> int:
        """The residual degrees of freedom, N - d."""
        return self.rows - len(self.coefficients)


def glm_fit(fit: Newton, units: Units, target: Units | None = None) -> GlmFit:
    """The fit that was reached, in own units.

    Args:
        target: the units of a linear model's y; None: its own.

    Raises:
        DataError: it was not reached.
    """
    sums = fit.sums
    if not fit.reached or sums is None:
        raise _not_found(fit.family)
    unit, centre = (1.0, 0.0) if target is None else (float(target.unit[0]), float(target.centre[0]))
    change = units.change()
    coefficients = change @ fit.at * unit
    coefficients[-1] += centre
    phi = dispersion(fit)
    distance, moved = min(distance_left(fit, bound=True), distance_left(fit, bound=False))
    covariance = change @ _inverse(sums.fisher, _not_found(fit.family)) @ change.T * (phi * unit**2)
    square = unit**2 if fit.family == "linear" else 1.0
    return GlmFit(
        fit.family,
        coefficients,
        covariance,
        phi * square,
        deviance(fit) * square,
        None if fit.null_deviance is None else fit.null_deviance * square,
        round(sums.rows),
        fit.steps,
        *rounding(fit),
        distance,
        math.expm1(2 * moved) / 2,
    )


@dataclass(frozen=True)
class Coefficient:
    """A row of the table: the statistic is t with N - d degrees of freedom for linear, else z; a 95 % interval."""

    feature: str
    coefficient: float
    se: float
    statistic: float
    p: float
    low: float
    high: float


def coefficients_table(fit: GlmFit, features: Sequence[str]) -> tuple[Coefficient, ...]:
    """The table, the intercept last."""
    from protocols.evaluation.p_values import of_t, t_quantile
    from protocols.rows.results import INTERCEPT, QUANTILE, Statistic

    linear = fit.family == "linear"
    quantile = t_quantile(fit.df, 0.975) if linear else QUANTILE
    found = []
    for name, b, variance in zip((*features, INTERCEPT), fit.coefficients, np.diag(fit.covariance), strict=True):
        se = math.sqrt(variance)
        ratio = float(b) / se
        p = of_t(Statistic(ratio, fit.df)) if linear else math.erfc(abs(ratio) / math.sqrt(2))
        assert p is not None
        found.append(Coefficient(name, float(b), se, ratio, p, float(b) - quantile * se, float(b) + quantile * se))
    return tuple(found)
