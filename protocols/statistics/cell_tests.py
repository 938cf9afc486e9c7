"""The counts and sums of a run of statistics that are tested before anything is disclosed: public.

Per group (a level of `by`), each of these is disclosed or withheld as one, by suppression.py's rules:

    the group            its rows, and those without a group: a list
    a column             its count, with the rows that lack it; sums and values on grids only where that is disclosed
    a column's sums      everywhere: also by the rows that differ from its commonest value, and by each value's where
                         there are few (rare_values.py); and only where its histogram and times disclose every cell
    a histogram          a list: bins, and the rows that lack the column
    a contingency table  in blocks; as a whole, by the totals within blocks and by the rows in none of its cells
    a t-test             as a whole: its samples, the rows that are in none, and those of them that have the column
    a correlation        as a whole: the rows with both columns, those without, and those of them with the one or other
    both's sums          also by how many rows their samples differ from those of an earlier one of the same column
    survival             each arm: those with the event, and those still at risk at the end; times are merged after that
                         (forward_merge.py), and censored patients are deferred (survival/deferred.py)

Tables whose columns form a loop (a x b, b x c, c x a) are disclosed together or not at all: `suppression.loops`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product

import numpy as np

from protocols.disclosure.suppression import Halving, Span, loops, table_blocks
from protocols.statistics.blocks import CellTests, Key, Kind, Places, Summed, Total, Valued
from protocols.statistics.settings import Cells, Sample, StatisticsSettings, Survival

ALL_ROWS = Cells("all rows", ())


def cell_tests(settings: StatisticsSettings) -> CellTests:
    """All tests for the settings, whose `min_cell` is above 0."""
    return _Tests(settings).found()


Leaf = Mapping[int, int]
"""Places among all counts, with how often each is added; -1: subtracted."""


class _Tests:
    """Collects what is tested, each total and sum once."""

    def __init__(self, settings: StatisticsSettings) -> None:
        self.settings = settings
        extra = [Cells(f"rows with {c}", settings.by_axes, (c,)) for c in self._needed()]
        self._meetings = _meetings(settings)
        self.tables = (
            ALL_ROWS,
            *dict.fromkeys(
                (
                    settings.group_sizes,
                    *settings.cells,
                    *settings.exact_curves.values(),
                    *extra,
                    *(one.cells for one in self._meetings),
                )
            ),
        )
        sizes = [one.size for one in self.tables]
        self._starts = dict(zip((one.name for one in self.tables), np.cumsum([0, *sizes]).tolist(), strict=False))
        self._totals: dict[Total, int] = {}
        self._sums: dict[Summed, int] = {}
        self._questions: dict[Key, tuple[int, ...]] = {}
        self._values: dict[Valued, int] = {}
        self._valued: dict[Key, tuple[int, ...]] = {}

    def found(self) -> CellTests:
        for g in range(self.settings.groups):
            gate = self._gate(g)
            self._add("group", self.settings.group_sizes, g, gate)
            looped = self._looped(g)
            for column, sample in self.settings.described.items():
                self._described(column, sample, g, gate)
            for column, cells in self.settings.binned.items():
                self._listed(cells, g, [[leaf] for leaf in self._bins(column, cells, g)], gate + looped[cells.name])
            for cells in self.settings.crossed.values():
                self._crossed(cells, g, gate + looped[cells.name])
            for (column, _), sample in self.settings.compared.items():
                self._compared(column, sample, g, gate + looped[sample.cells.name])
            for pair, sample in self.settings.correlated.items():
                self._correlated(pair, sample, g, gate + looped[sample.cells.name])
            for one, cells in self.settings.curves.items():
                rest = self._count([self._rest(self.settings.exact_curves[one], g)]) if self._lacking else []
                self._arms(cells, g, gate + looped[cells.name] + rest)
            self._searched(g)
        return CellTests(
            self.tables, tuple(self._totals), tuple(self._sums), self._questions, tuple(self._values), self._valued
        )

    @property
    def _lacking(self) -> bool:
        """Whether rows that lack something are cells too."""
        return self.settings.missing_cells == "tested"

    def _needed(self) -> list[str]:
        """The columns whose rows are counted too, since other tables split them up."""
        s = self.settings
        split = (*(column for column, _ in s.compared), *(column for pair in s.correlated for column in pair))
        return [column for column in dict.fromkeys(split) if column not in s.columns]

    # Cells, as places among all counts

    def _places(self, cells: Cells, g: int) -> Places:
        start = self._starts[cells.name]
        places = np.arange(start, start + cells.size).reshape(cells.shape)
        return np.asarray(places[g] if self.settings.by else places)

    def _one(self, cells: Cells, g: int) -> Leaf:
        return {int(self._places(cells, g)): 1}

    def _cells_of(self, column: str) -> Cells:
        return next(one for one in self.tables if one.present == (column,) and one.axes == self.settings.by_axes)

    def _having(self, column: str, g: int) -> Leaf:
        """The group's rows that have a column."""
        return self._one(self._cells_of(column), g)

    def _rest(self, cells: Cells, g: int) -> Leaf:
        """The group's rows that are in no cell of a table."""
        return _less(self._one(self.settings.group_sizes, g), _plain(self._places(cells, g)))

    def _bins(self, column: str, cells: Cells, g: int) -> list[Leaf]:
        bins: list[Leaf] = [{int(place): 1} for place in self._places(cells, g)]
        return [*bins, self._rest(cells, g)] if self._lacking else bins

    # What is asked

    def _count(self, leaves: Iterable[Leaf], least: int | None = None) -> list[int]:
        found = []
        for leaf in leaves:
            total = Total(tuple(sorted(leaf.items())), self.settings.min_cell if least is None else least)
            found.append(self._totals.setdefault(total, len(self._totals)))
        return found

    def _sum(self, column: str, inside: Cells, cell: int, outside: Cells | None = None) -> list[int]:
        if not self.settings.dominance:
            return []
        one = Summed(column, inside, cell, outside)
        return [-1 - self._sums.setdefault(one, len(self._sums))]

    def _add(self, kind: Kind, cells: Cells, g: int, numbers: Iterable[int], number: int = 0) -> list[int]:
        found = tuple(dict.fromkeys(numbers))
        self._questions[kind, cells.name, g, number] = found
        return list(found)

    def _add_sums(self, cells: Cells, g: int, numbers: Iterable[int], values: Iterable[Valued]) -> None:
        """Add a block of sums, also withheld by tests of its values and of all cells that order them by size."""
        values = list(values)
        columns = dict.fromkeys(column for one in values for column in one.columns)
        self._add("sums", cells, g, [*numbers, *(n for column in columns for n in self._orders(column, g))])
        self._valued["sums", cells.name, g, 0] = tuple(
            self._values.setdefault(one, len(self._values)) for one in values
        )

    def _gate(self, g: int) -> list[int]:
        """The tests of a whole group."""
        s = self.settings
        if s.by is None:
            return self._count([self._one(s.group_sizes, g)])
        groups = [self._one(s.group_sizes, k) for k in range(s.groups)]
        without = _less(self._one_of(ALL_ROWS), *groups)
        leaves = [*groups, without] if self._lacking else groups
        return self._count(_plus(*leaves[a:b]) for a, b in Halving(len(leaves), last=self._lacking).around(g))

    def _one_of(self, cells: Cells) -> Leaf:
        return {self._starts[cells.name]: 1}

    def _described(self, column: str, sample: Sample, g: int, gate: list[int]) -> None:
        cells = sample.cells
        there = self._one(cells, g)
        lack = [self._rest(cells, g)] if self._lacking else []
        numbers = self._add("count", cells, g, [*gate, *self._count([there, *lack])])
        summed = [Valued((column,), cells, g)] if sample in self.settings.samples else []
        self._add_sums(cells, g, [*numbers, *self._sum(column, cells, g)], summed)

    def _listed(self, cells: Cells, g: int, leaves: Sequence[Sequence[Leaf]], also: list[int]) -> None:
        """A list whose cells are counts of several kinds."""
        kinds = range(len(leaves[0]))
        numbers: dict[Span, list[int]] = {}
        for k, halves in enumerate(halving_of(cells, self.settings).questions.values()):
            for a, b in halves:
                if (a, b) not in numbers:
                    numbers[a, b] = self._count(_plus(*(leaf[kind] for leaf in leaves[a:b])) for kind in kinds)
            self._add("list", cells, g, [*also, *(n for half in halves for n in numbers[half])], k)

    def _arms(self, cells: Cells, g: int, also: list[int]) -> None:
        places = self._places(cells, g)
        for k, arm in enumerate(places.reshape(-1, *places.shape[-2:])):
            numbers = self._count([_plain(arm[:-1, 1]), {int(arm[-1, 0]): 1}])
            self._add("arm", cells, g, [*also, *numbers], k)

    def _crossed(self, cells: Cells, g: int, also: list[int]) -> None:
        places = self._places(cells, g)
        blocks = [places[a:b, c:d] for (a, b), (c, d) in table_blocks(*places.shape)]
        lines = [_plain(line) for block in blocks for line in (*block, *block.T)]
        lack = [self._rest(cells, g)] if self._lacking else []
        whole = self._add("table", cells, g, [*also, *self._count([*lines, *lack])])
        for k, block in enumerate(blocks):
            self._add("block", cells, g, [*whole, *self._count({int(place): 1} for place in block.flat)], k)

    def _compared(self, column: str, sample: Sample, g: int, also: list[int]) -> None:
        cells = sample.cells
        numbers = self._add("count", cells, g, [*also, *self._count(self._sample_cells(sample, (column,), g))])
        levels = cells.shape[-1]
        sums = [n for k in range(levels) for n in self._sum(column, cells, g * levels + k)]
        sums += self._sum(column, self._cells_of(column), g, cells)
        values = [Valued((column,), cells, g * levels + k) for k in range(levels)]
        values.append(Valued((column,), self._cells_of(column), g, cells))
        self._add_sums(cells, g, [*numbers, *sums, *self._met(sample, g)], values)

    def _correlated(self, pair: tuple[str, str], sample: Sample, g: int, also: list[int]) -> None:
        cells = sample.cells
        numbers = self._add("count", cells, g, [*also, *self._count(self._sample_cells(sample, pair, g))])
        sums = [n for column in pair for n in self._sum(column, cells, g)]
        sums += [n for column in pair for n in self._sum(column, self._cells_of(column), g, cells)]
        values = [Valued(columns, cells, g) for columns in (pair, *((column,) for column in pair))]
        values += [Valued((column,), self._cells_of(column), g, cells) for column in pair]
        self._add_sums(cells, g, [*numbers, *sums, *self._met(sample, g)], values)

    def _sample_cells(self, sample: Sample, columns: Sequence[str], g: int) -> list[Leaf]:
        """The cells of a sample; for each column the rows that have it and are in no cell; all rows in no cell."""
        cells: list[Leaf] = [{int(place): 1} for place in self._places(sample.cells, g).flat]
        outside = [_less(self._having(column, g), *cells) for column in columns]
        return [*cells, *outside, *([self._rest(sample.cells, g)] if self._lacking else [])]

    def _met(self, sample: Sample, g: int) -> list[int]:
        """The numbers of rows in which a sample's cells, and all of them, differ from a column's earlier sample."""
        found: list[int] = []
        for one in self._meetings:
            if sample == one.second:
                rows, columns = (self._places(each.cells, g).reshape(-1) for each in (one.first, one.second))
                both = self._places(one.cells, g).reshape(len(rows), len(columns))
                for part, of in product(_parts(len(rows)), _parts(len(columns))):
                    shared = _plain(both[part][:, of])
                    differ = _less(_plus(_plain(rows[part]), _plain(columns[of])), shared, shared)
                    found += self._count([differ])
        return found

    def _searched(self, g: int) -> None:
        s = self.settings
        for k, search in enumerate(s.searches):
            if search.group == g:
                cells = s.described[search.column].cells
                numbers = list(self._questions["count", cells.name, g, 0])
                if isinstance(search.rank, Fraction):
                    numbers += self._orders(search.column, g)
                self._add("search", cells, g, numbers, k)

    def _orders(self, column: str, g: int) -> list[int]:
        """The cells that order a column's values by size, about which its quantiles and sums disclose something."""
        s = self.settings
        found: list[int] = []
        if column in s.binned:
            found += self._count(self._bins(column, s.binned[column], g))
        for one, cells in s.exact_curves.items():
            if one.time == column:
                found += self._count({int(place): 1} for place in self._places(cells, g).flat)
        return found

    def _looped(self, g: int) -> dict[str, list[int]]:
        """For each table by name, all cells of the tables that are disclosed together with it."""
        s = self.settings
        cells: dict[str, list[Leaf]] = {}
        for sample, columns in (
            *((sample, (column,)) for (column, _), sample in s.compared.items()),
            *((sample, pair) for pair, sample in s.correlated.items()),
        ):
            cells[sample.cells.name] = self._sample_cells(sample, columns, g)
        for column, one in s.binned.items():
            cells[one.name] = self._bins(column, one, g)
        exact = {cells.name: s.exact_curves[one] for one, cells in s.curves.items()}
        for name, one in {**{cells.name: cells for cells in s.crossed.values()}, **exact}.items():
            lack = [self._rest(one, g)] if self._lacking else []
            cells[name] = [*({int(place): 1} for place in self._places(one, g).flat), *lack]
        members = loop_numbers(s)
        together = {
            number: self._count(leaf for name, loop in members.items() if loop == number for leaf in cells[name])
            for number in set(members.values()) - {0}
        }
        return {name: together.get(number, []) for name, number in members.items()}


@dataclass(frozen=True)
class _Meeting:
    """Two samples in which one column's values are summed up, and the cells of the rows that are in both.

    A sum over one less a sum over the other is about the rows by which they differ, which must not be few.
    """

    first: Sample
    second: Sample
    cells: Cells


def _meetings(s: StatisticsSettings) -> list[_Meeting]:
    found = []
    for first, second in combinations((*s.compared.values(), *s.correlated.values()), 2):
        if set(first.cells.present) & set(second.cells.present):
            axes = (*first.cells.axes, *second.cells.axes[len(s.by_axes) :])
            present = tuple(dict.fromkeys((*first.cells.present, *second.cells.present)))
            found.append(_Meeting(first, second, Cells(f"{first.cells.name}, {second.cells.name}", axes, present)))
    return found


def loop_numbers(s: StatisticsSettings) -> dict[str, int]:
    """The loop number of each table by name, 0 if it is on none. A histogram of times is on its curves' loop."""
    tables: dict[str, frozenset[str]] = {
        **{cells.name: frozenset(pair) for pair, cells in s.crossed.items()},
        **{sample.cells.name: frozenset(pair) for pair, sample in s.compared.items()},
        **{sample.cells.name: frozenset(pair) for pair, sample in s.correlated.items()},
        **{cells.name: _columns_of(one) for one, cells in s.curves.items()},
        **{cells.name: frozenset({column}) for column, cells in s.binned.items()},
    }
    for one in s.survival:
        if one.time in s.binned:
            tables[s.binned[one.time].name] = frozenset({one.time, one.event})
    return dict(zip(tables, loops(list(tables.values())), strict=True))


def _columns_of(one: Survival) -> frozenset[str]:
    return frozenset({one.time, one.event, *([one.between] if one.between else [])})


def halving_of(cells: Cells, settings: StatisticsSettings) -> Halving:
    """The halves of a histogram, with the rows that lack its column at the end."""
    return Halving(cells.shape[-1], first=True, last=True, rest=settings.missing_cells == "tested")


def _parts(count: int) -> list[slice]:
    """Each cell of a sample, and all of them."""
    return [*(slice(k, k + 1) for k in range(count)), *([slice(0, count)] if count > 1 else [])]


def _plain(places: Places) -> dict[int, int]:
    return dict.fromkeys(map(int, places.reshape(-1)), 1)


def _plus(*leaves: Leaf) -> dict[int, int]:
    out: dict[int, int] = {}
    for place, sign in (item for leaf in leaves for item in leaf.items()):
        out[place] = out.get(place, 0) + sign
    return {place: sign for place, sign in out.items() if sign}


def _less(leaf: Leaf, *others: Leaf) -> dict[int, int]:
    return _plus(leaf, *({place: -sign for place, sign in other.items()} for other in others))
