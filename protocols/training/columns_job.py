"""The job where every owner has other columns of the same patients: one logistic regression on all of them.

Aligning the rows discloses only whether the owners' lists of ids are equal. Scaling discloses nothing: each owner
standardises its own columns. The model leaves the sharing in the columns' own units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.errors import DataError
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.disclosure.design_cells import checked_columns
from protocols.evaluation.column_scores import input_scores
from protocols.evaluation.shared_model import check_rows, check_wide_rows, evaluate_kept, keep
from protocols.evaluation.shared_scores import evaluate_shared
from protocols.linalg.original_units import in_original_units
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnColumns, joint_names
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.scaling.fixed_point_check import check_fit
from protocols.scaling.own_columns import own_numbers, own_scaling, side_by_side
from protocols.scaling.standardise import Moments
from protocols.training.form import descent_for
from protocols.training.train import TrainedWeights, train_model


async def vertical_job(p: Party, own: OwnColumns | None, settings: TrainingSettings) -> Trained | None:
    """Check that the rows are the same, standardise, train, check the range, reveal the model and its metrics.

    A dry party has no rows. Reveals whether all owners' ids are the same, whether a cell of the model is small (which
    ends the run), whether the range held, whether a full-batch solver converged, the model in the columns' own units
    (the weights would be the same numbers had the owners put their columns into one table), and where asked for the
    metrics' sums, as with rows that are split. Means and deviations stay with the columns' owner, and so does what its
    columns add to a row's score. All else that is opened is under uniform masks. Of a model that is kept instead,
    nothing is opened but the metrics' sums: see shared_model.py.

    Raises:
        DataError: the owners' ids differ; a column of this owner is constant, too large or too small for fixed point;
            with the metrics, a row's values are so far off that its score does not fit (the model is open by then).
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    how = descent_for(settings)
    own = await checked_columns(p, own, settings)

    p.stage("standardisation")
    scaling = own_scaling(p, own, standardise=bool(settings.standardise))
    train = scaling.apply(own.x_train)
    p.insist(
        lambda: check_fit(train, own.names[p.name], p.name, standardised=bool(settings.standardise)),
        lambda: DataError("a feature does not fit"),
    )

    p.stage("sharing")
    words = p.compute(encode, train, X_SCALE, shape=train.shape)
    if not settings.reveal_model:
        p.insist(
            lambda: check_wide_rows(p.name, train, own.names[p.name], len(p.owners)),
            lambda: DataError("a row does not fit"),
        )
        x, y = _input_columns(p, words, own.y_train, own, settings.train_rows[0])
        return await _kept(p, own, await train_model(p, x, y, train, how, settings), scaling, (x, y), settings)
    fitted = await train_model(
        p, *_input_columns(p, words, own.y_train, own, settings.train_rows[0]), train, how, settings
    )

    p.stage("model")
    opened = await _reveal_model(p, fitted.weights, scaling, own, settings)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        metrics = await evaluate_shared(p, input_scores(p, opened, own, settings))
    p.stage("done")
    return None if p.dry else _trained(own, opened.real(), settings, metrics, fitted.converged)


async def _kept(
    p: Party,
    own: OwnColumns,
    fitted: TrainedWeights,
    scaling: Moments,
    train: tuple[Share, Share],
    settings: TrainingSettings,
) -> Trained | None:
    """The rest of the job where nobody sees the model: as with rows that are split (rows_job.py)."""
    p.stage("model")
    kept, units = await keep(p, fitted.weights), Units.known(scaling.mean, scaling.deviation)
    metrics = None
    if settings.metrics:
        p.stage("evaluation")
        sets = {"train": train}
        (held_out,) = settings.test_rows
        if held_out:
            p.insist(
                lambda: check_rows(p.name, own.x_test, units, own.names[p.name], "the held-out rows", len(p.owners)),
                lambda: DataError("a row does not fit"),
            )
            x_test = p.compute(lambda: encode(units.apply(own.x_test), X_SCALE), shape=own.x_test.shape)
            sets["test"] = _input_columns(p, x_test, own.y_test, own, held_out)
        metrics = await evaluate_kept(p, kept, sets)
    p.stage("done")
    if p.dry:
        return None
    shared = SharedModel(kept, units)
    return Trained(joint_names(own.names), (), 0.0, (), metrics, kept=shared, converged=fitted.converged)


def _input_columns(p: Party, words: Array, labels: Array, own: OwnColumns, rows: int) -> tuple[Share, Share]:
    """All owners' columns of one set of rows side by side, and the labels, from this owner's own."""
    x = side_by_side(p, words, own.names, rows)
    if p.dry:
        return x, Share(abstract((rows,)))
    y = labels.astype(np.uint64) if own.target_owner == p.name else None
    return x, p.input(own.target_owner, y, (rows,), 0)


async def _reveal_model(p: Party, w: Share, scaling: Moments, own: OwnColumns, settings: TrainingSettings) -> Public:
    """The model in the columns' own units (d + 1,), the intercept last. 1 round, or 4 with standardised columns."""
    why = "the agreed result: the weights and the intercept"
    if settings.standardise:
        factors = own_numbers(p, 1 / scaling.deviation, own)
        shifts = own_numbers(p, scaling.mean / scaling.deviation, own)
        w = await in_original_units(p, w, factors, shifts)
        why += ", in the columns' own units; means and deviations stay with their owner"
    (opened,) = await p.reveal(w, what="model", why=why, label="model")
    return opened


def _trained(
    own: OwnColumns,
    w: Array,
    settings: TrainingSettings,
    metrics: dict[str, dict[str, Any]] | None,
    converged: bool | None,
) -> Trained:
    weights, intercept = tuple(map(float, w[:-1])), float(w[-1])
    standardised = () if settings.standardise else (*weights, intercept)
    return Trained(joint_names(own.names), weights, intercept, standardised, metrics, converged=converged)
