"""`sweep.html`: the tables and plots of a sweep, in one file without scripts or external resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from parties.base.private_files import replace_text
from parties.base.version import VERSION
from parties.show.blocks import Grid, Line, join_words
from parties.show.html import blocks_section, escape, paragraph, section, whole_page
from parties.show.plots import PLOT_STYLE, Point, Series, interval_plot
from parties.sweep.folder import PAGE, TABLE, Outcome
from parties.sweep.settings import Setting, value_text
from parties.sweep.study import Study
from parties.sweep.summary import Interval, Row, figure_names, is_constant, rows_of
from parties.sweep.tables import INSECURE, INTERVAL_NOTE, ending_text, failures_grid, figure_text, result_blocks
from parties.sweep.tradeoff import tradeoff_blocks
from parties.tasks.privacy.figures import ALONE, WITHOUT_NOISE, reference_figure, split_reference

MOST_LINES: Final = 6
"""The most series in a plot; if another setting has more values, their runs form one series."""


def write_page(study: Study, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    replace_text(folder / PAGE, page_html(study, outcomes))


def page_html(study: Study, outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    runs = [(one.cell.values, one.figures) for one in outcomes]
    rows = rows_of(runs)
    text = ending_text(study.name, outcomes).removeprefix(f"{study.name}: ")
    seeds = [one.cell.seed for one in outcomes if one.cell.seed is not None]
    use = "they determine which rows are held out and which inputs are drawn"
    seed_note = f"Public seeds {min(seeds)} to {max(seeds)}: {use}. " if seeds else ""
    head = [
        f"<h1>{escape(study.name)}: sweep</h1>",
        f'<p class="alarm" role="alert">{escape(INSECURE)}</p>' if study.insecure else "",
        paragraph(text, "status" if all(one.error is None for one in outcomes) else "alarm"),
        *(paragraph(f"{one.key} = {', '.join(map(value_text, one.values))}") for one in study.settings),
        paragraph(f"{seed_note}{INTERVAL_NOTE}", "note"),
    ]
    failed = failures_grid(outcomes)
    sections = [
        "<header>\n" + "\n".join(part for part in head if part) + "\n</header>",
        *_plots(study.settings, outcomes, rows),
        blocks_section("What noise costs", noise) if (noise := tradeoff_blocks(study.settings, runs)) else "",
        blocks_section("The numbers", result_blocks(study.settings, rows)),
        blocks_section("What failed", [failed]) if failed else "",
        blocks_section("Every run", [_every_run(study.settings, outcomes, rows)]),
        blocks_section(
            "About this sweep", [Line(f"Made by version {VERSION}. Its numbers in full: {TABLE}. {study.digest}")]
        ),
    ]
    return whole_page(f"{study.name}: sweep", sections, PLOT_STYLE)


def _plots(settings: Sequence[Setting], outcomes: Sequence[Outcome], rows: Sequence[Row]) -> list[str]:
    """For each setting with more than one value, a plot of each figure that differs between runs."""
    varied = [one for one in settings if len(one.values) > 1]
    names = figure_names(rows)
    figures = [
        name
        for name in names
        if split_reference(name)[1] is None
        and not all(is_constant(rows, one) for one in (name, *_companions(names, name)))
    ]
    sections = []
    for setting in varied if figures else ():
        others = [one for one in varied if one is not setting]
        split = others[0] if len(others) == 1 and len(others[0].values) <= MOST_LINES else None
        pooled = [one.key for one in others if one is not split]
        note = "A mark is the median; its line goes from the smallest to the largest run."
        note += f" There is a series for each {split.key}." if split is not None else ""
        note += f" Runs with all values of {join_words(pooled)} are taken together." if pooled else ""
        ticks = [value_text(value) for value in setting.values]
        plots = [
            interval_plot(setting.key, name, ticks, series, partial(figure_text, name))
            for name in figures
            if (series := _all_series(setting, split, outcomes, name, _companions(names, name)))
        ]
        body = "".join(f"<figure>{plot}</figure>" for plot in plots)
        sections.append(section(f"By {setting.key}", paragraph(note, "note"), f'<div class="plots">{body}</div>'))
    return sections


def _companions(names: Sequence[str], figure: str) -> list[str]:
    """The same figure of others: without noise, and alone."""
    return [name for name in (reference_figure(figure, which) for which in (WITHOUT_NOISE, ALONE)) if name in names]


def _all_series(
    setting: Setting, split: Setting | None, outcomes: Sequence[Outcome], name: str, companions: Sequence[str]
) -> list[Series]:
    """A figure's series, and one of each companion, over all values of `split`."""
    own = _series(setting, split, outcomes, name)
    if companions and split is None:
        own = [replace(one, label="with noise") for one in own]
    others = [
        replace(one, label=str(split_reference(companion)[1]))
        for companion in companions
        for one in _series(setting, None, outcomes, companion)
    ]
    return [one for one in (*own, *others) if one.points]


def _series(setting: Setting, split: Setting | None, outcomes: Sequence[Outcome], name: str) -> list[Series]:
    series = []
    for value in split.values if split is not None else (None,):
        points = []
        for place, one in enumerate(setting.values):
            values = [
                outcome.figures[name]
                for outcome in outcomes
                if outcome.figures is not None
                and name in outcome.figures
                and outcome.cell.values[setting.key] == one
                and (split is None or outcome.cell.values[split.key] == value)
            ]
            if values:
                interval = Interval.of(values)
                points.append(Point(place, interval.median, interval.low, interval.high))
        label = "" if split is None else f"{split.short} = {value_text(value)}"
        series.append(Series(label, tuple(points)))
    return series


def _every_run(settings: Sequence[Setting], outcomes: Sequence[Outcome], rows: Sequence[Row]) -> Grid:
    names = figure_names(rows)

    def cells(values: Mapping[str, Any], figures: Mapping[str, float] | None) -> list[str]:
        values_by_name = figures or {}
        return [
            *(value_text(values[one.key]) for one in settings),
            *(figure_text(name, values_by_name[name]) if name in values_by_name else "-" for name in names),
        ]

    body = tuple(
        (one.cell.name, str(one.cell.seed if one.cell.seed is not None else "-"), *cells(one.cell.values, one.figures))
        for one in outcomes
    )
    heads = ("run", "seed", *(one.short for one in settings), *names)
    return Grid("One line a run", heads, body, frozenset(range(2 + len(settings))))
