"""[task.categories]: which columns hold categories, and their levels, in the order that all owners agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from parties.scenario.problems import Problem, quoted, shown

_MUST_BE = "must be a list of two or more levels, each a text or a whole number"


def read_categories(raw: object, problems: list[Problem]) -> dict[str, tuple[str, ...]]:
    """The levels of each column; what is wrong with them is added to `problems`."""
    if not isinstance(raw, Mapping):
        hint = 'write [task.categories] and below it stage = ["I", "II"]'
        problems.append(Problem(f"[task] categories must be a table, not {shown(raw)}", hint))
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for column, values in raw.items():
        if not column.strip():
            problems.append(Problem("[task.categories] names a column without a name", "write the column's name"))
            continue
        levels = _levels(column, values, problems)
        if levels is not None:
            found[column] = levels
    return found


def prepared_categories(table: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """A [task] with its categories read."""
    if "categories" in table:
        table["categories"] = read_categories(table["categories"], problems)
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


def _levels(column: str, values: object, problems: list[Problem]) -> tuple[str, ...] | None:
    where = f"[task.categories] {column}"
    if not isinstance(values, list | tuple) or len(values) < 2:
        few = "a list of one level" if isinstance(values, list | tuple) and len(values) == 1 else shown(values)
        problems.append(Problem(f"{where} {_MUST_BE}, not {few}"))
        return None
    levels: list[str] = []
    for value in values:
        text = str(value).strip() if isinstance(value, str) or type(value) is int else ""
        if not text or not text.isprintable():
            problems.append(Problem(f"{where} {_MUST_BE}, but {shown(value)} is none"))
            return None
        levels.append(text)
    seen: dict[str | float, str] = {}
    for level in levels:
        number = as_number(level)
        key = level.lower() if number is None else number
        if key in seen:
            hint = "a level stands once; case does not matter, nor whether a number is written 1 or 1.0"
            both = quoted([seen[key], level])
            problems.append(Problem(f"{where} lists {both}, which are the same", hint))
            return None
        seen[key] = level
    return tuple(levels)
