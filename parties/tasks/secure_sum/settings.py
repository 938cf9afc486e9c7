"""A scenario in which many clients add up columns through a server: read, checked, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpc.errors import UsageError
from parties.scenario.privacy import SumPrivacySpec
from parties.scenario.problems import Problem, quote
from parties.scenario.star import ROUND, StarScenario
from parties.scenario.star_file import check_star, read_star
from parties.tasks.privacy.guarantee import SMALL_COUNTS
from parties.tasks.secure_sum.models import SumTask
from protocols.aggregation.bounds import FEWEST, Bounds, choose_bounds
from protocols.aggregation.cells.membership import Cell, CellTest, column_cells
from protocols.aggregation.cells.values import ValueRows, moduli
from protocols.aggregation.messages import DISCLOSED, HIDDEN, stages
from protocols.aggregation.parts.quantise import MOST_BITS, Coding
from protocols.aggregation.settings import Settings, settings_of

if TYPE_CHECKING:
    from protocols.privacy.distributed import Distributed

_MOST_HELPED = 100_000  # clients: one message to the helper holds a few kilobytes of each


class SumScenario(StarScenario):
    """A whole scenario file of a secure sum, checked."""

    task: SumTask
    privacy: SumPrivacySpec | None = None

    @property
    def bounds(self) -> Bounds:
        """Neighbours and threshold for the stated rates.

        Raises:
            UsageError: no choice withstands them.
        """
        task = self.task
        return choose_bounds(
            self.count,
            corrupt=task.corrupt,
            dropout=task.dropout,
            malicious=task.server == "malicious",
            neighbours=task.neighbours,
            threshold=task.threshold,
        )

    @property
    def min_cohort(self) -> int:
        """The fewest clients for which anything is opened: the scenario's number, or more than half of all."""
        return self.task.min_cohort or max(FEWEST, self.count // 2 + 1)

    @property
    def entries(self) -> tuple[tuple[str, str], ...]:
        """The entries of the vector: (column, kind), in order. A mean is its sum over its count, or over its weight.

        With weights, a sum is one of weighted cells, and the total weight goes with it.
        """
        wanted, weighted = self.task.statistics, self.task.weight is not None
        kinds = ["count"] if "count" in wanted or ("mean" in wanted and not weighted) else []
        if {"sum", "mean"} & set(wanted):
            kinds += ["weight", "sum"] if weighted else ["sum"]
        return tuple((column, kind) for column in self.task.columns for kind in kinds)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of numbers in the vector."""
        return tuple(dict.fromkeys(kind for _, kind in self.entries))

    @property
    def unflagged(self) -> tuple[str, ...]:
        """With a helper, the columns not in `flags`, for which it tests the rows with each value."""
        task = self.task
        if self.helper is None or task.min_cell is None or "sum" not in self.kinds:
            return ()
        return tuple(column for column in task.columns if column not in task.flags)

    @property
    def value_rows(self) -> tuple[ValueRows, ...]:
        """The tables of rows with each value that follow in the vector, for a helper's test alone."""
        low, high = self._scaled_range
        found = [ValueRows(column, "value", moduli(low, high)) for column in self.unflagged]
        most = self.task.largest_weight
        if most is not None:
            ends = min(0, low * most), max(0, high * most)
            found += [ValueRows(column, "weight", moduli(0, most)) for column in self.unflagged]
            found += [ValueRows(column, "product", moduli(*ends)) for column in self.unflagged]
        return tuple(found)

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns that are read of a client's data; the weights, if any, last."""
        return (*self.task.columns, *([self.task.weight] if self.task.weight is not None else []))

    @property
    def revealed(self) -> list[tuple[str, ...]]:
        """What a policy's `reveals` must list: the statistics, and what stands in the vector for them."""
        return [(name,) for name in dict.fromkeys([*self.task.statistics, *self.kinds])]

    def small_counts(self, least: int) -> list[str]:
        """Settings that may disclose a count of rows below `least` to the server, and what to do about them."""
        task = self.task
        if self.privacy is not None:
            return [SMALL_COUNTS]
        if task.min_cell is None:
            return [
                "no min_cell withholds small counts: write one, with a helper that compares the sums, or without "
                "(docs/aggregation.md)"
            ]
        return [f"min_cell = {task.min_cell}"] if task.min_cell < least else []

    @cached_property
    def noise(self) -> Distributed:
        """With [privacy]: a client's vector in a round, and its noise.

        Raises:
            UsageError: no noise carries the claim, or the sums take too many bits.
        """
        from parties.tasks.secure_sum.private import noise_of

        return noise_of(self)

    def clip(self, column: str) -> tuple[float, float]:
        """The agreed range of a column's values, beyond which they count as its nearer end."""
        own = {} if self.privacy is None else self.privacy.clip
        return own.get(column, self.task.range)

    @property
    def coding(self) -> Coding:
        """The coding of a client's counts and sums as numbers modulo 2^b."""
        task, (low, high) = self.task, self._scaled_range
        most = task.most_rows * (task.largest_weight or 1)
        return Coding(min(0, low * most), max(most, high * most, task.min_cell or 0), 10**task.decimals, self.count)

    @property
    def _scaled_range(self) -> tuple[int, int]:
        scale, (low, high) = 10**self.task.decimals, self.task.range
        return math.ceil(low * scale), math.floor(high * scale)

    @property
    def settings(self) -> Settings:
        """The protocol's public settings."""
        if self.privacy is not None:
            return settings_of(self.bounds, self.noise.length, self.noise.bits, self.min_cohort)
        length = len(self.entries) + sum(one.places for one in self.value_rows)
        return settings_of(self.bounds, length, self.coding.bits, self.min_cohort, self.test)

    @property
    def test(self) -> CellTest | None:
        """With a helper, the cells that it tests: a column's rows, of flags those with a 1 and those with a 0, and of
        other columns those with each of few values, weights and products."""
        least = self.task.min_cell
        if self.helper is None or least is None:
            return None
        cells: list[Cell] = []
        places_of: dict[str, dict[str, int]] = {column: {} for column in self.task.columns}
        for place, (column, kind) in enumerate(self.entries):
            places_of[column][kind] = place
        for column, places in places_of.items():
            others = tuple(place for kind, place in places.items() if kind != "count")
            flagged = places.get("sum") if column in self.task.flags else None
            cells += column_cells(places["count"], others, flagged, int(self.coding.scale))
        first = len(self.entries)
        for rows in self.value_rows:
            kinds = ("weight", "sum") if rows.of == "weight" else ("sum",)
            cells.append(rows.cell(first, (places_of[rows.column][kind] for kind in kinds), least))
            first += rows.places
        return CellTest(least, tuple(cells), tuple(range(len(self.entries), first)))

    def agreement(self) -> dict[str, Any]:
        """All that server and clients must agree on."""
        noisy = {} if self.privacy is None else {"privacy": self.privacy.model_dump(mode="json")}
        return {**super().agreement(), **noisy}


def read_sum(path: Path, raw: Mapping[str, Any]) -> SumScenario:
    """Check what a scenario file of a secure sum holds.

    Raises:
        UsageError: it is not a valid scenario.
    """
    scenario = read_star(path, raw, SumScenario, SumTask, _check, private=SumPrivacySpec)
    try:
        scenario.bounds.tolerated  # noqa: B018  # worked out once, so that a choice that cannot be is refused here
        if scenario.privacy is not None:
            scenario.noise  # noqa: B018  # likewise
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None
    return scenario


def _check(scenario: SumScenario) -> Iterator[Problem]:
    task, clients = scenario.task, scenario.clients
    helped = (HIDDEN, DISCLOSED) if scenario.helper is not None else ()
    yield from check_star(scenario, stages(task.server == "malicious"), helped)
    if len(set(task.columns)) < len(task.columns):
        yield Problem("[task] columns lists a column more than once", "list each once")
    if (task.weight is None) != (task.largest_weight is None):
        yield Problem("[task] weight and largest_weight go together", "name the column, and its largest whole number")
    if task.weight in task.columns:
        yield Problem("[task] weight is one of the columns to add up", "weigh with another column")
    strangers = [column for column in task.flags if column not in task.columns]
    if strangers:
        yield Problem(f"[task] flags has {quote(strangers)}, which is not in `columns`", "list it there too")
    if scenario.helper is not None:
        yield from _check_helper(scenario)
    if task.flags and task.min_cell is None:
        yield Problem("[task] flags says whose ones are cells, and there is no min_cell", "add min_cell")
    if task.flags and not task.range[0] <= 0 < 1 <= task.range[1]:
        yield Problem("[task] flags are 0 or 1, and range does not hold both", "widen `range`")
    if not task.range[0] < task.range[1]:
        yield Problem("[task] range is empty", "give the smallest value first, then the largest")
    sources = [str(party.data) for party in scenario.parties.values() if party.role == "client"]
    sources += [str(clients.data)] if clients is not None else []
    if task.rounds > 1 and any(ROUND not in source for source in sources):
        yield Problem(
            "[task] rounds is more than 1, and not every `data` has {round} in it",
            'each round needs rows of its own, as in data = "week_{round}.csv": two sums of the same rows, one '
            "client fewer in the second, would show that client's numbers",
        )
    if scenario.min_cohort > scenario.count >= FEWEST:  # of fewer no sum is made, whatever min_cohort is
        message = f"[task] min_cohort is {scenario.min_cohort}, and there are {scenario.count} clients"
        yield Problem(message)
    if scenario.privacy is not None:
        from parties.tasks.secure_sum.private import check_private

        yield from check_private(scenario)
        return
    bits = scenario.coding.bits
    if bits > MOST_BITS:
        yield Problem(
            f"the sums would take {bits} bits, and there are {MOST_BITS}",
            "narrow `range`, or lower `decimals`, `most_rows` or `largest_weight`",
        )


def _check_helper(scenario: SumScenario) -> Iterator[Problem]:
    """Problems of a helper, which tests the sums for small cells, with the other settings."""
    task, name = scenario.task, scenario.helper
    if sum(party.role == "helper" for party in scenario.parties.values()) > 1:
        yield Problem("there is more than one helper", "keep one")
    if task.min_cell is None:
        yield Problem(
            f"[parties.{name}] is a helper, which tests for small cells, and there is no min_cell", "add min_cell"
        )
    elif task.min_cell > scenario.count * task.most_rows:
        yield Problem("[task] min_cell is more than all clients can have rows", "lower it")
    if task.server == "malicious":
        yield Problem(
            f'[parties.{name}] is a helper, and server = "malicious": a server that lies could fake the test',
            'leave out the helper (each client then holds back its own small cells), or set server = "semi-honest"',
        )
    if "count" not in scenario.kinds:
        yield Problem("[task] statistics has no counts, and a helper tests these", 'add "count" to `statistics`')
    if task.weight is not None and task.flags:
        yield Problem(
            "[task] weighted sums of flags are not numbers of rows, so a helper cannot test them", "drop `flags`"
        )
    if scenario.count > _MOST_HELPED:
        yield Problem(f"{scenario.count} clients are more than the {_MOST_HELPED} that a helper serves", "leave it out")
