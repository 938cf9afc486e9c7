"""[task.categories]: which columns hold categories, and their levels, in the order that all owners agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from parties.scenario.problems import Problem, Reading, quote, show_value

_MUST_BE = "must be a list of two or more levels, each a text or a whole number"


def prepare_categories(table: dict[str, Any]) -> Reading[dict[str, Any]]:
    """Read the levels of each column of [task.categories]; a column whose levels are wrong is left out."""
    if "categories" not in table:
        return table
    raw = table["categories"]
    found = table["categories"] = dict[str, tuple[str, ...]]()
    if not isinstance(raw, Mapping):
        hint = 'write [task.categories] and below it stage = ["I", "II"]'
        yield Problem(f"[task] categories must be a table, not {show_value(raw)}", hint)
        return table
    for column, values in raw.items():
        if not column.strip():
            yield Problem("[task.categories] names a column without a name", "write the column's name")
            continue
        levels = yield from _read_levels(column, values)
        if levels is not None:
            found[column] = levels
    return table


def indicator(column: str, level: str) -> str:
    """The name of the feature that is 1 where a category has this level."""
    return f"{column}={level}"


def indicators(column: str, levels: Sequence[str]) -> tuple[str, ...]:
    """The features that a category becomes: one a level but the first, which the others are compared with."""
    return tuple(indicator(column, level) for level in levels[1:])


def as_number(text: str) -> float | None:
    """The finite number that a text stands for, if it does: a level "1" is also met by a cell 1.0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _read_levels(column: str, values: object) -> Reading[tuple[str, ...] | None]:
    where = f"[task.categories] {column}"
    if not isinstance(values, list | tuple) or len(values) < 2:
        few = "a list of one level" if isinstance(values, list | tuple) and len(values) == 1 else show_value(values)
        yield Problem(f"{where} {_MUST_BE}, not {few}")
        return None
    levels: list[str] = []
    for value in values:
        text = str(value).strip() if isinstance(value, str) or type(value) is int else ""
        if not text or not text.isprintable():
            yield Problem(f"{where} {_MUST_BE}, but {show_value(value)} is none")
            return None
        levels.append(text)
    seen: dict[str | float, str] = {}
    for level in levels:
        number = as_number(level)
        key = level.lower() if number is None else number
        if key in seen:
            hint = "a level stands once; case does not matter, nor whether a number is written 1 or 1.0"
            both = quote([seen[key], level])
            yield Problem(f"{where} lists {both}, which are the same", hint)
            return None
        seen[key] = level
    return tuple(levels)
