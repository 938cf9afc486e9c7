"""Statistics with [privacy] in the summary and the report: each estimate with its interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table, to_digits
from parties.tasks.privacy.guarantee import outside_line

_WHOLE: Final = frozenset({"count", "missing"})
_KEYS: Final = ("count", "missing", "sum", "mean", "variance", "sd")


def columns_grid(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    """The described columns, an estimate a line."""
    rows = []
    for column, groups in table(found.get("columns")).items():
        for one in map(table, entries(groups)):
            group = (str(one.get("group")),) if by else ()
            intervals = table(one.get("intervals"))
            rows += [
                (str(column), *group, key, _estimate(key, one.get(key)), _interval(key, intervals.get(key)))
                for key in _KEYS
                if key in intervals
            ]
            ends = table(intervals.get("quantiles"))
            rows += [
                (str(column), *group, f"{100 * float(share):g} %", _estimate("", value), _interval("", ends.get(share)))
                for share, value in table(one.get("quantiles")).items()
            ]
    heads = ("column", *((str(by.get("column")),) if by else ()), "statistic", "estimate", "95 % interval")
    left = frozenset(range(len(heads) - 2))
    return [Grid("Columns, with intervals for the noise", heads, tuple(rows), left)] if rows else []


def notes(privacy: Mapping[str, Any]) -> list[Block]:
    """How far off counts may be, and what the guarantee does not cover."""
    errors = [
        one.get("error")
        for one in map(table, entries(privacy.get("releases")))
        if one.get("what") not in ("sum", "squares", "product")
    ]
    reach = next((error for error in errors if is_number(error)), None)
    blocks: list[Block] = [Line("")]
    if reach is not None:
        text = (
            f"Each count of a group, a histogram or a table is within {to_digits(reach)} of the exact one in 95 of 100 "
            "runs; it may be below 0. Values beyond [privacy.clip], or beyond a grid, count as its nearer end. "
            "Intervals of counts and columns are for the noise alone: they hold what the owners' rows give. Those of "
            "correlations, differences and curves account for sampling, too."
        )
        blocks.append(Line(text))
    return [*blocks, outside_line(privacy)]


def _estimate(key: str, value: Any) -> str:
    if not is_number(value):
        return "too noisy"
    return count_text(value) if key in _WHOLE else number_text(value)


def _interval(key: str, ends: Any) -> str:
    return interval_text(ends, lambda end: _estimate(key, end))


def interval_text(ends: Any, text: Callable[[Any], str] | None = None) -> str:
    """An interval as text; of a median an end may be open."""
    low, high = (*entries(ends), None, None)[:2]
    shown = text or number_text
    if is_number(low):
        return f"{shown(low)} to {shown(high)}" if is_number(high) else f"from {shown(low)}"
    return MISSING


def number_text(value: Any) -> str:
    """A number: one that is whole with all its digits."""
    whole = is_number(value) and float(value).is_integer() and abs(value) < 1e9
    return f"{value:.0f}" if whole else to_digits(value)
