"""What a run of statistics told, as linear facts for an audit: counts, sums, places in the order of values.

A quantile v at rank r says that r values or more are at most v, and fewer at most the point of the grid before it; a
minimum and a maximum likewise. A column of few different values is told apart by these (an onlooker knows a flag's), so
that its sums and sums of squares are facts about counts. Correlations, tests and curves are not used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, inf, nextafter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import UsageError
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.audited.counts import Counted, Fact, Moments, Places, Query, Values, Weights
from parties.tasks.statistics.data import load_statistics_table
from parties.tasks.statistics.settings import StatisticsTask, grid_of

_FEW: Final = 5
"""A column of so many different values or fewer is known by its values."""
_ROUNDING: Final = 1e-10
_MISSED: Final = 0.005
"""The chance that one of all noisy numbers is outside of its slack."""
_SMALL: Final = 5


@dataclass(frozen=True)
class _Axis:
    """A column's cells: between cuts, of which each belongs to the cell above; the last has the rows without a value.

    Args:
        values: of each cell but the last, where they are known.
    """

    cuts: tuple[float, ...]
    values: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        return len(self.cuts) + 2

    def places(self, x: Values) -> Places:
        """The cell of each value."""
        return np.where(np.isnan(x), self.size - 1, np.searchsorted(self.cuts, x, side="right")).astype(np.int64)

    def between(self, low: float, high: float) -> Values:
        """Weights that are 1 in the cells of values from `low` to below `high`, which are cuts, or values are known."""
        starts = np.array(self.values or (-inf, *self.cuts))
        return np.append((starts >= low) & (starts < high), False).astype(float)

    @property
    def present(self) -> Values:
        """Weights that are 1 where there is a value."""
        return self.between(-inf, inf)

    @property
    def missing(self) -> Values:
        """Weights that are 1 where there is none."""
        return 1.0 - self.present


def _above(x: float) -> float:
    """The cut between what is at most x and what is above."""
    return nextafter(x, inf)


def counted(scenario: Scenario, records: Sequence[Mapping[str, Any]], owner: str | None = None) -> tuple[Counted, ...]:
    """What the record of each run disclosed of all owners' rows, by the same cells. With [privacy] sums are not used.

    Args:
        records: of runs over these rows, or nearly; they may have asked for other statistics.
        owner: whose rows alone are here; None: all owners' are.

    Raises:
        UsageError: the runs take a column for different things.
        DataError: an owner's data cannot be read.
    """
    tasks = [_task_of(scenario, record) for record in records]
    task = _together(tasks)
    here = scenario.owners if owner is None else (owner,)
    tables = {name: load_statistics_table(scenario.model_copy(update={"task": task}), name) for name in here}
    all_told = [record["statistics"] for record in records]
    axes = {name: _axis(tasks, name, all_told, tables) for name in (*task.grouping, *task.numbers)}
    many = [name for name in task.numbers if not axes[name].values]
    columns = {owner: {name: _column(table, name) for name in axes} for owner, table in tables.items()}
    rows = Counted(
        sizes={name: axis.size for name, axis in axes.items()},
        facts=(),
        queries=(),
        moments=(),
        cells={owner: {name: axes[name].places(x) for name, x in own.items()} for owner, own in columns.items()},
        values={owner: {name: np.nan_to_num(own[name]) for name in many} for owner, own in columns.items()},
        ranges={name: _ranges(task, axes[name], [own[name] for own in columns.values()], name) for name in many},
        small=task.min_cell or _SMALL,
        complete=owner is None,
    )
    found = []
    for record, task_of_run, statistics in zip(records, tasks, all_told, strict=True):
        noise = record.get("privacy")
        told = _Facts(task_of_run, axes, tables, noise["noise"]["deviation"] * _widest(statistics) if noise else 0.0)
        _collect(told, statistics)
        facts, questions, moments = tuple(told.facts), tuple(told.queries), tuple(told.moments)
        found.append(replace(rows, facts=facts, queries=questions, moments=moments, noisy=bool(noise)))
    return tuple(found)


def _task_of(scenario: Scenario, record: Mapping[str, Any]) -> StatisticsTask:
    """The task of a run: the scenario's, or that in its record.

    Raises:
        UsageError: the record was written by another version.
    """
    if record["scenario"]["digest"] == scenario.digest:
        return scenario.task_as(StatisticsTask)
    settings = dict(record["about"]["settings"]["task"])
    settings["grid"] = {name: {**spec, "from": spec["from_"]} for name, spec in settings["grid"].items()}
    for spec in settings["grid"].values():
        del spec["from_"]
    try:
        return StatisticsTask.model_validate(settings)
    except ValueError:
        raise UsageError("a run's record has settings that are not known here", "make the run again") from None


def _together(tasks: Sequence[StatisticsTask]) -> StatisticsTask:
    """A task that reads all columns of several.

    Raises:
        UsageError: a category has other levels in one.
    """
    first = tasks[0]
    levels: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        for name, found in task.categories.items():
            if levels.setdefault(name, found) != found:
                raise UsageError(f"two runs list other levels of '{name}'", "attack one of them alone")
    grouping = dict.fromkeys(name for task in tasks for name in task.grouping)
    changes = {
        "columns": tuple(dict.fromkeys(name for task in tasks for name in task.numbers)),
        "categories": levels,
        "tables": tuple((name, name) for name in grouping),  # each is read, and none is counted
        "grid": {name: spec for task in tasks for name, spec in task.grid.items()},
        "min_cell": max(task.min_cell for task in tasks),
    }
    return first if len(tasks) == 1 else first.model_copy(update=changes)


def _widest(statistics: Mapping[str, Any]) -> float:
    """The number of standard deviations within which all noisy counts lie."""
    from scipy.stats import norm

    return float(norm.isf(_MISSED / 2 / max(1, _numbers(statistics))))


def _numbers(part: Any) -> int:
    if isinstance(part, Mapping):
        return sum(_numbers(one) for key, one in part.items() if key != "intervals")
    if isinstance(part, list):
        return sum(map(_numbers, part))
    return int(isinstance(part, int | float))


def _column(table: PlainTable, name: str) -> Values:
    return table.values[:, table.columns.index(name)]


def _axis(
    tasks: Sequence[StatisticsTask],
    name: str,
    all_told: Sequence[Mapping[str, Any]],
    tables: Mapping[str, PlainTable],
) -> _Axis:
    for task in tasks:
        if name in task.grouping:
            values = tuple(map(float, range(len(task.categories[name]))))
            return _Axis(values[1:], values)
    found = np.unique(np.concatenate([_column(table, name) for table in tables.values()]))
    found = found[~np.isnan(found)]
    if len(found) <= _FEW:
        return _Axis(tuple(found[1:].tolist()), tuple(found.tolist()))
    cuts = set[float]()
    for task, statistics in zip(tasks, all_told, strict=True):
        edges = task.histograms.get(name, ())
        cuts.update((*edges[:-1], *(_above(edge) for edge in edges[-1:])))
        for entry in statistics["columns"].get(name, ()):
            cuts.update(at for _, at, _, _ in _ranks(task, name, entry))
    return _Axis(tuple(sorted(cuts)))


def _ranks(task: StatisticsTask, name: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, float, float, float]]:
    """Where values stand in the order: (of which side of a cut, the cut, at least so many, at most so many)."""
    n = entry.get("count")
    if name not in task.grid or not n:
        return
    points = grid_of(task.grid[name]).points
    before = dict(zip(points[1:].tolist(), points[:-1].tolist(), strict=True))
    after = dict(zip(points[:-1].tolist(), points[1:].tolist(), strict=True))
    for share, v in (entry.get("quantiles") or {}).items():
        if v is not None:
            rank = ceil(float(share) * n - 1e-9)
            yield "below", _above(v), rank, n
            if v in before:
                yield "below", _above(before[v]), 0, rank - 1
    low, high = entry.get("min"), entry.get("max")
    if low is not None:
        yield "below", low, 0, 0
        if low in after:
            yield "below", after[low], 1, n
    if high is not None:
        yield "above", _above(high), 0, 0
        if high in before:
            yield "above", _above(before[high]), 1, n


def _ranges(task: StatisticsTask, axis: _Axis, columns: Sequence[Values], name: str) -> tuple[Values, Values]:
    """The least and the largest value of each cell: of the grid's ends, or, which is more than is known, the data's."""
    here = np.concatenate(columns)
    low, high = (float(f(here[~np.isnan(here)])) for f in (np.min, np.max))
    if name in task.grid:
        low, high = float(grid_of(task.grid[name]).points[0]), float(grid_of(task.grid[name]).points[-1])
    cuts = np.clip(np.array((low, *axis.cuts, high)), low, high)
    return np.append(cuts[:-1], 0.0), np.append(cuts[1:], 0.0)


@dataclass(frozen=True)
class _Facts:
    """What was disclosed, as it is read from a record.

    Args:
        slack: by how much a count may be off.
    """

    task: StatisticsTask
    axes: Mapping[str, _Axis]
    tables: Mapping[str, PlainTable]
    slack: float
    facts: list[Fact] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    moments: list[Moments] = field(default_factory=list)

    def count(self, text: str, weights: Weights, value: float | None) -> None:
        """Add a number of patients; None: it was withheld."""
        if value is not None:
            self.facts.append(Fact(weights, value - self.slack, value + self.slack))
        self.queries.append(Query(text, weights, None if self.slack else value))

    def between(self, weights: Weights, low: float, high: float) -> None:
        """Add bounds of a number of patients that was not disclosed itself."""
        self.facts.append(Fact(weights, low, high))

    def values(self, text: str, weights: Weights, column: str, facts: Mapping[str, Any]) -> None:
        """Add a column's sum over some patients, and the sum of its squares, if they follow from what was disclosed."""
        n, mean, total = facts.get("count"), facts.get("mean"), facts.get("sum")
        deviation, variance = facts.get("sd"), facts.get("variance")
        weights = {**weights, column: weights.get(column, 1.0) * self.axes[column].present}
        if self.slack or not n:
            return
        if mean is None and total is None:
            if not self.axes[column].values and {"mean", "sum"} & set(facts):
                self.queries.append(Query(f"the sum of {column} of {text}", weights, of=column))
            return
        mean = total / n if mean is None else mean
        variance = deviation**2 if variance is None and deviation is not None else variance
        squares = None if variance is None else variance * (n - 1) + n * mean**2
        self._sum(weights, column, n * mean, 1)
        if squares is not None:
            self._sum(weights, column, squares, 2)
        rows = {owner: _column(table, column)[self._where(table, weights)] for owner, table in self.tables.items()}
        self.moments.append(Moments(f"{column} of {text}", n, n * mean, squares, rows))

    def _sum(self, weights: Weights, column: str, value: float, power: int) -> None:
        values = self.axes[column].values
        largest = max(map(abs, values), default=1.0) ** power or 1.0
        rounding = _ROUNDING * max(1e3, abs(value))
        if values:
            each = np.append(np.array(values) ** power, 0.0)
            weights = {**weights, column: weights[column] * each / largest}
            self.facts.append(Fact(weights, (value - rounding) / largest, (value + rounding) / largest))
        elif power == 1:
            self.facts.append(Fact(weights, value - rounding, value + rounding, of=column))

    def _where(self, table: PlainTable, weights: Weights) -> NDArray[np.bool_]:
        where = np.ones(table.rows, dtype=bool)
        for name, weight in weights.items():
            where &= weight[self.axes[name].places(_column(table, name))] != 0
        return where


def _collect(told: _Facts, statistics: Mapping[str, Any]) -> None:
    if statistics["rows"] is not None:
        told.between({}, statistics["rows"], statistics["rows"])
    _collect_groups(told, statistics)
    for column, entries in statistics["columns"].items():
        for text, base, entry in _groups(told, entries):
            _collect_column(told, text, base, column, entry)
    for column, histogram in statistics["histograms"].items():
        for text, base, entry in _groups(told, histogram["groups"]):
            _collect_bins(told, text, base, column, histogram["edges"], entry)
    for table in statistics["tables"] or ():
        for text, base, entry in _groups(told, table["groups"]):
            a, b = table["rows"], table["columns"]
            for (i, j), n in _elements(entry["counts"]):
                where = f"{a['column']} = {a['levels'][i]} and {b['column']} = {b['levels'][j]}{text}"
                told.count(where, {**base, **_level(told, a["column"], i), **_level(told, b["column"], j)}, n)
    for pair in statistics["correlations"] or ():
        for text, base, entry in _groups(told, pair["groups"]):
            both = {name: told.axes[name].present for name in pair["columns"]}
            told.count(f"with {' and '.join(pair['columns'])}{text}", {**base, **both}, entry["count"])
    for test in statistics["t_tests"] or ():
        for text, base, entry in _groups(told, test["groups"]):
            for k, sample in enumerate(entry["samples"]):
                where = f"{test['between']} = {sample['level']}{text}"
                weights = {**base, **_level(told, test["between"], k)}
                present = {test["column"]: told.axes[test["column"]].present}
                told.count(f"with {test['column']}, {where}", {**weights, **present}, sample["count"])
                told.values(where, weights, test["column"], sample)


def _collect_groups(told: _Facts, statistics: Mapping[str, Any]) -> None:
    by = statistics["by"]
    if by is not None:
        for k, (level, n) in enumerate(zip(by["levels"], by["rows"], strict=True)):
            told.count(f"{by['column']} = {level}", _level(told, by["column"], k), n)
        told.count(f"without {by['column']}", {by["column"]: told.axes[by["column"]].missing}, by["without"])


def _collect_column(told: _Facts, text: str, base: Weights, column: str, entry: Mapping[str, Any]) -> None:
    axis = told.axes[column]
    told.count(f"with {column}{text}", {**base, column: axis.present}, entry["count"])
    if "missing" in entry:
        told.count(f"without {column}{text}", {**base, column: axis.missing}, entry["missing"])
    told.values(f"all patients{text}", base, column, entry)
    for side, cut, low, high in () if told.slack else _ranks(told.task, column, entry):
        cells = axis.between(-inf, cut) if side == "below" else axis.between(cut, inf)
        told.between({**base, column: cells}, low, high)


def _collect_bins(
    told: _Facts, text: str, base: Weights, column: str, edges: Sequence[float], entry: Mapping[str, Any]
) -> None:
    axis, counts = told.axes[column], (entry["below"], *entry["counts"], entry["above"])
    cuts = (-inf, *edges[:-1], _above(edges[-1]), inf)
    for k, n in enumerate(counts):
        where = f"{column} from {cuts[k]:g} to below {cuts[k + 1]:g}{text}"
        told.count(where, {**base, column: axis.between(cuts[k], cuts[k + 1])}, n)
    for merged in entry.get("merged", ()):
        if merged["count"] is not None:
            low = -inf if merged["from"] is None else merged["from"]
            high = inf if merged["to"] is None else merged["to"]
            low, high = (_above(one) if one == edges[-1] else one for one in (low, high))
            told.between({**base, column: axis.between(low, high)}, merged["count"], merged["count"])


def _groups(told: _Facts, entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Weights, Mapping[str, Any]]]:
    """Each group in words, its weights, and its entry."""
    for k, entry in enumerate(entries):
        by = told.task.by
        if by is None:
            yield "", {}, entry
        else:
            yield f" among {by} = {entry['group']}", _level(told, by, k), entry


def _level(told: _Facts, column: str, level: int) -> dict[str, Values]:
    return {column: told.axes[column].between(level, level + 1)}


def _elements(counts: Sequence[Sequence[float | None]]) -> Iterator[tuple[tuple[int, int], float | None]]:
    for i, line in enumerate(counts):
        for j, n in enumerate(line):
            yield (i, j), n
