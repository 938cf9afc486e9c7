"""The target: as 0 and 1, from the codings that hospitals have, or as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parties.data.cells import BOOLEAN_SQL, MISSING_SQL
from parties.data.checks import ROW_HINT, kinds_of, whole
from parties.data.features import Feature, fill_with_nan, is_level, read_features
from parties.data.read import Column, RawTable

_CODINGS = (
    "coalesce(n in (0, 1), false)",
    "coalesce(s in ('yes', 'no'), false)",
    BOOLEAN_SQL,
)


def read_target(raw: RawTable, column: Column, positive: str | None) -> NDArray[np.float64]:
    """The target as 0.0 and 1.0, NaN where it is missing.

    Args:
        raw: the table.
        column: the target's.
        positive: the value that counts as 1, the one other being 0; None: 0 and 1, yes and no, or true and false.

    Raises:
        DataError: the column holds something else.
    """
    if positive is not None:
        return _read_two_values(raw, column, positive)
    hint = (
        'recode the column, or set positive = "..." in [task] to the value that counts as 1; a target of numbers '
        'takes kind = "linear_regression"'
    )
    return _read_coded(raw, column, "target", hint)


def read_event(raw: RawTable, column: Column) -> NDArray[np.float64]:
    """Whether each row had the event of a survival, as 1.0 and 0.0, NaN where it is missing.

    Raises:
        DataError: the column holds something else.
    """
    return _read_coded(raw, column, "event", "recode the column")


def _read_coded(raw: RawTable, column: Column, what: str, hint: str) -> NDArray[np.float64]:
    """The column as 1.0 (1, yes, true) and 0.0 (0, no, false); it uses one of these codings."""
    view = raw.view_of(column)
    counts = raw.one_row([f"count(*) filter (where {sql})" for sql in (MISSING_SQL, *_CODINGS)], view)
    missing, *fitting = (whole(count) for count in counts)
    best = max(range(len(fitting)), key=lambda i: fitting[i])
    if fitting[best] < raw.rows - missing:
        (row,) = raw.one_row([f"min(row) filter (where not {_CODINGS[best]} and not {MISSING_SQL})"], view)
        raise raw.where.error(
            f"the {what} column '{column.name}' must hold 0 and 1 only (or yes and no, or true and false), "
            f"which data row {row} does not",
            f"{hint}; {ROW_HINT}",
        )
    words = "when s in ('yes', 'true') then 1.0 when s in ('no', 'false') then 0.0"
    return fill_with_nan(raw.arrays([f"case {words} else n end"], view)["v0"])


def read_numbers(raw: RawTable, column: Column) -> NDArray[np.float64]:
    """A target of numbers (or yes/no as 1 and 0), NaN where it is missing.

    Raises:
        DataError: the column holds something else.
    """
    (kind,) = kinds_of(raw, [column], required=True, dates=False, listed="`target`")
    return read_features(raw, [Feature(column, kind)])[:, 0]


def _read_two_values(raw: RawTable, column: Column, positive: str) -> NDArray[np.float64]:
    """1.0 for the positive value and 0.0 for the other; there is one other at most."""
    view, is_positive = raw.view_of(column), is_level(positive.strip())
    other = f"not {is_positive} and not {MISSING_SQL}"
    (others,) = raw.one_row([f"count(distinct s) filter (where {other})"], view)
    if whole(others) > 1:
        raise raw.where.error(
            f"the target column '{column.name}' must hold the `positive` value and one other, "
            f"but holds {others} others",
            "recode the column, or correct `positive` in [task]",
        )
    value = f"case when {is_positive} then 1.0 when not {MISSING_SQL} then 0.0 end"
    return fill_with_nan(raw.arrays([value], view)["v0"])
