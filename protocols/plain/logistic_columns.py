"""The plaintext reference where columns are split: the owners' columns side by side in one table, and its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mpc.ring.array import Array
from protocols.plain.logistic import alone, ended_after, pooled, reference_sets, weight_difference
from protocols.rows.own_rows import SAME_ROWS, OwnColumns, OwnRows, joint_names
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings


def joined(columns: Mapping[str, OwnColumns]) -> OwnRows:
    """All owners' columns in one table, in the owners' order, with the labels of the one who has them."""
    first = next(iter(columns.values()))
    labels = columns[first.target_owner]
    train, test = (np.concatenate([part(columns[owner]) for owner in first.names], axis=1) for part in (_train, _test))
    names = joint_names(first.names)
    rows = OwnRows(names, train, labels.y_train, test, labels.y_test)
    return replace(
        rows, offset_weights_train=labels.offset_weights_train, offset_weights_test=labels.offset_weights_test
    )


def vertical_comparison(
    columns: Mapping[str, OwnColumns],
    settings: TrainingSettings,
    trained: Trained | None = None,
    taken: int | None = None,
) -> dict[str, dict[str, Any]]:
    """As `logistic.comparison`; alone, only the owner of the labels can train, with its own columns if it has any."""
    everything = joined(columns)
    reference = pooled([everything], ended_after(settings, taken))
    together: dict[str, Any] = dict(reference_sets(reference, [everything]))
    if trained is not None:
        together["max_abs_weight_difference"] = weight_difference(trained, reference)
    owner = next(iter(columns.values())).target_owner
    own = columns[owner]
    if not own.names[owner]:
        return {"alone": {}, "pooled": together}
    rows = OwnRows(own.names[owner], own.x_train, own.y_train, own.x_test, own.y_test)
    rows = replace(rows, offset_weights_train=own.offset_weights_train, offset_weights_test=own.offset_weights_test)
    return {"alone": {owner: reference_sets(alone(SAME_ROWS, rows, settings), [rows])}, "pooled": together}


def _train(columns: OwnColumns) -> Array:
    return columns.x_train


def _test(columns: OwnColumns) -> Array:
    return columns.x_test
