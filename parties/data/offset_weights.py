"""Columns that a fit takes besides features and target: an offset of each row's score, and how often a row counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parties.data.checks import ROW_HINT, find_columns, kinds_of, refuse_extremes, rows_text
from parties.data.features import Feature, read_features
from parties.data.read import Column, RawTable
from parties.scenario.models import ModelTask
from protocols.inference.irls import LARGEST_OFFSET
from protocols.rows.offset_weights import OffsetWeights
from protocols.scaling.row_weights import LARGEST_COUNT

Values = NDArray[np.float64]


def offset_weight_columns(raw: RawTable, task: ModelTask, *, target_here: bool) -> list[Column]:
    """The columns of the offset and of the weights that the task names. Where columns are split, only the owner of the
    target has them.

    Raises:
        DataError: a column is missing; or it is here, and the target is another owner's.
    """
    if target_here:
        named = task.extra_columns.items()
        return [column for key, name in named for column in find_columns(raw, [name], f"the {key}")]
    there = {column.name for column in raw.columns}
    for key, name in task.extra_columns.items():
        if name in there:
            raise raw.where.error(
                f"column '{name}' (the {key}) is here, but the target '{task.target}' is not",
                "give that column to the owner of the target, and take it out here",
            )
    return []


def read_offset_weights(raw: RawTable, columns: Sequence[Column], task: ModelTask) -> Values:
    """The values of these columns (rows, columns); NaN where a value is missing and its row will be dropped.

    Raises:
        DataError: a column holds no numbers, or numbers out of range.
    """
    kinds = kinds_of(raw, columns, required=True, dates=False, listed="`offset` and `weights`")
    values = read_features(raw, [Feature(column, kind) for column, kind in zip(columns, kinds, strict=True)])
    for place, column in enumerate(columns):
        _check(raw, column.name, values[:, place], task)
    return values


def offset_weights_of(values: Values, columns: Sequence[Column], task: ModelTask) -> OffsetWeights:
    """The offset and the weights among these values."""
    place = {column.name: k for k, column in enumerate(columns)}
    named = (task.extra_columns.get(key) for key in ("offset", "weights"))
    return OffsetWeights(*(values[:, place[name]] if name in place else None for name in named))


def _check(raw: RawTable, name: str, values: Values, task: ModelTask) -> None:
    gaps = np.isnan(values)
    if gaps.any() and task.missing == "mean":
        raise raw.where.error(
            f"values are missing in {rows_text(int(gaps.sum()))} (column '{name}')",
            "no mean can stand for an offset or a weight: fill these cells, or take the rows out",
        )
    linear = not task.classes
    if name == task.extra_columns.get("offset"):
        if linear:
            refuse_extremes(raw.where, [name], values[:, np.newaxis])  # it is in the target's unit
            return
        low, high, range_text, hint = -LARGEST_OFFSET, LARGEST_OFFSET, f"beyond {LARGEST_OFFSET:g}", (
            "an offset is in the unit of the score, the logarithm of odds: of an exposure, give the logarithm"
        )  # fmt: skip
    else:
        low, high, range_text = 0.0, LARGEST_COUNT, f"that are no number from 0 to {LARGEST_COUNT:,.0f}"
        much = "much" if linear else "often"
        hint = f"a weight says how {much} a row counts: correct these cells, or divide all weights by a number"
    bad = ~(gaps | ((values >= low) & (values <= high)))
    if bad.any():
        first = int(np.argmax(bad)) + 1
        raise raw.where.error(
            f"column '{name}' has values {range_text} in {rows_text(int(bad.sum()))} (first in data row {first})",
            f"{hint}; {ROW_HINT}",
        )
