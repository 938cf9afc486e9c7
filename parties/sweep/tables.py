"""A sweep as lines and tables, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    count_text,
    plural,
    seconds_text,
    short_bytes,
    to_digits,
)
from parties.sweep.folder import CELLS, PAGE, TABLE, Outcome
from parties.sweep.settings import Setting, value_text
from parties.sweep.study import Study
from parties.sweep.summary import BYTES, TIMES, Row, figure_names, is_constant, rows_of
from parties.sweep.tradeoff import tradeoff_blocks
from parties.tasks.privacy.figures import ALONE, WITHOUT_NOISE, reference_figure, split_reference

INSECURE: Final = (
    "WARNING: THESE RUNS PROTECTED NOTHING. The scenario's [testing] insecure_seed made their secret randomness known "
    "to all who know the seed. Never use it with real patients."
)

_GAP: Final = 3
"""The spaces between two columns of a table on a terminal."""

INTERVAL_NOTE: Final = "Intervals are from the smallest to the largest of the runs with the same settings."


def sweep_blocks(study: Study, outcomes: Sequence[Outcome], folder: Path, width: int) -> list[Block]:
    """The output at the end of a sweep, in order; no table is wider than `width` characters."""
    runs = [(one.cell.values, one.figures) for one in outcomes]
    rows = rows_of(runs)
    blocks: list[Block] = [Line(ending_text(study.name, outcomes), "bold")]
    blocks += [Line(INSECURE, "bold red")] if study.insecure else []
    blocks += result_blocks(study.settings, rows, width)
    blocks += tradeoff_blocks(study.settings, runs)
    if failed := failures_grid(outcomes):
        blocks.append(failed)
    places = (("Table", TABLE), ("Page", PAGE), ("Records", CELLS))
    return [*blocks, Line(""), *(Line(f"{what}: {folder / file}", wrap=False) for what, file in places)]


def ending_text(name: str, outcomes: Sequence[Outcome]) -> str:
    """The number of runs done and failed, as a sentence."""
    done = sum(one.figures is not None for one in outcomes)
    failed = sum(one.error is not None for one in outcomes)
    text = f"{name}: {done} of {plural(len(outcomes), 'run')} done"
    return f"{text}, {failed} FAILED." if failed else f"{text}."


def result_blocks(settings: Sequence[Setting], rows: Sequence[Row], width: int | None = None) -> list[Block]:
    """The figures that differ between runs, with a row for each combination of settings; then those that do not differ.

    Args:
        width: the most characters of a line; further columns go into another table. None: no limit.
    """
    varied = [one for one in settings if len(one.values) > 1]
    names = figure_names(rows)
    same = [name for name in names if is_constant(rows, name)]
    lines = _lines_beside(rows, names) if varied else {}
    within = {reference_figure(name, which) for which in lines for name in names}
    columns = [
        (
            name,
            [
                *(_interval(row, name) for row in rows),
                *(_interval(row, reference_figure(name, w)) for w, row in lines.items()),
            ],
        )
        for name in names
        if name not in same and name not in within
    ]
    first = _heading_columns(varied, rows, tuple(lines))
    title = "Median (smallest to largest)" if any(row.done > 1 for row in rows) else "Figures"
    grids = []
    for chunk in _chunks(columns, None if width is None else width - _width(first)):
        heads, texts = zip(*first, *chunk, strict=True)
        body = tuple(zip(*texts, strict=True))
        grids.append(Grid(title, heads, body, frozenset(range(len(varied)))))
    notes = [f"{one.key} = {value_text(one.values[0])}" for one in settings if one not in varied]
    notes += [f"{name} {figure_text(name, common_value(rows, name))}" for name in same if name not in within]
    return [*grids, *([Line(""), Line(f"The same in every run: {', '.join(notes)}.")] if notes else [])]


Column = tuple[str, list[str]]
"""(head, a text for each row)."""


def _lines_beside(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Row]:
    """The lines of figures that no setting changes: without noise, and alone."""
    found = {}
    for which in (WITHOUT_NOISE, ALONE):
        of = [name for name in names if split_reference(name)[1] == which]
        if of and all(row.figures.get(name) == rows[0].figures.get(name) for row in rows for name in of):
            found[which] = rows[0]
    return found


def _heading_columns(settings: Sequence[Setting], rows: Sequence[Row], lines: Sequence[str]) -> list[Column]:
    """The settings' values; of each further line, what it is."""
    shorts = [one.short for one in settings]
    heads = [one.key if shorts.count(one.short) > 1 else one.short for one in settings]
    columns = [
        (head, [*(value_text(row.values[one.key]) for row in rows), *(lines if k == 0 else [""] * len(lines))])
        for k, (head, one) in enumerate(zip(heads, settings, strict=True))
    ]
    if all(row.done == row.runs for row in rows):
        return columns
    return [*columns, ("done", [*(f"{row.done}/{row.runs}" for row in rows), *("" for _ in lines)])]


def _chunks(columns: Sequence[Column], width: int | None) -> list[list[Column]]:
    """The columns in order, as many together as fit; a column that is too wide is by itself."""
    chunks: list[list[Column]] = []
    for column in columns:
        if not chunks or (width is not None and _width([*chunks[-1], column]) > width):
            chunks.append([])
        chunks[-1].append(column)
    return chunks


def _width(columns: Sequence[Column]) -> int:
    return sum(max(map(len, (head, *texts))) + _GAP for head, texts in columns)


def _interval(row: Row, name: str) -> str:
    interval = row.figures.get(name)
    if interval is None:
        return MISSING
    middle, low, high = (figure_text(name, value) for value in (interval.median, interval.low, interval.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def common_value(rows: Sequence[Row], name: str) -> float:
    """The value of a figure that is the same in all rows."""
    return next(row.figures[name].median for row in rows if name in row.figures)


def figure_text(name: str, value: float) -> str:
    """A figure as text."""
    if name == BYTES:
        return short_bytes(value)
    if name in TIMES:
        return seconds_text(value)
    if isinstance(value, int) or float(value).is_integer():
        return count_text(int(value))
    return to_digits(value)


def failures_grid(outcomes: Sequence[Outcome]) -> Grid | None:
    """A row for each failed run, with the reason; None if none failed."""
    rows = tuple(
        (one.cell.name, one.cell.words, one.error["code"] or MISSING, _reason(one.error))
        for one in outcomes
        if one.error is not None
    )
    if not rows:
        return None
    return Grid("Runs that failed", ("run", "settings", "code", "why"), rows, frozenset({0, 1, 2, 3}))


def _reason(error: Mapping[str, str | None]) -> str:
    return "; ".join(text for text in (error.get("message"), error.get("hint")) if text)
