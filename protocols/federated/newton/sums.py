"""A client's part of a generalised linear model's fit: its gradient, Fisher matrix and deviance, coded, at a public w.

    eta = X w     mu = h(eta)     g = X'(y - mu)     F = X' diag(v(mu)) X     D = sum of the rows' deviances

for columns within -1 and 1 (units.py). So every entry has a bound that follows from w and the number of rows; a poisson
model's means alone have none that is of use, and a client whose sums are beyond what is coded says so.

What the server sees: g, F, D and N at each w, summed over the clients that took part, and with F of flags the numbers
of rows of each combination of two of them. If clients take part in one step and not in the next, and w hardly
moved, the difference of the two sums is nearly those clients' own: of one client, its own g and F. So each client
asks `small_cells` of its own rows before it takes part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from protocols.aggregation.parts.quantise import MOST_BITS
from protocols.disclosure.own_design import OwnDesign, plain
from protocols.federated.coding import Layout, Part, scale_within
from protocols.federated.models import Rows

Family = Literal["linear", "logistic", "poisson"]
MEANS_ABOVE = 8.0
"""A poisson model's means may be so many times the largest count, on a client's average."""
_SLACK = 1 + 1e-9  # of bounds, for the rounding of float64 sums


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
    largest sum that n clients could have: see `rounding` in steps.py.

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
