"""Differentially private statistics: counts, sums and sums of squares of all owners' rows, with noise, in one round.

What is released, and how far a patient (one row, added or removed) can change it:

- **counts** of cells that no row shares: rows by group, rows with and without a value, histograms, tables, each level
  of a tree over a column's grid (quantile_tree.py), events and censorings by stretch of time (survival.py). A
  patient is in one cell of each, and changes it by 1.
- **sums** of u = (x - centre) / half over a group, x clipped to its agreed range [centre - half, centre + half]: the
  patient changes one of them by at most 1.
- **squares**: sums of 2 u^2 - 1, which is in [-1, 1] too.
- **products** of two columns: sums of u v, which is in [-1, 1] too.

So all have one sensitivity, and `noisy_sum` opens all in one vector under one noise. Numbers are whole: u is rounded
to 2^-30 by itself, whatever the other rows are, so that a sum of owner i changes by at most 2^30; the sum is rounded to
the coarser unit 2^-b of the noise by a shift, which changes by at most 2^b where the sum changes by 2^30. No sum is
formed in floating point, whose rounding would depend on the other rows and so exceed the sensitivity (Casacuberta,
Shoemate, Vadhan, Wagaman 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod, sqrt
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from protocols.privacy.accounting import Calibration, Mechanism, calibrated
from protocols.privacy.agreed_range import AgreedRange
from protocols.privacy.noisy_sum import claim_text, noisy_sum_of
from protocols.statistics.own_cells import OwnColumns, cut, places
from protocols.statistics.private.quantile_tree import Tree, best_tree
from protocols.statistics.settings import Axis, Cells, Sample, StatisticsSettings

NOISY = "noisy counts and sums"
LABEL: Final = "noisy sums"
FINE: Final = 30
"""The bits of a row's u, 2 u^2 - 1 and u v."""

What = Literal["rows", "count", "sum", "squares", "product", "histogram", "table", "ranks", "events"]
OF_VALUES: Final = frozenset({"sum", "squares", "product"})
"""What adds up values; all else counts rows."""


@dataclass(frozen=True)
class Clip(AgreedRange):
    """The agreed range of a column that is summed up."""

    def fine(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """u of each value, in units of 2^-30: between -2^30 and 2^30 whatever the value is."""
        u = (np.clip(values, self.low, self.high) - self.centre) / self.half
        whole = np.rint(u * 2.0**FINE).astype(np.int64)
        return np.clip(whole, -(1 << FINE), 1 << FINE)


@dataclass(frozen=True)
class Release:
    """Numbers of which a patient changes one, by at most 1.

    Args:
        name: as the plan has it.
        cells: whose rows are counted or summed up.
        rest: whether the rows in no cell are counted too: for rows by group once, for a column's values in each group
            those that lack one.
        columns: whose values are summed up, or the two whose products are.
    """

    what: What
    name: str
    cells: Cells
    rest: bool = False
    columns: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its numbers: a column's counts are those with a value, and those that lack one (2, groups)."""
        if self.what == "count":
            return (1 + self.rest, *self.cells.shape)
        return (self.cells.size + 1,) if self.what == "rows" else self.cells.shape

    @property
    def size(self) -> int:
        """How many numbers."""
        return prod(self.shape)


@dataclass(frozen=True)
class PrivateSettings:
    """All that is public about a run of private statistics.

    Args:
        statistics: what is asked for; its numbers of rows are an agreed constant.
        clips: of each column that is summed up.
        epsilon, delta: of everything that is released together.
        calibration: the noise that this takes.
    """

    statistics: StatisticsSettings
    clips: tuple[tuple[str, Clip], ...]
    epsilon: float
    delta: float
    calibration: Calibration

    @property
    def owners(self) -> tuple[str, ...]:
        """All owners, in order."""
        return self.statistics.owners

    @property
    def helper(self) -> str:
        """The helper."""
        return self.statistics.helper

    @cached_property
    def releases(self) -> tuple[Release, ...]:
        """What is released, in the order of the vector."""
        return releases_of(self.statistics)

    @cached_property
    def trees(self) -> dict[str, Tree]:
        """Of each column whose quantiles are asked for."""
        return trees_of(self.statistics)

    @property
    def mechanism(self) -> Mechanism:
        """What the run costs."""
        return self.calibration.mechanism(len(self.releases))

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise in each number, in patients."""
        return sqrt(self.calibration.noise.opened_variance) / self.calibration.sensitivity

    @property
    def rounding(self) -> float:
        """The most, in patients, by which sums are rounded: half a unit of each owner."""
        return len(self.statistics.owners) / 2 / self.calibration.sensitivity

    def clip_of(self, column: str) -> Clip:
        """A column's agreed range."""
        return dict(self.clips)[column]


def private_settings(
    statistics: StatisticsSettings, clips: Sequence[tuple[str, Clip]], epsilon: float, delta: float
) -> PrivateSettings:
    """The settings with the noise that epsilon and delta take.

    Raises:
        UsageError: dp-accounting is not installed.
    """
    noise = calibrated(epsilon, delta, len(releases_of(statistics)), len(statistics.owners))
    return PrivateSettings(statistics, tuple(clips), epsilon, delta, noise)


def releases_of(s: StatisticsSettings) -> tuple[Release, ...]:
    """What statistics release with noise."""
    levels = [cells for column, tree in trees_of(s).items() for cells in level_cells(s, column, tree)]
    return (*_without_trees(s), *(Release("ranks", cells.name, cells) for cells in levels))


def trees_of(s: StatisticsSettings) -> dict[str, Tree]:
    """The tree of each column whose quantiles are asked for."""
    columns = [column for column in s.columns if column in dict(s.grids)] if s.quantiles else []
    others = len(_without_trees(s))
    return {column: best_tree(s.grid_of(column).count, s.quantiles, len(columns), others) for column in columns}


def level_cells(s: StatisticsSettings, column: str, tree: Tree) -> list[Cells]:
    """The cells of each level of a column's tree: values up to the last point of each block, by group."""
    points = s.grid_of(column).points
    found = []
    for width in tree.widths:
        ends = tuple(map(float, points[width - 1 :: width]))[: tree.blocks(width) - 1]
        axis = Axis(column, "time", tree.blocks(width), ends)
        found.append(Cells(f"{column} in blocks of {width}", (*s.by_axes, axis), (column,)))
    return found


def _without_trees(s: StatisticsSettings) -> list[Release]:
    found = [Release("rows", s.group_sizes.name, s.group_sizes, rest=True)] if s.by else []
    for column, sample in s.described.items():
        found.append(Release("count", sample.cells.name, sample.cells, "missing" in s.statistics, (column,)))
        found += _sums(sample, "") if sample in s.samples else []
    for sample in (*s.compared.values(), *s.correlated.values()):
        found += [Release("count", sample.cells.name, sample.cells), *_sums(sample, f" ({sample.cells.name})")]
    found += [Release("histogram", cells.name, cells) for cells in s.binned.values()]
    found += [Release("table", cells.name, cells) for cells in s.crossed.values()]
    return found + [Release("events", cells.name, cells) for cells in s.exact_curves.values()]


def _sums(sample: Sample, of: str) -> list[Release]:
    cells, columns = sample.cells, sample.cells.present
    found = [Release("sum", f"sum of {column}{of}", cells, columns=(column,)) for column in columns]
    if sample.squares:
        found += [Release("squares", f"squares of {column}{of}", cells, columns=(column,)) for column in columns]
    if len(columns) == 2:
        found.append(Release("product", f"products{of}", cells, columns=columns))
    return found


async def private_statistics_job(
    p: Party, own: OwnColumns | None, stream: Stream | None, settings: PrivateSettings
) -> NDArray[np.float64] | None:
    """All releases, one after the other, in patients; None of a dry party, which has no rows.

    1 round; reveals them with noise: (epsilon, delta)-differentially private, also against the helper, or against all
    owners but one (noisy_sum.py).

    Args:
        stream: this owner's own randomness, which nobody else has; used up.
    """
    p.stage("counts and sums")

    def numbers() -> Array:
        assert own is not None
        return own_numbers(own, settings).view(np.uint64)

    size, noise = sum(one.size for one in settings.releases), settings.calibration.noise
    why = claim_text(settings.epsilon, settings.delta, settings.deviation)
    total = await noisy_sum_of(p, numbers, size, noise, stream, what=NOISY, why=why, label=LABEL)
    p.stage("done")
    return None if p.dry else total / settings.calibration.sensitivity


def own_numbers(own: OwnColumns, settings: PrivateSettings) -> NDArray[np.int64]:
    """One owner's addends (numbers,), in the unit of the noise."""
    return np.concatenate([_own(own, settings, one).reshape(-1) for one in settings.releases])


def parts_of(values: NDArray[np.float64], settings: PrivateSettings) -> dict[tuple[What, str], NDArray[np.float64]]:
    """The opened vector cut into its releases, each in its shape, by what it is and its name."""
    return cut(values, {(one.what, one.name): one.shape for one in settings.releases})


def _own(own: OwnColumns, settings: PrivateSettings, one: Release) -> NDArray[np.int64]:
    unit = settings.calibration.sensitivity
    place = places(own, one.cells)
    if one.what not in OF_VALUES:
        return _counts(own, one, place) * unit
    inside = place >= 0
    u, *others = (settings.clip_of(column).fine(own.values[column][inside]) for column in one.columns)
    if one.what == "squares":
        u = (u * u >> (FINE - 1)) - (1 << FINE)  # 2 u^2 - 1
    elif one.what == "product":
        u = u * others[0] >> FINE
    sums = np.zeros(one.cells.size, dtype=np.int64)
    np.add.at(sums, place[inside], u)
    shift = FINE - (unit.bit_length() - 1)
    return sums + (1 << (shift - 1)) >> shift


def _counts(own: OwnColumns, one: Release, place: NDArray[np.int64]) -> NDArray[np.int64]:
    found = np.bincount(place[place >= 0], minlength=one.cells.size)
    if one.what == "rows":
        return np.append(found, np.count_nonzero(place < 0))
    if one.what != "count" or not one.rest:
        return found
    groups = places(own, Cells("", one.cells.axes))
    lacking = np.bincount(groups[(groups >= 0) & (place < 0)], minlength=one.cells.size)
    return np.stack([found, lacking])
