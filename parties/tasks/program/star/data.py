"""What each client gives a protocol: real numbers, drawn from the public seed, of its own table, or its caller's."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from mpc.errors import DataError, UsageError
from mpc.ring.array import Array
from mpc.runtime.inputs import Input
from mpc.star.members import Shape
from parties.scenario.program import is_given, is_table
from parties.tasks.program.settings import input_of
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.rows import ClientRows, Values

STAND_INS: Final = 2
"""How many sets of made-up inputs a plan is made with: sizes that differ between them depend on data."""


def shapes_of(scenario: StarProgramScenario) -> tuple[Shape, ...]:
    """For each input, its shape at a client."""
    return tuple(_shape(scenario, text) for text in scenario.task.inputs)


def stand_ins(scenario: StarProgramScenario, which: int, client: int) -> list[Array]:
    """Made-up inputs in a client's place, for a plan.

    Args:
        which: 0, 1, ...: other numbers, and other rows of tables, each time.
    """
    found: list[Array] = []
    for number, text in enumerate(scenario.task.inputs):
        kind = input_of(text, scenario.least_rows + which, len(scenario.task.columns or ()))
        if is_table(text) or is_given(text):
            kind = input_of(f"reals:{'x'.join(map(str, kind.sized({})))},largest=1")
        found.append(_numbers(kind, f"plan/{which}/{number}/{client}"))
    return found


class ClientInputs:
    """What the clients of one process give, read on demand."""

    def __init__(self, scenario: StarProgramScenario) -> None:
        self._scenario = scenario
        self._rows = ClientRows(scenario, scenario.task.columns or (), in_order=True)
        self._numbers = {name: number for number, name in enumerate(scenario.client_names)}

    def table(self, client: str) -> Values:
        """A client's rows; none where no input is a table.

        Raises:
            DataError: they cannot be read, lack values, or are too few.
        """
        scenario = self._scenario
        if not scenario.task.has_table:
            return np.zeros((0, 0))
        values = self._rows.of(client, 1)
        lacking = np.isnan(values)
        if lacking.any():
            row, place = (int(one[0]) for one in np.nonzero(lacking))
            column = (scenario.task.columns or ())[place]
            raise DataError(
                f"{client}: column '{column}' has no value in data row {row + 1}",
                "a protocol computes with every number: fill it, or leave the row or the column out",
            )
        if len(values) < scenario.least_rows:
            raise DataError(
                f"{client}: {len(values)} rows, and {scenario.least_rows} are the fewest", "`min_rows` in [task]"
            )
        return values

    def of(self, client: str) -> list[Array]:
        """What a client gives: an array of float64 for each input."""
        scenario, found = self._scenario, []
        table = self.table(client)
        for number, text in enumerate(scenario.task.inputs):
            if is_table(text):
                found.append(table)
            elif is_given(text):
                found.append(self._given(client, number))
            else:
                found.append(_numbers(input_of(text), f"{scenario.seed}/{number}/{self._numbers[client]}"))
        return found

    def _given(self, client: str, number: int) -> Array:
        scenario = self._scenario
        if client not in scenario.given:
            raise UsageError(
                "[task] inputs has 'given:...', which arrays are for that somebody has in Python",
                "call beaverlodge.simulate, or let the clients give a table",
            )
        arrays = scenario.given[client]
        return np.asarray(arrays[sum(map(is_given, scenario.task.inputs[:number]))], dtype=np.float64)


def _shape(scenario: StarProgramScenario, text: str) -> Shape:
    if is_table(text):
        return (-1, len(scenario.task.columns or ()))
    return input_of(text).sized({})


def _numbers(kind: Input, seed: str) -> Array:
    numbers: Any = kind.plain(kind.random(seed, kind.sized({})))
    return np.asarray(numbers, dtype=np.float64)
