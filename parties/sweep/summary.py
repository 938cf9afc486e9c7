"""The figures of each run of a sweep, and the median and range over all runs with the same settings."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parties.show.blocks import is_number, table
from parties.tasks.registry import kind_of_record

SECONDS: Final = "seconds"
ONLINE: Final = "seconds online"
ROUNDS: Final = "rounds"
BYTES: Final = "bytes sent"

TIMES: Final = (SECONDS, ONLINE)
"""The figures that differ in each run, since they depend on the machine, too."""


def figures_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a run, to compare it with others: those of its kind, then its cost.

    `seconds` is the slowest party's time from start to end, `seconds online` that without the agreement before.
    `rounds` are an owner's, `bytes sent` those of all parties together.
    """
    parties = [table(one) for one in table(record.get("parties")).values()]
    seconds = [table(party.get("seconds")) for party in parties]
    sent = [party["bytes_sent"] for party in parties if is_number(party.get("bytes_sent"))]
    found = {
        **kind_of_record(record).show().figures(record),
        ROUNDS: table(record.get("plan")).get("rounds"),
        BYTES: sum(sent) if sent else None,
        SECONDS: _largest(one.get("total") for one in seconds),
        ONLINE: _largest(one.get("online") for one in seconds),
    }
    return {name: value for name, value in found.items() if is_number(value)}


def _largest(values: Iterable[Any]) -> float | None:
    return max(filter(is_number, values), default=None)


@dataclass(frozen=True)
class Interval:
    """The median, smallest and largest value of a figure over some runs."""

    median: float
    low: float
    high: float
    runs: int

    @staticmethod
    def of(values: Sequence[float]) -> Interval:
        """The interval of one value or more."""
        return Interval(statistics.median(values), min(values), max(values), len(values))


@dataclass(frozen=True)
class Row:
    """All runs with the same settings: the number done, the number of all, and the interval of each figure."""

    values: Mapping[str, Any]
    done: int
    runs: int
    figures: Mapping[str, Interval]


Run = tuple[Mapping[str, Any], Mapping[str, float] | None]
"""(settings, figures): the figures are None where there is no record."""


def rows_of(runs: Sequence[Run]) -> list[Row]:
    """A row for each combination of settings, in the order of the runs."""
    grouped: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        grouped.setdefault(tuple(map(repr, run[0].values())), []).append(run)
    rows = []
    for same in grouped.values():
        known = [figures for _, figures in same if figures is not None]
        names = list(dict.fromkeys(name for figures in known for name in figures))
        found = {name: Interval.of([one[name] for one in known if name in one]) for name in names}
        rows.append(Row(same[0][0], len(known), len(same), found))
    return rows


def figure_names(rows: Sequence[Row]) -> list[str]:
    """The names of the figures that occur in any row, in order."""
    return list(dict.fromkeys(name for row in rows for name in row.figures))


def is_constant(rows: Sequence[Row], name: str) -> bool:
    """Whether a figure is the same in every run that has it."""
    values = {bound for row in rows if name in row.figures for bound in (row.figures[name].low, row.figures[name].high)}
    return len(values) == 1
