"""What a run of statistics discloses, by the result of each block's tests (cell_tests.py): public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from protocols.disclosure.suppression import Span, table_blocks
from protocols.statistics.blocks import Key, Kind
from protocols.statistics.cell_tests import halving_of
from protocols.statistics.settings import Cells, Sample, StatisticsSettings


@dataclass(frozen=True)
class Disclosure:
    """What is disclosed, by the result of each block's tests; without `min_cell`, everything."""

    settings: StatisticsSettings
    suppressed: Mapping[Key, bool]
    ends: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """By table of curves, the times (groups, arms, T) at which a stretch ends, whose events are disclosed together."""

    def is_disclosed(self, kind: Kind, cells: Cells, g: int, number: int = 0) -> bool:
        """Whether a block is disclosed."""
        return not self.suppressed.get((kind, cells.name, g, number), False)

    def blocks(self, cells: Cells, g: int) -> list[Span]:
        """The stretches of a histogram that are withheld; the rows without a value stand after the last bin."""
        flags = [
            closed
            for (kind, name, group, _), closed in self.suppressed.items()
            if (kind, name, group) == ("list", cells.name, g)
        ]
        return halving_of(cells, self.settings).blocks(flags) if flags else []

    def merged(self, cells: Cells, g: int) -> list[tuple[Span, bool]]:
        """The withheld stretches, and whether each one's total is disclosed: not that of all cells."""
        size = cells.shape[-1]
        everything = next(iter(halving_of(cells, self.settings).questions))
        return [((a, min(b, size)), (a, b) != everything) for a, b in self.blocks(cells, g)]

    def kept(self, cells: Cells, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """One owner's counts of a table, 0 where they are withheld: the shape is the one in the plan."""
        if not self.suppressed:
            return counts
        groups = counts if self.settings.by else counts[None]
        out = np.stack([self._kept(cells, group, g) for g, group in enumerate(groups)])
        return out if self.settings.by else out[0]

    def disclosed_cells(self, cells: Cells) -> NDArray[np.bool_]:
        """The cells of a table that are disclosed unmerged."""
        return np.asarray(self.kept(cells, np.ones(cells.shape, dtype=np.int64)) == 1)

    def disclosed_sums(self, sample: Sample) -> NDArray[np.bool_]:
        """The cells whose sums are disclosed."""
        groups = [self.is_disclosed("sums", sample.cells, g) for g in range(self.settings.groups)]
        if not self.settings.by:
            return np.full(sample.cells.shape, groups[0])
        levels = sample.cells.size // len(groups)
        return np.repeat(groups, levels).reshape(sample.cells.shape)

    @cached_property
    def disclosed_searches(self) -> NDArray[np.bool_]:
        """The values on grids that are disclosed."""
        s = self.settings
        return np.array(
            [
                self.is_disclosed("search", s.described[one.column].cells, one.group, k)
                for k, one in enumerate(s.searches)
            ],
            dtype=bool,
        )

    @cached_property
    def _kinds(self) -> dict[str, str]:
        s = self.settings
        return {
            s.group_sizes.name: "group",
            **{one.name: "table" for one in s.crossed.values()},
            **{one.name: "list" for one in s.binned.values()},
            **{one.name: "curves" for one in s.curves.values()},
        }

    def _kept(self, cells: Cells, counts: NDArray[np.int64], g: int) -> NDArray[np.int64]:
        kind = self._kinds.get(cells.name, "count")
        if kind == "list":
            return self._merged(cells, counts, g)
        if kind == "curves":
            return self._followed(cells, counts, g)
        if kind == "table":
            out = counts * self.is_disclosed("table", cells, g)
            for k, ((a, b), (c, d)) in enumerate(table_blocks(*counts.shape)):
                out[a:b, c:d] *= self.is_disclosed("block", cells, g, k)
            return out
        return counts * self.is_disclosed("group" if kind == "group" else "count", cells, g)

    def _merged(self, cells: Cells, counts: NDArray[np.int64], g: int) -> NDArray[np.int64]:
        out = counts.copy()
        for (a, b), disclosed in self.merged(cells, g):
            total = out[a:b].sum()
            out[a:b] = 0
            out[b - 1] = total * disclosed
        return out

    def _followed(self, cells: Cells, counts: NDArray[np.int64], g: int) -> NDArray[np.int64]:
        """Counts of curves (..., T + 1, 2): each stretch's events at its end, and 0 for a withheld arm."""
        out = counts.reshape(-1, *counts.shape[-2:]).copy()
        for k, arm in enumerate(out):
            arm *= self.is_disclosed("arm", cells, g, k)
            ends = np.flatnonzero(self.ends[cells.name][g, k])
            sums = np.diff(arm[:-1, 1].cumsum()[ends], prepend=0)
            arm[:-1, 1] = 0
            arm[ends, 1] = sums
        return out.reshape(counts.shape)
