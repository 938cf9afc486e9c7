"""[task] of kind = "statistics": its settings, each by itself and together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from parties.scenario.categories import prepare_categories
from parties.scenario.models import A_COUNT, A_NUMBER, MIN_ROWS, Count, Names, Number, PartySpec, Table, Task, Text
from parties.scenario.problems import Model, Problem, Reading, nearest, quote, read_table, show_value
from parties.scenario.task import TaskReader
from parties.tasks.statistics.private.settings import make_statistics_private
from protocols.disclosure.suppression import LEAST_MINIMUM
from protocols.statistics.settings import Grid

MOST_POINTS: Final = 1_000_000
"""The most points of a grid."""
MOST_TIMES: Final = 10_000
"""The most points of a grid of times: two counts are opened for each."""
MOST_TABLE_CELLS: Final = 4096
"""The most cells of one table: the suppression looks at every row and column of it."""
MOST_CELLS: Final = 20_000
"""The most cells of all tables, histograms and groups together."""
DOMINANCE: Final = 75
"""The default of `dominance`, in percent, where there is a `min_cell`."""


class GridSpec(Table):
    """The points on which a statistic is given: from, from + step, and so on, up to `to`."""

    from_: Number = Field(alias="from", description=A_NUMBER)
    to: Number = Field(description=A_NUMBER)
    step: Annotated[float, Field(ge=2.0**-40, le=2.0**40)] = Field(description="a number from 2^-40 to 2^40")


class TTestSpec(Table):
    """Welch's t-tests of a column between the levels of a category."""

    column: Text = Field(description="the name of a column of numbers")
    between: Text = Field(description="the name of a column of [task.categories]")


class SurvivalSpec(Table):
    """Kaplan-Meier curves, with a log-rank test where they are `between` the levels of a category."""

    time: Text = Field(description="the name of a column of numbers")
    event: Text = Field(description="the name of a 0/1 column")
    between: Text | None = Field(default=None, description="the name of a column of [task.categories]")


class StatisticsTask(Task):
    """Describe the rows of all owners: counts, sums and what follows from them."""

    kind: Literal["statistics"] = Field(description='"statistics"')
    partition: Literal["horizontal"] = Field(default="horizontal", description='"horizontal"')
    columns: Names = Field(default=(), description="a list of column names")
    statistics: Annotated[
        tuple[Literal["count", "missing", "sum", "mean", "variance", "sd", "min", "max"], ...],
        Field(strict=False, min_length=1),
    ] = Field(
        default=("count", "missing", "mean", "sd"),
        description='a list of "count", "missing", "sum", "mean", "variance", "sd", "min" and "max"',
    )
    quantiles: Annotated[tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...], Field(strict=False)] = Field(
        default=(), description="a list of numbers between 0 and 1"
    )
    by: Text | None = Field(default=None, description="the name of a column of [task.categories]")
    categories: Annotated[dict[Text, Annotated[Names, Field(min_length=2)]], Field(strict=False)] = Field(
        default_factory=dict, description="a table of columns and their levels"
    )
    grid: dict[Text, GridSpec] = Field(default_factory=dict, description="a table of columns and their grids")
    histograms: Annotated[
        dict[Text, Annotated[tuple[Number, ...], Field(strict=False, min_length=2)]], Field(strict=False)
    ] = Field(
        default_factory=dict,
        description="a table of columns, each with a list of two or more edges, from -2^40 to 2^40",
    )
    tables: Annotated[tuple[Annotated[tuple[Text, Text], Field(strict=False)], ...], Field(strict=False)] = Field(
        default=(), description="a list of pairs of columns of [task.categories]"
    )
    correlations: Names = Field(default=(), description="a list of two or more column names")
    t_tests: Annotated[tuple[TTestSpec, ...], Field(strict=False)] = Field(
        default=(), description="a list of tables: write [[task.t_tests]]"
    )
    survival: Annotated[tuple[SurvivalSpec, ...], Field(strict=False)] = Field(
        default=(), description="a list of tables: write [[task.survival]]"
    )
    min_cell: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=5, description="a whole number from 3 to 1000, or 0 to tell every cell"
    )
    dominance: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="a percentage from 1 to 100, or 0 to tell every sum"
    )
    missing_cells: Literal["tested", "told"] = Field(default="tested", description='"tested" or "told"')
    min_rows: Count = Field(default=MIN_ROWS, description=A_COUNT)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns of numbers that are used, each once."""
        return tuple(
            dict.fromkeys(
                (
                    *self.columns,
                    *self.histograms,
                    *self.correlations,
                    *(test.column for test in self.t_tests),
                    *(one.time for one in self.survival),
                )
            )
        )

    @property
    def events(self) -> tuple[str, ...]:
        """The 0/1 columns that are used, each once."""
        return tuple(dict.fromkeys(one.event for one in self.survival))

    @property
    def grouping(self) -> tuple[str, ...]:
        """The categories that are used, each once."""
        between = (*(test.between for test in self.t_tests), *(one.between for one in self.survival))
        named = (self.by, *(column for pair in self.tables for column in pair), *between)
        return tuple(dict.fromkeys(column for column in named if column is not None))


def prepare_statistics(table: dict[str, Any]) -> Reading[dict[str, Any]]:
    """Read the inner tables, each by its own settings."""
    table = yield from prepare_categories(table)
    grid = table.get("grid")
    if isinstance(grid, Mapping):
        table["grid"] = dict[str, GridSpec]()
        for name, raw in grid.items():
            spec = yield from read_table(GridSpec, raw, f"[task.grid] {name}", {})
            if spec is not None:
                table["grid"][name] = spec
    for key, model in (("t_tests", TTestSpec), ("survival", SurvivalSpec)):
        if isinstance(table.get(key), list):
            table[key] = yield from _read_each(model, table[key], f"[[task.{key}]]")
    return table


def settle_statistics(task: StatisticsTask, parties: Mapping[str, PartySpec] | None) -> Reading[StatisticsTask]:
    """Check settings against each other; return the task with quantiles in order and `dominance` filled in."""
    yield from _check_names(task)
    yield from _check_grids(task)
    for column, edges in task.histograms.items():
        if any(a >= b for a, b in pairwise(edges)):
            yield Problem(f"[task.histograms] the edges of {column} do not rise", "give each once, in order")
    if len(task.correlations) == 1:
        yield Problem("[task] correlations lists one column", "list two or more")
    if not (task.columns or task.histograms or task.correlations or task.tables or task.t_tests or task.survival):
        hint = "list `columns`, or add histograms, tables, correlations, t_tests or survival"
        yield Problem("[task] asks for no statistics", hint)
    for name, spec in (parties or {}).items():
        if spec.features is not None:
            hint = "name the columns once, in [task]"
            yield Problem(f"[parties.{name}] has features, which belong to a training", hint)
    yield from _check_cells(task)
    yield from _check_size(task)
    share = task.dominance if task.dominance is not None else DOMINANCE if task.min_cell else 0
    return task.model_copy(update={"quantiles": tuple(sorted(task.quantiles)), "dominance": share})


def grid_of(spec: GridSpec) -> Grid:
    """A grid of the file as the protocols know it."""
    return Grid(spec.from_, spec.to, spec.step)


def _read_each(model: type[Model], raw: Sequence[object], where: str) -> Reading[list[Model]]:
    read: list[Model] = []
    for values in raw:
        one = yield from read_table(model, values, where, {})
        if one is not None:
            read.append(one)
    return read


def _check_names(task: StatisticsTask) -> Iterator[Problem]:
    for key, names in (
        ("columns", task.columns),
        ("statistics", task.statistics),
        ("quantiles", [f"{share:g}" for share in task.quantiles]),
        ("correlations", task.correlations),
        ("tables", [" x ".join(sorted(pair)) for pair in task.tables]),
        ("t_tests", [f"{test.column} between {test.between}" for test in task.t_tests]),
        ("survival", [f"{one.time}, {one.event}, {one.between}" for one in task.survival]),
    ):
        repeated = [name for name, times in Counter(names).items() if times > 1]
        if repeated:
            yield Problem(f"[task] {key} lists {quote(repeated)} more than once", "list each once")
    for column in task.grouping:
        if column not in task.categories:
            guess = nearest(column, task.categories)
            hint = f"did you mean '{guess}'?" if guess else f'add {column} = ["...", "..."] to [task.categories]'
            yield Problem(f"[task.categories] does not list the levels of '{column}'", hint)
    for column in task.categories:
        if column not in task.grouping:
            guess = nearest(column, task.grouping)
            hint = f"did you mean '{guess}'?" if guess else "remove it there, or use it"
            yield Problem(f"[task.categories] names '{column}', which nothing uses", hint)
    yield from _check_uses(task)
    for pair in task.tables:
        if pair[0] == pair[1] or task.by in pair:
            what = f"'{task.by}', which `by` keeps apart" if task.by in pair else f"'{pair[0]}' twice"
            yield Problem(f"[task] tables: {show_value(' x '.join(pair))} has {what}", "take another column")
    between = {test.between for test in task.t_tests} | {one.between for one in task.survival}
    if task.by is not None and task.by in between:
        yield Problem(f"[task] '{task.by}' is in `between` and in `by`", "keep one of them")


def _check_uses(task: StatisticsTask) -> Iterator[Problem]:
    """No column is used as two kinds of things."""
    kinds = {"a number": task.numbers, "a category": task.grouping, "an event": task.events}
    used: dict[str, str] = {}
    for kind, columns in kinds.items():
        for column in columns:
            if column in used:
                hint = "a column is one of them"
                yield Problem(f"[task] takes '{column}' for {used[column]} and for {kind}", hint)
            used.setdefault(column, kind)


def _check_grids(task: StatisticsTask) -> Iterator[Problem]:
    wrong = list(_check_points(task))
    yield from wrong
    for time in dict.fromkeys(one.time for one in task.survival):
        if time not in task.grid:
            hint = f"write [task.grid] and below it {time} = {{ from = 0, to = 60, step = 1 }}"
            yield Problem(f"[[task.survival]] needs a grid of '{time}'", hint)
    wanted = [end for end in ("min", "max") if end in task.statistics] + (["quantiles"] if task.quantiles else [])
    if wanted and not wrong and not set(task.grid) & set(task.columns):
        hint = "write [task.grid] and below it age = { from = 0, to = 110, step = 1 }: the answers are on that grid"
        yield Problem(f"[task] {' and '.join(wanted)} need a grid of a column that is described", hint)


def _check_points(task: StatisticsTask) -> Iterator[Problem]:
    """Each grid is of a column that is used, and has from two to as many points as it may."""
    times = [one.time for one in task.survival]
    for column, spec in task.grid.items():
        if spec.from_ >= spec.to:
            yield Problem(f"[task.grid] {column}: from is not below to", "give the smallest value first")
            continue
        count, most = grid_of(spec).count, MOST_TIMES if column in times else MOST_POINTS
        if count > most:
            message = f"[task.grid] {column} has {count} points, and {most} are the most"
            yield Problem(message, "take larger steps")
        elif count < 2:
            yield Problem(f"[task.grid] {column} has one point", "take smaller steps")
    for column in _unused(task.grid, (*task.columns, *times)):
        guess = nearest(column, (*task.columns, *times))
        hint = f"did you mean '{guess}'?" if guess else "remove it there, or add it to `columns`"
        yield Problem(f"[task.grid] names '{column}', which is not among the columns", hint)


def _check_cells(task: StatisticsTask) -> Iterator[Problem]:
    if 0 < task.min_cell < LEAST_MINIMUM:
        message = f"[task] min_cell = {task.min_cell}: that a cell has too few would tell nearly how many"
        yield Problem(message, f"write at least {LEAST_MINIMUM}, or 0 to tell every cell")
    if not task.min_cell:
        for key in ("dominance", "missing_cells"):
            if key in task.model_fields_set and dict(task)[key] not in (0, "told"):
                message = f"[task] {key} goes with a min_cell, and min_cell = 0 tells every cell"
                yield Problem(message, f"leave {key} out, or write min_cell = 5")


def _check_size(task: StatisticsTask) -> Iterator[Problem]:
    """The cells are few enough to be planned while somebody waits for `mpc plan`."""
    levels = {column: len(names) for column, names in task.categories.items()}
    tables = {pair: levels.get(pair[0], 0) * levels.get(pair[1], 0) for pair in task.tables}
    large = {pair: cells for pair, cells in tables.items() if cells > MOST_TABLE_CELLS}
    for (one, other), cells in large.items():
        message = f"[task] the table of {show_value(f'{one} x {other}')} has {cells} cells, and {MOST_TABLE_CELLS}"
        yield Problem(f"{message} are the most", "take fewer levels")
    bins = sum(len(edges) + 1 for edges in task.histograms.values())
    groups = sum(levels.get(test.between, 0) for test in task.t_tests)
    cells = levels.get(task.by or "", 1) * (len(task.columns) + bins + groups + sum(tables.values()))
    if cells > MOST_CELLS and not large:
        message = f"[task] asks for {cells} cells of tables, histograms and groups, and {MOST_CELLS} are the most"
        yield Problem(message, "ask for less at once")


def _unused(named: Iterable[str], known: Iterable[str]) -> list[str]:
    there = set(known)
    return [name for name in named if name not in there]


READER = TaskReader(StatisticsTask, settle_statistics, prepare_statistics, noisy=make_statistics_private)
