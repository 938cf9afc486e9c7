"""The plaintext reference of a training: numpy float64, the exact sigmoid, the same split, batches and metrics.

It needs everybody's rows in one place. So it is for tests, and for runs on one machine, which compare the joint model
with the same training on all rows in the clear and with each owner's own model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mpc.ring.array import Array
from protocols.evaluation.auc_interval import auc_interval
from protocols.evaluation.auc_pairs import ranked_right
from protocols.inference.rows_job import with_ones
from protocols.linalg.held import Rows
from protocols.plain.accelerated import accelerated_reference
from protocols.plain.maximum_likelihood import newton, sigmoid
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.scaling.private_scales import plain_scales
from protocols.training.accelerated import Accelerated
from protocols.training.batches import batches
from protocols.training.class_weights import WEIGHT_SCALE, ClassWeights, balanced, scaled
from protocols.training.form import accelerated_for
from protocols.training.train import lighter

_ROUNDING = 2.0**-40  # a spread below this part of the mean is what is left of the rounding of the sums


@dataclass(frozen=True)
class ReferenceModel:
    """A model that was trained in the clear.

    Args:
        weights: in standardised units, the intercept last: float64 (d + 1,).
        mean: subtracted from each feature (d,); zeros without standardisation.
        deviation: the divisor of each feature (d,); infinite for a constant feature, which so has no effect.
        largest_score: the largest |z| of any row of any step, with the weights before the step.
        largest_weight: the largest |w| before any step.
        steps: how many steps were taken.
    """

    weights: Array = field(repr=False)
    mean: Array = field(repr=False)
    deviation: Array = field(repr=False)
    largest_score: float
    largest_weight: float
    steps: int = 0

    @staticmethod
    def in_own_units(weights: Array) -> ReferenceModel:
        """A model with these weights (d + 1,) of features in their own units, the intercept last."""
        d = len(weights) - 1
        return ReferenceModel(weights, np.zeros(d), np.ones(d), 0.0, 0.0)

    def scores(self, x: Array) -> Array:
        """z for rows x (m, d) in the features' own units."""
        scores: Array = ((x - self.mean) / self.deviation) @ self.weights[:-1] + self.weights[-1]
        return scores


def fit_reference(
    x: Array,
    y: Array,
    steps: Sequence[Rows],
    rate: float,
    l2: float,
    *,
    standardise: bool,
    c: Array | None = None,
    scale: Array | None = None,
) -> ReferenceModel:
    """Mini-batch gradient descent from w = 0 on rows that are all in one place.

    Args:
        x: training rows, float64 (m, d), in the features' own units.
        y: labels 0/1 (m,).
        steps: the rows of each mini-batch.
        rate: how far a step goes, over the batch's mean gradient.
        l2: the penalty's strength; the intercept is not penalised.
        standardise: whether each feature is first brought to mean 0 and (population) deviation 1.
        c: how much each row counts (m,); all alike where left out.
        scale: what to divide by instead of the deviation (d,).
    """
    counts = np.ones(len(x)) if c is None else c
    mean, deviation = _moments(x) if standardise else (np.zeros(x.shape[1]), np.ones(x.shape[1]))
    if scale is not None:
        deviation = scale
    ready = with_ones((x - mean) / deviation)
    w = np.zeros(x.shape[1] + 1)
    decay = np.append(np.full(x.shape[1], rate * l2), 0.0)
    score, weight = 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # settings that diverge give infinities, not a warning
        for rows in steps:
            batch = ready[rows.index]
            z = batch @ w
            score, weight = max(score, float(np.abs(z).max())), max(weight, float(np.abs(w).max()))
            w = w - (rate / len(batch)) * (batch.T @ (counts[rows.index] * (sigmoid(z) - y[rows.index]))) - decay * w
    return ReferenceModel(w, mean, deviation, score, weight, len(steps))


def pooled(rows: Sequence[OwnRows], settings: TrainingSettings) -> ReferenceModel:
    """The expected result of the joint training: the same batches over all owners' rows, in the settings' order."""
    counts = {owner: len(own.y_train) for owner, own in zip(settings.row_groups, rows, strict=True)}
    x = np.concatenate([own.x_train for own in rows])
    y = np.concatenate([own.y_train for own in rows])
    offset_weights = OffsetWeights.joined([own.offset_weights_train for own in rows])
    return _fit(x, y, counts, settings, _scale([own.x_train for own in rows], settings), offset_weights)


def alone(owner: str, own: OwnRows, settings: TrainingSettings) -> ReferenceModel:
    """One owner's own model with the same settings: own training rows, own standardisation, own batches.

    A column that is constant at this owner gets weight 0; rows of one class give a model that predicts it; no rows
    give the model that predicts 1/2.
    """
    scale = _scale([own.x_train], settings)
    return _fit(own.x_train, own.y_train, {owner: len(own.y_train)}, settings, scale, own.offset_weights_train)


def ended_after(settings: TrainingSettings, taken: int | None) -> TrainingSettings:
    """The same training, where its end was left to stop tests, with as many steps as a run of it took."""
    if settings.tolerance is None or taken is None:
        return settings
    return replace(settings, iterations=taken, tolerance=None)


def reference_metrics(
    model: ReferenceModel, x: Array, y: Array, offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS
) -> dict[str, Any]:
    """A model's metrics on rows x (m, d) with labels 0/1 (m,), as `metrics.evaluate` gives them for one set.

    The AUC is exact, ties count half; what is undefined (no rows, or one class only) is None.
    """
    z = offset_weights.add_offset(model.scores(x))
    says, sick = z >= 0, y == 1
    rows, positives = len(y), int(sick.sum())
    confusion = {
        "true_positives": int(np.sum(says & sick)),
        "false_positives": int(np.sum(says & ~sick)),
        "true_negatives": int(np.sum(~says & ~sick)),
        "false_negatives": int(np.sum(~says & sick)),
    }
    right = confusion["true_positives"] + confusion["true_negatives"]
    with np.errstate(invalid="ignore"):
        loss = float(np.sum(np.logaddexp(0, z) - y * z))
        brier = float(np.sum((sigmoid(z) - y) ** 2))
    auc = _auc(z[sick], z[~sick])
    return {
        "rows": rows,
        "positives": positives,
        "accuracy": right / rows if rows else None,
        "auc": auc,
        "auc_error": None if auc is None else 0.0,
        **auc_interval(auc, positives, rows - positives),
        "log_loss": loss / rows if rows else None,
        "brier": brier / rows if rows else None,
        "confusion": confusion,
    }


def reference_sets(model: ReferenceModel, rows: Sequence[OwnRows]) -> dict[str, dict[str, Any]]:
    """A model's metrics on the pooled training rows of these owners and, if there are any, on their test rows."""
    sets = {
        "train": [(own.x_train, own.y_train, own.offset_weights_train) for own in rows],
        "test": [(own.x_test, own.y_test, own.offset_weights_test) for own in rows],
    }
    found = {}
    for name, parts in sets.items():
        if name == "train" or any(len(y) > 0 for _, y, _ in parts):
            x, y = (np.concatenate(one) for one in ([part[0] for part in parts], [part[1] for part in parts]))
            found[name] = reference_metrics(model, x, y, OffsetWeights.joined([part[2] for part in parts]))
    return found


def comparison(
    rows: Mapping[str, OwnRows], settings: TrainingSettings, trained: Trained | None = None, taken: int | None = None
) -> dict[str, dict[str, Any]]:
    """The comparison of a run on one machine, as in `result.json`.

    `alone`: for each owner its own model's metrics, on its own training rows and on **all** owners' test rows, so
    that they can be held against the joint model's. `pooled`: this one's metrics, and with a `trained` model how far
    the weights differ at most (in standardised units, the intercept too).

    Args:
        taken: how many steps the run took, where that was left to its stop tests.
    """
    everyone = [rows[owner] for owner in settings.owners]
    lonely: dict[str, Any] = {}
    for owner in settings.owners:
        model = alone(owner, rows[owner], settings)
        test = {name: sets for name, sets in reference_sets(model, everyone).items() if name == "test"}
        own = rows[owner]
        lonely[owner] = {"train": reference_metrics(model, own.x_train, own.y_train, own.offset_weights_train), **test}
    reference = pooled(everyone, ended_after(settings, taken))
    together: dict[str, Any] = dict(reference_sets(reference, everyone))
    if trained is not None:
        together["max_abs_weight_difference"] = weight_difference(trained, reference)
    return {"alone": lonely, "pooled": together}


def weight_difference(trained: Trained, reference: ReferenceModel) -> float:
    """The largest difference of a weight or the intercept, in standardised units."""
    found = np.array(trained.standardised)
    if not found.size:  # the model is known in the columns' own units only
        own = np.array(trained.weights)
        found = np.append(own * reference.deviation, trained.intercept + math.fsum(own * reference.mean))
    return float(np.abs(found - reference.weights).max())


def _scale(tables: Sequence[Array], settings: TrainingSettings) -> Array | None:
    return plain_scales(tables) if settings.standardise == "private" else None


def _fit(
    x: Array,
    y: Array,
    counts: dict[str, int],
    settings: TrainingSettings,
    scale: Array | None,
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS,
) -> ReferenceModel:
    weights = _class_weights(y, settings)
    c = np.where(y == 1, weights.of_1, weights.of_0) / 2.0**WEIGHT_SCALE
    if settings.inference is not None:
        mean, deviation = _moments(x, offset_weights.counts)
        ready = with_ones((x - mean) / deviation)
        found = newton(
            ready, y, offset=offset_weights.offset, counts=offset_weights.counts, most_steps=settings.iterations
        )
        score = float(np.abs(ready @ found.coefficients).max(initial=0.0))
        return ReferenceModel(found.coefficients, mean, deviation, score, float(np.abs(found.coefficients).max()))
    if settings.solver != "sgd":
        mean, deviation = _moments(x) if settings.standardise else (np.zeros(x.shape[1]), np.ones(x.shape[1]))
        deviation = deviation if scale is None else scale
        how = lighter(accelerated_for(settings, len(x)), weights)
        assert isinstance(how, Accelerated)
        path = accelerated_reference(
            with_ones((x - mean) / deviation),
            y,
            settings.iterations,
            how.rate,
            how.momentum,
            how.l2,
            how.series,
            c,
            how.tolerance,
        )
        return ReferenceModel(path.weights, mean, deviation, path.largest_score, path.largest_weight, path.steps)
    steps = batches(settings.seed, settings.epochs, settings.batch_size, counts)
    l2 = settings.l2 / weights.heavier
    return fit_reference(
        x, y, steps, settings.learning_rate, l2, standardise=bool(settings.standardise), c=c, scale=scale
    )


def _class_weights(y: Array, settings: TrainingSettings) -> ClassWeights:
    """The weights of a training on these labels; alike where they cannot be balanced, as at an owner alone."""
    if settings.class_weights is None:
        return scaled(1.0, 1.0)
    if settings.class_weights == "balanced":
        return balanced(int(y.sum()), len(y)) or scaled(1.0, 1.0)
    return scaled(*settings.class_weights)


def _moments(x: Array, counts: Array | None = None) -> tuple[Array, Array]:
    if not len(x) or (counts is not None and not counts.any()):
        return np.zeros(x.shape[1]), np.ones(x.shape[1])
    mean: Array = np.average(x, axis=0, weights=counts)
    deviation = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=counts))
    return mean, np.where(deviation > np.abs(mean) * _ROUNDING, deviation, np.inf)


def _auc(positives: Array, negatives: Array) -> float | None:
    """The chance that a positive's score is above a negative's, ties counting half."""
    if not positives.size or not negatives.size:
        return None
    return ranked_right(positives, negatives) / (2 * positives.size * negatives.size)
