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

What the server sees, and what a client asks of its own rows before it takes part, is in sums.py. A linear fit
has one sum alone, so no differences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mpc.errors import DataError, InternalError
from mpc.ring.array import Array
from protocols.federated.coding import Layout
from protocols.federated.newton.sums import Family
from protocols.linalg.inverse import collinear
from protocols.linalg.symmetric import places
from protocols.linear.table import EXACT

SMALL_ERROR = 1e-6
"""Of standard errors: so far is the last step's end from the fit at most."""
LARGEST_MOVE = 5e-5
"""Of scores, in the last step."""
LARGEST_LEFT = 0.05
"""Of standard errors: the same, estimated, where the clients are others in each step; of scores, twice that."""
PATIENCE = 3
"""Steps in a row whose clients are not those of the step before."""
LARGEST_ERROR = 1e-5
"""Of standard errors: what the rounding of the sums may move a coefficient; ten times that, of a standard error."""
MOST_STEPS = 18
MOST_HALVINGS = 30
_SMALLEST_PIVOT = 2.0**-40  # of a diagonal entry, as in linalg/symmetric.py


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


def start(family: Family, columns: int) -> Newton:
    """The start: scores of 0 of all rows, by so many columns and an intercept."""
    return Newton(family, np.zeros(columns + 1))


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
            raise not_found(fit.family)
        length = fit.length / 2
        return replace(fit, at=fit.base + length * fit.step, length=length)
    if fit.steps == MOST_STEPS:
        raise not_found(fit.family)
    if sums.rows <= len(sums.w):
        raise DataError(
            f"{sums.rows:.0f} rows of all clients are too few for {len(sums.w)} coefficients",
            "name fewer `features`, or wait for more clients",
        )
    inverse = _inverse(sums.fisher, collinear() if before is None else not_found(fit.family))
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
        distance, moved = distance_left(found, bound=False)
        settled = unlike >= PATIENCE and distance <= LARGEST_LEFT and moved <= 2 * LARGEST_LEFT
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


def covariance(fit: Newton) -> Array:
    """phi F^-1 (d, d), at the w before the last step."""
    if fit.sums is None:
        raise InternalError("there is no step yet")
    return dispersion(fit) * _inverse(fit.sums.fisher, not_found(fit.family))


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


def not_found(family: Family) -> DataError:
    """The error for a fit that does not exist, or that was not reached."""
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
