"""What several cases do alike: an owner's ring elements as numbers, and metrics as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from protocols.evaluation.metrics import Scored, local_sums
from protocols.plain.logistic import ReferenceModel, reference_metrics

METRICS = ("rows", "positives", "accuracy", "auc", "log_loss", "brier")


def decoded(p: Party, elements: Array, scale: int) -> Array:
    """An owner's own ring elements as float64; without data, their shape."""
    return p.compute(lambda: decode(elements, scale), shape=elements.shape)


def listed(metrics: Mapping[str, Any], but: str = "") -> tuple[Array, ...]:
    """The metrics in order, `but` one; -1, less than any, where one is undefined."""
    values = (metrics[key] for key in METRICS if key != but)
    return tuple(np.array(-1.0 if value is None else float(value)) for value in values)


def plain_metrics(z: Array, y: Array) -> dict[str, Any]:
    """The metrics of rows with these scores."""
    model = ReferenceModel.in_own_units(np.array([1.0, 0.0]))
    return dict(reference_metrics(model, z[:, np.newaxis], y))


def plain_metrics_shared(z: Array, y: Array) -> dict[str, Any]:
    """The same, with log loss and Brier score as an owner of scores computes them."""
    loss, brier = local_sums(Scored(z, y))[4:] / len(y)
    return {**plain_metrics(z, y), "log_loss": loss, "brier": brier}
