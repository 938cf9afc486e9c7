"""The job of statistical inference where every owner has other columns of the same patients.

As training/columns_job.py: each owner standardises its own columns, and coefficients and variances leave the sharing
in the columns' own units. With f_j = 1 / deviation_j and t = (-mean_j / deviation_j, 1), of which each owner knows its
own,

    variance_j = V_jj f_j^2          of the intercept: t' V t

for the covariance V of the standardised weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from protocols.core.wide import lowered, wide_truncate
from protocols.disclosure.design_cells import checked_columns
from protocols.evaluation.calibration import enough
from protocols.evaluation.column_scores import input_scores
from protocols.evaluation.null_model import null_loss
from protocols.evaluation.shared_calibration import calibrate_shared
from protocols.evaluation.shared_scores import evaluate_with_histograms
from protocols.evaluation.weighted_likelihood import vertical_likelihoods
from protocols.inference.irls import ROW_SCALE, SCORE_SCALE, Design, Fitted, Newton, fit, newton_of
from protocols.inference.rows_job import rounded_rows
from protocols.inference.table import inference
from protocols.linalg.held import hold
from protocols.linalg.original_units import in_original_units, variances_in_original_units
from protocols.linalg.symmetric import pairs
from protocols.rows.own_rows import OwnColumns, joint_names
from protocols.rows.results import FitLosses, Trained
from protocols.rows.settings import TrainingSettings
from protocols.scaling.column_weights import largest_weight
from protocols.scaling.fixed_point_check import check_fit
from protocols.scaling.own_columns import entered, own_numbers, own_scaling, side_by_side
from protocols.scaling.standardise import Moments

COVARIANCE_SCALE = 48  # over Z_2^64: irls.LARGEST_VARIANCE fits


async def vertical_inference_job(p: Party, own: OwnColumns | None, settings: TrainingSettings) -> Trained | None:
    """Check that the rows are the same, fit under sharing, reveal coefficients and standard errors in own units.

    Reveals whether all owners' ids are the same, whether a cell of the model is small (which ends the
    run), a power of two no smaller than any weight (where rows have any), two
    bits (whether features are collinear, whether the fit was reached), the model and the variances of its coefficients,
    and the metrics' sums where asked for, from which the log-likelihood follows, or with weights or an offset two
    log-likelihoods besides; and the calibration where asked for. Means and deviations stay with the columns' owner.

    Raises:
        DataError: the owners' ids differ, a column is constant or does not fit, features are collinear, or the
            classes can be separated.
    """
    own = await checked_columns(p, own, settings)
    p.stage("standardisation")
    scaling = own_scaling(p, own)
    train = scaling.apply(own.x_train)
    p.insist(
        lambda: check_fit(train, own.names[p.name], p.name, standardised=True),
        lambda: DataError("a feature does not fit"),
    )
    (rows,) = settings.train_rows
    how = newton_of(settings)
    p.stage("sharing")
    unit = await largest_weight(p, own, settings)
    design = await _share(p, train, own, how, unit, settings)
    y = own.y_train.astype(np.uint64) if own.target_owner == p.name and not p.dry else None
    fitted = await fit(p, design, p.input(own.target_owner, y, (rows,), 0), how)
    p.stage("model")
    model, variances = await _reveal(p, fitted, scaling, own, settings.features)
    metrics, sums, weight, calibration = None, None, None, None
    if settings.metrics:
        p.stage("evaluation")
        sets = input_scores(p, model, own, settings)
        metrics, histograms = await evaluate_with_histograms(p, sets)
        if settings.weighted or settings.offset:
            likelihoods = await vertical_likelihoods(p, sets["train"], own, unit, settings)
            sums, weight = likelihoods or (None, None)
        elif not p.dry:
            loss, positives = metrics["train"]["log_loss"] * rows, metrics["train"]["positives"]
            sums = FitLosses(loss, null_loss(positives, rows), positives)
        if settings.calibration is not None:
            counted = {
                name: (scored, histograms[name])
                for name, scored in sets.items()
                if enough(scored.z.shape, settings.calibration)
            }
            calibration = await calibrate_shared(p, counted, settings.calibration)
    p.stage("done")
    if p.dry:
        return None
    names, coefficients = joint_names(own.names), model.real().tolist()
    weight = weight if settings.weighted else None
    found = inference(names, coefficients, (variances / unit).tolist(), rows, sums, weight)
    original_units = tuple(coefficients[:-1])
    trained = Trained(names, original_units, coefficients[-1], (), metrics, inference=found)
    return replace(trained, calibration=calibration, converged=True)


async def _share(
    p: Party, train: Array, own: OwnColumns, how: Newton, unit: float, settings: TrainingSettings
) -> Design:
    """All owners' columns side by side with a last one of ones, and the products of each two, held. 3 rounds, or 5.

    An owner works out the squares of its own columns. All other products are of shared values, two columns of one
    owner's too: a plan knows how many columns there are, and not whose. Where rows are weighted, all are.
    """
    (rows,), offset_weights = settings.train_rows, own.offset_weights_train
    j, k = pairs(how.columns)
    crossed = (j != k) & (k != how.columns - 1)
    offset = entered(p, own, offset_weights.offset, (rows,), SCORE_SCALE) if settings.offset else None
    mine = p.compute(lambda: rounded_rows(train)[:, :-1], shape=train.shape)
    features = side_by_side(p, p.compute(encode, mine, ROW_SCALE, shape=mine.shape), own.names, rows, ROW_SCALE)
    ones = p.public(p.constant(1 << ROW_SCALE, (rows, 1), ROW_SCALE))
    x = Share(np.concatenate((features.value, ones.value), axis=1), ROW_SCALE)
    if settings.weighted:
        counts = None if offset_weights.counts is None else offset_weights.counts / unit
        c = entered(p, own, counts, (rows,), ROW_SCALE)
        weighted = await multiply(p, c.reshape(rows, 1), x, label="weighted rows")
        counted = await truncate(p, weighted, ROW_SCALE)
        products = await multiply(p, counted[:, j], x[:, k], label="products of columns")
        cut = await truncate(p, products, products.scale - how.squares)
        rows_held, counted_held, squares_held = await together(hold(p, x), hold(p, counted), hold(p, cut))
        return Design(rows_held, counted_held, squares_held, offset)
    squares = p.compute(_own_squares, p, mine, own, how, shape=(rows, len(j)))
    if crossed.any():
        products = await multiply(p, x[:, j[crossed]], x[:, k[crossed]], label="products of columns")
        cut = await truncate(p, products, products.scale - how.squares)
        if not p.dry:
            squares[:, crossed] = cut.value
    rows_held, squares_held = await together(hold(p, x), hold(p, Share(squares, how.squares)))
    return Design(rows_held, rows_held, squares_held, offset)


def _own_squares(p: Party, mine: Array, own: OwnColumns, how: Newton) -> Array:
    """This owner's share of the products with itself and with one of each column: those of its own as they are."""
    owners = list(own.names)
    start = sum(len(own.names[name]) for name in owners[: owners.index(p.name)])
    d, (m, width) = how.columns, mine.shape
    whole = np.zeros((m, d))
    whole[:, start : start + width] = mine
    whole[:, -1] = 1.0
    j, k = pairs(d)
    products = whole[:, j] * whole[:, k]
    if owners[0] != p.name:
        products[:, -1] = 0.0  # 1 x 1, which the first owner holds
    return encode(products, how.squares)


async def _reveal(p: Party, fitted: Fitted, scaling: Moments, own: OwnColumns, features: int) -> tuple[Public, Array]:
    """The model, and the variances of its coefficients, float64 (d + 1,), in own units, intercepts last. 7 rounds."""
    factors = own_numbers(p, p.compute(lambda: 1 / scaling.deviation, shape=scaling.deviation.shape), own)
    squared = own_numbers(p, p.compute(lambda: 1 / scaling.deviation**2, shape=scaling.deviation.shape), own)
    shifts = own_numbers(p, p.compute(lambda: scaling.mean / scaling.deviation, shape=scaling.mean.shape), own)
    covariance = await wide_truncate(p, fitted.covariance, fitted.covariance.scale - COVARIANCE_SCALE)
    w, (low, intercept) = await together(
        in_original_units(p, Share(Z64.reduce(fitted.w.value), fitted.w.scale), factors, shifts),
        variances_in_original_units(p, lowered(covariance), squared, shifts),
    )
    why = "the agreed result: the weights and the intercept, in the columns' own units; means and deviations stay"
    errors = "the agreed result: the variance of each coefficient, in own units"
    model, variances = await together(
        p.reveal(w, what="model", why=f"{why} with their owner", label="model"),
        p.reveal(low, intercept, what="standard errors", why=errors, label="variances"),
    )
    opened = p.compute(lambda: np.concatenate([part.real() for part in variances]), shape=(features + 1,))
    return model[0], opened
