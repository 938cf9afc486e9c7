"""The log-likelihood of an open model on rows that nobody may show, and that of the intercept alone."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from protocols.core.secure_sum import secure_sum
from protocols.evaluation.metrics import SUM_SCALE, Scored
from protocols.evaluation.null_model import null_intercept, null_loss
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.results import FitLosses
from protocols.rows.settings import TrainingSettings
from protocols.scaling.row_weights import RowWeights


async def likelihoods(
    p: Party, scored: Scored, offset_weights: OffsetWeights, weight: RowWeights, settings: TrainingSettings
) -> FitLosses | None:
    """The log-likelihoods of the model and of the intercept alone, from each owner's own rows; None in a dry run.

    1 round, and 48 with an offset, for the intercept that fits best beside it; reveals that, the model's
    log-likelihood, and how many rows are of class 1, by their weights; with an offset the intercept's instead.
    """
    with_offset = settings.offset
    alone = await null_intercept(p, scored.y, offset_weights) if with_offset else None
    p.stage("evaluation")

    def own() -> Array:
        counts = np.ones(len(scored.y)) if offset_weights.counts is None else offset_weights.counts
        loss = np.sum(counts * losses(scored.z, scored.y))
        other = np.sum(counts * (scored.y == 1))
        if alone is not None:
            other = np.sum(counts * losses(offset_weights.add_offset(np.full(len(scored.y), alone[0])), scored.y))
        return encode(np.array([loss, other]), SUM_SCALE, what="the log-likelihood")

    words = p.compute(own, shape=(2,))
    why = "how well the model explains the classes: its log-likelihood, and " + (
        "that of the intercept alone" if with_offset else "how many rows are of class 1"
    )
    total = await secure_sum(p, words, SUM_SCALE, what="log-likelihood", why=why, label="log-likelihood")
    if p.dry:
        return None
    loss, other = map(float, total.real())
    return FitLosses(loss, other) if with_offset else FitLosses(loss, null_loss(other, weight.total), other)


def losses(z: Array, y: Array) -> Array:
    """Minus the log-likelihood of each row's class, from its score."""
    lost: Array = np.logaddexp(0, z) - y * z
    return lost
