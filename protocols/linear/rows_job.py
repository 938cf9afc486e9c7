"""The job of linear regression where owners have rows of their own: ordinary least squares over all of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Public
from protocols.core.secure_sum import secure_sum
from protocols.disclosure.design_cells import check_design
from protocols.linalg.inverse import collinear
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING
from protocols.linalg.symmetric import invert, symmetric
from protocols.linear.least_squares import Opened, least_squares, reveal_fit
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.rows.blank import blank_rows
from protocols.rows.own_rows import OwnRows
from protocols.scaling.cross_products import open_moments, pooled_covariance
from protocols.scaling.data_summary import missing_counts
from protocols.scaling.row_weights import RowWeights, pooled_weight
from protocols.scaling.standardise import SUM_RING, SUM_SCALE


async def linear_job(p: Party, own: OwnRows | None, settings: LinearSettings) -> LinearFit | None:
    """Sum up each owner's rows, invert under sharing, reveal the coefficients, their errors and how well they fit.

    With weights c and an offset o the fit is that of y - o, and least of sum_i c_i r_i^2 for its residuals r_i: weights
    are one over each row's variance, up to a factor (Seber and Lee 2003, section 3.10), and the degrees of freedom are
    those of the number of rows. Coefficients, errors and tests do not depend on that factor, so weights are divided by
    their mean.

    Reveals whether a cell of the model is small (which ends the run);
    how many values are missing (where asked for); the sum of the weights (where there are any); a power of two
    next to each column's deviation; one bit, whether features are collinear; the coefficients, the diagonal of the
    inverse of X'X (no more of it), the mean square of the residuals and the target's variance; the held-out rows' sums
    where asked for. X'X and X'y, which of two owners would tell each the other's, stay shared, unless the owners agreed
    to open them instead.

    Raises:
        DataError: a column is constant over all owners' rows, or features are collinear; all weights are 0.
    """
    own = own or blank_rows(p, settings)
    await check_design(p, own, settings)
    own = replace(own, made=None)
    p.stage("data summary" if settings.missing else "sums")
    missing = await missing_counts(p, own.missing) if settings.missing else None
    weight = await pooled_weight(p, own.offset_weights_train, settings, math.inf)
    fit = await (_shared if settings.inference == "shared" else _open)(p, own, weight, settings)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        metrics = await _held_out(p, own, fit, sum(settings.test_rows))
    p.stage("done")
    if fit is None:
        return None
    lacking = None if missing is None else tuple(int(count) for count in missing.value)
    summed = weight.total if settings.weighted else None
    return LinearFit(**{**vars(fit), "metrics": metrics, "missing": lacking, "weight": summed})


async def _shared(p: Party, own: OwnRows, weight: RowWeights, settings: LinearSettings) -> LinearFit | None:
    """The fit with all under sharing but the result."""
    d, counts = settings.features, weight.apply(own.offset_weights_train).counts
    p.stage("sums")
    pooled = await pooled_covariance(p, _columns(p, own), settings.train_rows, _names(own, settings), counts)
    p.stage("Gram matrix")
    solution = await least_squares(p, pooled.covariance)
    p.stage("model")
    ones = p.public(p.constant(1 << FACTOR_SCALE, (d,), FACTOR_SCALE, UNITS_RING))
    opened = await reveal_fit(p, solution, pooled.means, ones, ones)
    if p.dry:
        return None
    return fit_of(own.names, opened, pooled.units, sum(settings.train_rows), weight.total)


def fit_of(names: tuple[str, ...], opened: Opened, units: Array, rows: int, weight: float) -> LinearFit:
    """The fit in own units, from what was opened in these units, float64 (d + 1,), the target's last.

    Args:
        weight: what the mean squares are to be multiplied with: how much all rows count.
    """
    factors, unit = np.append(1 / units[:-1], 1.0), float(units[-1])
    left, total = (max(0.0, float(one)) * weight * unit**2 for one in opened.squares.real())
    variances = np.concatenate((opened.variances.real(), opened.intercept.real())) * factors**2
    s2 = left / (rows - len(units))
    return LinearFit(
        names,
        tuple(map(float, opened.coefficients.real() * factors * unit)),
        tuple(float(v) * s2 / weight for v in variances),
        rows,
        left,
        total,
    )


async def _open(p: Party, own: OwnRows, weight: RowWeights, settings: LinearSettings) -> LinearFit | None:
    """The fit from the pooled sums of columns and of products of columns, opened. 1 round."""
    d, rows, counts = settings.features, sum(settings.train_rows), weight.apply(own.offset_weights_train).counts
    p.stage("sums")
    found = await open_moments(p, _columns(p, own), settings.train_rows, _names(own, settings), counts)
    if p.dry:
        return None
    matrix = symmetric(found.correlation, d + 1)
    inverse = invert([row[:d] for row in matrix[:d]], collinear())
    deviation, r = found.deviation, [matrix[j][d] for j in range(d)]
    w = [math.fsum(a * b for a, b in zip(row, r, strict=True)) for row in inverse]
    fitted = [math.fsum(a * b for a, b in zip(row, w, strict=False)) for row in matrix[:d]]
    left = 1 - math.fsum(a * (2 * b - c) for a, b, c in zip(w, r, fitted, strict=True))
    b = [a * deviation[d] / s for a, s in zip(w, deviation, strict=False)]
    c = [m / s for m, s in zip(found.mean, deviation[:d], strict=False)]
    intercept = found.mean[d] - math.fsum(a * m for a, m in zip(b, found.mean, strict=False))
    residual = max(0.0, left) * weight.total * deviation[d] ** 2
    scale = residual / (rows - d - 1) / weight.total
    own_variances = [scale * inverse[j][j] / deviation[j] ** 2 for j in range(d)]
    turned = math.fsum(a * v * e for a, row in zip(c, inverse, strict=True) for v, e in zip(row, c, strict=True))
    variances = (*own_variances, scale * (1 + turned))
    return LinearFit(own.names, (*b, intercept), variances, rows, residual, weight.total * deviation[d] ** 2)


async def _held_out(p: Party, own: OwnRows, fit: LinearFit | None, rows: int) -> dict[str, dict[str, Any]] | None:
    """The fit's errors on the held-out rows of all owners, each counted once. 1 round; reveals four sums."""

    def sums() -> Array:
        b, y = np.array(fit.coefficients if fit else ()), own.offset_weights_test.subtract_offset(own.y_test)
        e = y - (own.x_test @ b[:-1] + b[-1])
        of_rows = np.array([(e**2).sum(), np.abs(e).sum(), y.sum(), (y**2).sum()])
        return encode(of_rows, SUM_SCALE, SUM_RING, what="a sum of held-out rows")

    words = p.compute(sums, shape=(4,))
    why = "how far the fit is off: sums of squared and absolute errors, of the target and its square"
    total = await secure_sum(p, words, SUM_SCALE, SUM_RING, what="metric sums (test)", why=why, label="metric sums")
    return None if p.dry else {"test": _metrics(total, rows)}


def _metrics(sums: Public, rows: int) -> dict[str, Any]:
    squared, absolute, y, yy = (int(v) for v in SUM_RING.centred(sums.value))
    one = 1 << SUM_SCALE
    spread = (rows * yy * one - y * y) / (rows * one * one)
    left = squared / one
    r2 = 1 - left / spread if spread > 0 else None
    return {"rows": rows, "r2": r2, "rmse": math.sqrt(max(0.0, left) / rows), "mae": absolute / one / rows}


def _columns(p: Party, own: OwnRows) -> Array:
    """The features and, last, the target less the offset (m, d + 1) of an owner's rows in the fit."""
    rows, d = own.x_train.shape
    return p.compute(
        lambda: np.column_stack((own.x_train, own.offset_weights_train.subtract_offset(own.y_train))),
        shape=(rows, d + 1),
    )


def _names(own: OwnRows, settings: LinearSettings) -> tuple[str, ...]:
    return (*own.names, f"{settings.target} (the target)")
