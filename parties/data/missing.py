"""Values that are missing: refused, their rows dropped, or the column's mean put in their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parties.data.checks import rows_text
from parties.data.header import Origin

_MOST_NAMED = 5
_MOST_LOGGED = 40

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Complete:
    """Rows without a missing value, and a note on how they came about ('' if nothing was missing).

    `missing` says how many values each feature lacked before, and the target, which is last.
    """

    values: Values
    target: Values
    note: str
    missing: tuple[int, ...]


def drop_extra_columns(complete: Complete, features: int) -> tuple[Complete, Values]:
    """The same with only the first `features` columns, and the other columns."""
    missing = (*complete.missing[:features], complete.missing[-1])
    left = replace(complete, values=complete.values[:, :features], missing=missing)
    return left, complete.values[:, features:]


def settle_missing(
    where: Origin,
    how: Literal["refuse", "drop", "mean"],
    target_name: str,
    origins: Sequence[str],
    values: Values,
    target: Values,
) -> Complete:
    """Treat missing values as the task says.

    Args:
        where: the owner and its file.
        how: the task's `missing`.
        target_name: the target's column.
        origins: the column that each feature comes from; a category's features come from one.
        values: the features, NaN where missing.
        target: 0 and 1, NaN where missing.

    Raises:
        DataError: values are missing that the task does not allow to be, or nothing is left.
    """
    gaps = np.isnan(values)
    counts = {target_name: int(np.isnan(target).sum())}
    lacking = tuple(int(count) for count in (*gaps.sum(axis=0), counts[target_name]))
    # All features of one column are missing together.
    counts |= {name: int(count) for name, count in zip(origins, gaps.sum(axis=0), strict=True)}
    found = {name: count for name, count in counts.items() if count}
    if not found:
        return Complete(values, target, "", lacking)
    complete = ~(np.isnan(target) | gaps.any(axis=1))
    if how == "refuse":
        hint = 'fill these cells, or set missing = "drop" or missing = "mean" in [task]'
        raise where.error(f"values are missing: {_list_counts(found, _MOST_NAMED)}", hint)
    if how == "drop":
        note = _drop_incomplete(where, complete, found)
        return Complete(values[complete], target[complete], note, lacking)
    if counts[target_name]:
        hint = 'fill these cells, drop their rows, or set missing = "drop" in [task]'
        message = f"the target is missing in {rows_text(counts[target_name])} (column '{target_name}')"
        raise where.error(message, hint)
    empty = [name for name, count in found.items() if count == len(values)]
    if empty:
        hint = "a column without a value has no mean: leave it out of `features`"
        raise where.error(f"column '{empty[0]}' is empty", hint)
    sums = np.where(gaps, 0.0, values).sum(axis=0)
    means = sums / (len(values) - gaps.sum(axis=0))
    note = f"missing values, replaced by the column's mean over this owner's rows: {_list_counts(found, _MOST_LOGGED)}"
    return Complete(np.where(gaps, means, values), target, f"{note}; {_share_text(complete)}", lacking)


def _drop_incomplete(where: Origin, complete: NDArray[np.bool_], found: dict[str, int]) -> str:
    if not complete.any():
        hint = 'list the columns to use under `features`, or set missing = "mean" in [task]'
        raise where.error(f"no row is complete: values are missing, {_list_counts(found, _MOST_NAMED)}", hint)
    dropped = rows_text(int((~complete).sum()))
    return f"{dropped} dropped, as values are missing: {_list_counts(found, _MOST_LOGGED)}; {_share_text(complete)}"


def _share_text(complete: NDArray[np.bool_]) -> str:
    return f"{int(complete.sum())} of {rows_text(len(complete))} were complete"


def _list_counts(found: dict[str, int], most: int) -> str:
    """The number of missing values by column, in words."""
    parts = [f"{count} in column '{name}'" for name, count in list(found.items())[:most]]
    if len(found) > most:
        parts.append(f"and more in {len(found) - most} other columns")
    return ", ".join(parts)
