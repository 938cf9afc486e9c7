"""The settings of descriptive statistics, and the cells, samples and searches that follow from them: public."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # a scenario is read without numpy
    import numpy as np
    from numpy.typing import NDArray

Described = Literal["count", "missing", "sum", "mean", "variance", "sd", "min", "max"]
MissingCells = Literal["tested", "told"]
Rank = Literal["min", "max"] | Fraction
"""The smallest value, the largest, or the one that a share of all values do not exceed."""

_OF_SUMS = frozenset({"sum", "mean", "variance", "sd"})
_OF_SQUARES = frozenset({"variance", "sd"})


@dataclass(frozen=True)
class Grid:
    """low, low + step, low + 2 step, ... up to high: each point the double next to it."""

    low: float
    high: float
    step: float

    @property
    def count(self) -> int:
        """How many points there are."""
        low, high, step = (Fraction(repr(number)) for number in (self.low, self.high, self.step))
        return int((high - low) // step) + 1

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """All of them; exact decimals first, so that 0.1 steps meet 0.3."""
        import numpy as np

        low, step = Fraction(repr(self.low)), Fraction(repr(self.step))
        whole = math.lcm(low.denominator, step.denominator)
        start, by = int(low * whole), int(step * whole)
        return np.array([(start + k * by) / whole for k in range(self.count)])


@dataclass(frozen=True)
class Axis:
    """An axis of a table: a category's levels, a column's bins, or the points of time that a value is rounded up to.

    Args:
        kind: "level": cells are the codes 0, 1, ...; "bin": below the first edge, between edges (the last one included
            in its bin), above the last; "time": the grid's points, and beyond the last.
        size: how many cells.
        edges: of bins or points of time.
    """

    column: str
    kind: Literal["level", "bin", "time"]
    size: int
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Cells:
    """A table of counts: of the rows that have a value in each of `present`, by the axes. No row is in two cells.

    Args:
        deferred: the size of lots in which an owner counts censored patients (survival/deferred.py); 0: at once.
    """

    name: str
    axes: tuple[Axis, ...]
    present: tuple[str, ...] = ()
    deferred: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return tuple(axis.size for axis in self.axes)

    @property
    def size(self) -> int:
        """How many cells there are."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Sample:
    """Cells whose rows' values in `cells.present` are summed up, and also squared about their means if `squares`."""

    cells: Cells
    squares: bool

    @property
    def sums_shape(self) -> tuple[int, ...]:
        """One sum a column and cell."""
        return len(self.cells.present), *self.cells.shape

    @property
    def products(self) -> tuple[tuple[int, int], ...]:
        """The pairs of columns whose centred products are summed up, each column with itself first."""
        d = len(self.cells.present)
        return tuple((i, i) for i in range(d)) + tuple((i, j) for i in range(d) for j in range(i + 1, d))

    @property
    def squares_shape(self) -> tuple[int, ...]:
        """One sum a pair of columns and cell."""
        return len(self.products), *self.cells.shape


@dataclass(frozen=True)
class Search:
    """A search for a value on its column's grid, among the rows of one group."""

    column: str
    group: int
    rank: Rank

    @property
    def counted(self) -> tuple[str, int, bool]:
        """The counts that it searches: the column's, of the group, with values rounded down to the grid or up."""
        return self.column, self.group, self.rank == "min"


@dataclass(frozen=True)
class Survival:
    """Kaplan-Meier curves: `event` is 1 where the event came at `time`, 0 where the patient was censored then."""

    time: str
    event: str
    between: str | None


@dataclass(frozen=True)
class StatisticsSettings:
    """All that is public about a run of statistics.

    Args:
        rows: each owner's number of rows.
        columns: the columns that are described.
        statistics: by what.
        quantiles: shares between 0 and 1, of the described columns that have a grid.
        by: the category whose levels are kept apart throughout; None: all rows together.
        levels: of each category, by column.
        grids: by column.
        histograms: edges by column.
        tables: pairs of categories that are counted against each other.
        correlations: columns that are correlated, each with each.
        t_tests: column, and the category whose levels are compared.
        min_cell: a count is disclosed only if each owner's others have none or at least so many of it; 0: any is.
        dominance: a sum is disclosed only if no value is above so many percent of some owner's others' sum; 0: any is.
        missing_cells: whether rows that lack a value are such cells too.
    """

    owners: tuple[str, ...]
    helper: str
    rows: tuple[int, ...]
    columns: tuple[str, ...] = ()
    statistics: tuple[Described, ...] = ("count", "missing", "mean", "sd")
    quantiles: tuple[float, ...] = ()
    by: str | None = None
    levels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    grids: tuple[tuple[str, Grid], ...] = ()
    histograms: tuple[tuple[str, tuple[float, ...]], ...] = ()
    tables: tuple[tuple[str, str], ...] = ()
    correlations: tuple[str, ...] = ()
    t_tests: tuple[tuple[str, str], ...] = ()
    survival: tuple[Survival, ...] = ()
    min_cell: int = 0
    dominance: int = 0
    missing_cells: MissingCells = "tested"

    @property
    def groups(self) -> int:
        """How many groups are kept apart."""
        return 1 if self.by is None else len(self.levels_of(self.by))

    def levels_of(self, column: str) -> tuple[str, ...]:
        """A category's levels."""
        return dict(self.levels)[column]

    def grid_of(self, column: str) -> Grid:
        """A column's grid."""
        return dict(self.grids)[column]

    def category(self, column: str) -> Axis:
        """The axis of a category's levels."""
        return Axis(column, "level", len(self.levels_of(column)))

    @property
    def by_axes(self) -> tuple[Axis, ...]:
        """The axis of the groups that are kept apart, if there are any."""
        return () if self.by is None else (self.category(self.by),)

    @cached_property
    def described(self) -> dict[str, Sample]:
        """The cells of each described column; without squares where no variance is asked for."""
        squares = bool(_OF_SQUARES & set(self.statistics))
        return {c: Sample(Cells(f"values of {c}", self.by_axes, (c,)), squares) for c in self.columns}

    @cached_property
    def compared(self) -> dict[tuple[str, str], Sample]:
        """The samples of each t-test."""
        return {
            (column, between): Sample(
                Cells(f"{column} by {between}", (*self.by_axes, self.category(between)), (column,)), squares=True
            )
            for column, between in self.t_tests
        }

    @cached_property
    def correlated(self) -> dict[tuple[str, str], Sample]:
        """The samples of each pair of correlated columns: rows that have both."""
        names = self.correlations
        return {
            (a, b): Sample(Cells(f"{a} with {b}", self.by_axes, (a, b)), squares=True)
            for i, a in enumerate(names)
            for b in names[i + 1 :]
        }

    @cached_property
    def group_sizes(self) -> Cells:
        """The rows of each group."""
        return Cells(f"rows by {self.by}" if self.by else "rows", self.by_axes)

    @cached_property
    def binned(self) -> dict[str, Cells]:
        """The cells of each histogram."""
        return {
            column: Cells(f"histogram of {column}", (*self.by_axes, Axis(column, "bin", len(edges) + 1, edges)))
            for column, edges in self.histograms
        }

    @cached_property
    def crossed(self) -> dict[tuple[str, str], Cells]:
        """The cells of each contingency table."""
        return {
            (a, b): Cells(f"{a} x {b}", (*self.by_axes, self.category(a), self.category(b))) for a, b in self.tables
        }

    @cached_property
    def curves(self) -> dict[Survival, Cells]:
        """The cells of each set of survival curves: by group and arm, at each point of time, without and with event."""
        return {
            one: replace(cells, name=_curve_name(one), deferred=self.min_cell)
            for one, cells in self.exact_curves.items()
        }

    @cached_property
    def exact_curves(self) -> dict[Survival, Cells]:
        """The same without deferral: each patient counts at its own time. With `min_cell` these are not opened."""
        found = {}
        for one in self.survival:
            points = tuple(map(float, self.grid_of(one.time).points))
            between = () if one.between is None else (self.category(one.between),)
            axes = (
                *self.by_axes,
                *between,
                Axis(one.time, "time", len(points) + 1, points),
                Axis(one.event, "level", 2),
            )
            found[one] = Cells(f"{_curve_name(one)}, at each time", axes)
        return found

    def arms_of(self, one: Survival) -> tuple[str | None, ...]:
        """The arms of a survival's curves: the levels that are compared, or None for all rows."""
        return (None,) if one.between is None else self.levels_of(one.between)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """All samples that are summed up, or whose sums need a count."""
        described = self.described.values() if _OF_SUMS & set(self.statistics) else ()
        return (*described, *self.compared.values(), *self.correlated.values())

    @cached_property
    def cells(self) -> tuple[Cells, ...]:
        """Every table of counts, in the order in which they are opened."""
        samples = (*self.described.values(), *self.compared.values(), *self.correlated.values())
        groups = (self.group_sizes,) if self.by else ()
        return (
            *groups,
            *(sample.cells for sample in samples),
            *self.binned.values(),
            *self.crossed.values(),
            *self.curves.values(),
        )

    @cached_property
    def searches(self) -> tuple[Search, ...]:
        """Every value that is looked for under secret comparison."""
        ends: list[Rank] = [end for end in ("min", "max") if end in self.statistics]
        ranks = [*ends, *(Fraction(repr(share)) for share in self.quantiles)]
        with_grid = [column for column in self.columns if column in dict(self.grids)]
        return tuple(
            Search(column, group, rank) for column in with_grid for group in range(self.groups) for rank in ranks
        )


def _curve_name(one: Survival) -> str:
    return f"{one.time} to {one.event}" + (f" by {one.between}" if one.between else "")
