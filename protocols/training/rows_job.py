"""The main job: several owners' rows, one logistic regression, and how good it is."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.stacked import Stacked, stack
from protocols.disclosure.design_cells import check_design
from protocols.evaluation.metrics import Bins, Scored, bins_for, evaluate, mean_score
from protocols.evaluation.shared_model import check_rows, check_wide_rows, evaluate_kept, keep
from protocols.linalg.original_units import in_original_units
from protocols.rows.blank import blank_rows
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import DataSummary, Trained
from protocols.rows.settings import TrainingSettings
from protocols.scaling.data_summary import summarise
from protocols.scaling.fixed_point_check import check_fit
from protocols.scaling.private_scales import PrivateScales, check_reach, private_scales
from protocols.scaling.standardise import Moments, moments
from protocols.training.accelerated import Accelerated
from protocols.training.bit_budget import SMALLEST_DEVIATION
from protocols.training.descent import Descent
from protocols.training.dual import DualDescent
from protocols.training.form import descent_for
from protocols.training.train import TrainedWeights, train_model


async def training_job(p: Party, own: OwnRows | None, settings: TrainingSettings) -> Trained | None:
    """Standardise, train, check the range, reveal the model and its metrics. A dry party has no rows.

    Trains in the form that costs less, which changes nothing in what is revealed: in this order, whether a cell of
    the model is small (which ends the run), the summary of the data, the pooled means and standard deviations (each
    where asked for; with private standardisation only powers of two next to the deviations), whether the range held,
    whether a full-batch solver converged, the model, the mean score (without standardisation) and the pooled metrics'
    sums (where asked for). Nothing else is opened but under uniform masks. Of a model that is kept instead, no score is
    opened either: see shared_model.py.

    Raises:
        DataError: a feature is constant, too large or too small for fixed point.
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    own = own or blank_rows(p, settings)
    how = descent_for(settings)
    await check_design(p, own, settings)
    own = replace(own, made=None)
    summary = await summarise(p, own, settings)
    p.stage("standardisation")
    if settings.standardise == "private":
        return await _with_private_scales(p, own, how, settings, summary)
    scaling = await _scaling(p, own, settings)
    train = scaling.apply(own.x_train)
    own = replace(own, x_train=train)  # lets go of the rows as they were: a table may be large
    if isinstance(how, DualDescent) and settings.standardise:
        p.insist_jointly(lambda: _wide_enough(scaling, own.names), lambda: DataError("a feature does not fit"))
    p.insist(
        lambda: check_fit(train, own.names, p.name, standardised=bool(settings.standardise)),
        lambda: DataError("a feature does not fit"),
    )

    p.stage("sharing")
    if not settings.reveal_model:
        p.insist(lambda: check_wide_rows(p.name, train, own.names), lambda: DataError("a row does not fit"))
        x, y = _input_rows(p, train, own.y_train, settings.train_rows)
        fitted, units = await train_model(p, x, y, train, how, settings), Units.known(scaling.mean, scaling.deviation)
        return await _kept(p, own, fitted, units, (x.share, y), settings, summary)
    fitted = await train_model(p, *_input_rows(p, train, own.y_train, settings.train_rows), train, how, settings)

    p.stage("model")
    why = "the agreed result: the weights and the intercept"
    (opened,) = await p.reveal(fitted.weights, what="model", why=why, label="model")
    p.stage("evaluation")
    metrics = None
    if settings.metrics:
        weights = p.compute(opened.real, shape=opened.shape)
        sets = _sets(p, own, train, p.compute(scaling.apply, own.x_test, shape=own.x_test.shape), weights, settings)
        middle = None
        if not settings.standardise:
            middle = await mean_score(p, sets["train"], sum(settings.train_rows))
        metrics = await evaluate(p, sets, _bins(p, weights, middle))
    p.stage("done")
    return None if p.dry else _trained(own.names, opened.real(), scaling, metrics, summary, fitted.converged)


async def _with_private_scales(
    p: Party,
    own: OwnRows,
    how: Descent | DualDescent | Accelerated,
    settings: TrainingSettings,
    summary: DataSummary | None,
) -> Trained | None:
    """The rest of the job with private scales: no mean and no deviation is disclosed; the model is in own units."""
    scales = await private_scales(p, own.x_train, settings.train_rows, own.names)
    total = sum(settings.train_rows)
    p.insist(
        lambda: check_reach(own.x_train, scales.scale, own.names, p.name, total),
        lambda: DataError("a feature does not fit"),
    )
    p.stage("sharing")
    scaled = p.compute(lambda: own.x_train / scales.scale, shape=own.x_train.shape)
    x, y = _input_rows(p, scaled, own.y_train, settings.train_rows)
    centred = x.share - scales.mean_words
    fitted = await train_model(p, centred, y, scaled, how, settings)
    if not settings.reveal_model:
        units = _private_units(p, scales, own.x_train, total)
        p.insist(
            lambda: check_wide_rows(
                p.name, np.abs((own.x_train - units.centre) / units.scale) + units.slack, own.names
            ),
            lambda: DataError("a row does not fit"),
        )
        return await _kept(p, own, fitted, units, (centred, y), settings, summary)

    p.stage("model")
    original_units = await in_original_units(p, fitted.weights, scales.factors(p), scales.shifts)
    why = "the agreed result: the weights and the intercept, in the features' own units; means stay secret"
    (opened,) = await p.reveal(original_units, what="model", why=why, label="model")
    p.stage("evaluation")
    metrics, weights = None, p.compute(opened.real, shape=opened.shape)
    if settings.metrics:
        # Around 0, where probability is 1/2: the mean score would tell a sum of the means.
        steepness = p.compute(lambda: weights[:-1] * scales.scale, shape=scales.scale.shape)
        bins = _bins(p, p.compute(np.append, steepness, 0.0, shape=weights.shape), None)
        metrics = await evaluate(p, _sets(p, own, own.x_train, own.x_test, weights, settings), bins)
    p.stage("done")
    if p.dry:
        return None
    trained = Trained(own.names, tuple(map(float, weights[:-1])), float(weights[-1]), (), metrics, summary)
    return replace(trained, converged=fitted.converged)


async def _kept(
    p: Party,
    own: OwnRows,
    fitted: TrainedWeights,
    units: Units,
    train: tuple[Share, Share],
    settings: TrainingSettings,
    summary: DataSummary | None,
) -> Trained | None:
    """The rest of the job where nobody sees the model: each owner keeps its share, and the metrics come from shares."""
    p.stage("model")
    kept = await keep(p, fitted.weights)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        sets = {"train": train}
        if sum(settings.test_rows):
            p.insist(
                lambda: check_rows(p.name, own.x_test, units, own.names, "the held-out rows"),
                lambda: DataError("a row does not fit"),
            )
            test = p.compute(units.apply, own.x_test, shape=own.x_test.shape)
            x, y = _input_rows(p, test, own.y_test, settings.test_rows)
            sets["test"] = (x.share - units.shift, y)
        metrics = await evaluate_kept(p, kept, sets)
    p.stage("done")
    if p.dry:
        return None
    shared = SharedModel(kept, units)
    return Trained(own.names, (), 0.0, (), metrics, summary, kept=shared, converged=fitted.converged)


def _private_units(p: Party, scales: PrivateScales, x: Array, total: int) -> Units:
    """Rows divided by public powers of 2, less means that nobody knows but that lie not too far from this owner's."""
    mean = p.compute(np.zeros, scales.scale.shape, shape=scales.scale.shape)
    centre = p.compute(lambda: x.mean(axis=0), shape=scales.scale.shape)
    return Units(mean, scales.scale, p.refreshed(scales.mean_words), centre, math.sqrt(total / max(1, len(x))))


def _sets(
    p: Party, own: OwnRows, train: Array, test: Array, weights: Array, settings: TrainingSettings
) -> dict[str, Scored]:
    """This owner's training rows, and its held-out rows if any owner has some, scored by the open model."""
    sets = {"train": _scored(p, train, own.y_train, weights)}
    if sum(settings.test_rows):
        sets["test"] = _scored(p, test, own.y_test, weights)
    return sets


def _bins(p: Party, weights: Array, middle: Array | None) -> Bins:
    if p.dry:
        return bins_for(np.zeros(2))
    return bins_for(weights, None if middle is None else float(middle[0]))


async def _scaling(p: Party, own: OwnRows, settings: TrainingSettings) -> Moments:
    if settings.standardise:
        return await moments(p, own.x_train, sum(settings.train_rows), own.names)
    return Moments(np.zeros(settings.features), np.ones(settings.features))


def _input_rows(p: Party, own_rows: Array, labels: Array, counts: tuple[int, ...]) -> tuple[Stacked, Share]:
    """All owners' rows of one set stacked, and their labels, from this owner's own; `counts` of each owner's."""
    return stack(p, own_rows, X_SCALE, counts), stack(p, labels, 0, counts).share


def _scored(p: Party, x: Array, y: Array, weights: Array) -> Scored:
    return Scored(p.compute(lambda: x @ weights[:-1] + weights[-1], shape=(len(x),)), y)


def _wide_enough(scaling: Moments, names: tuple[str, ...]) -> bool:
    """Whether each column's spread is known to enough digits to bound its standardised values; raises if not."""
    narrow = [name for name, spread in zip(names, scaling.deviation, strict=True) if spread < SMALLEST_DEVIATION]
    if narrow:
        raise DataError(f"column {', '.join(narrow)} has values too close to each other", "give it in smaller units")
    return True


def _trained(
    names: tuple[str, ...],
    w: Array,
    scaling: Moments,
    metrics: dict[str, dict[str, Any]] | None,
    summary: DataSummary | None,
    converged: bool | None,
) -> Trained:
    raw = w[:-1] / scaling.deviation
    intercept = float(w[-1]) - float(np.sum(raw * scaling.mean))
    standardised = tuple(map(float, w))
    return Trained(names, tuple(map(float, raw)), intercept, standardised, metrics, summary, converged=converged)
