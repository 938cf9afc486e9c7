"""What an owner gives a protocol: numbers that are drawn from the scenario's public seed, and its own table.

What is drawn is made up: whoever has the scenario can draw it. Nothing of a table is seen by another party but its
shape. A repr shows shapes only.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mpc.errors import UsageError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.inputs import Input
from parties.data.cells import TextForm
from parties.data.checks import check_rows, find_columns, kinds_of, refuse_extremes
from parties.data.features import Feature, read_features
from parties.data.notes import unused_columns
from parties.data.plain_table import PlainTable, table_notes
from parties.data.read import RawTable, open_source
from parties.scenario.file import Scenario
from parties.scenario.program import GIVEN, is_given, is_table
from parties.tasks.program.settings import ProgramTask, input_of

DRAWN: Final = "drawn"
"""What stands for the columns of an owner without a table."""


def load(scenario: Scenario, owner: str) -> PlainTable:
    """An owner's numbers; without a table, one row that says nothing.

    Raises:
        UsageError: the scenario does not say where this owner's data are; or arrays should have come with the order to
            run, and did not.
        DataError: they cannot be read, hold no numbers, lack values, or are too few.
    """
    spec, task = scenario.parties[owner], scenario.task_as(ProgramTask)
    if any(map(is_given, task.inputs)) and owner not in scenario.given:
        raise UsageError(
            f"[task] inputs has '{GIVEN}:...', which arrays are for that somebody has in Python",
            "call beaverlodge.simulate, or let the owners give a table",
        )
    if not task.has_table:
        return PlainTable(owner, "made-up numbers", (DRAWN,), np.zeros((1, 1)))
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    with open_source(scenario.data_source(owner), owner, scenario.directory, form) as raw:
        columns = _numeric(raw, task)
        names = tuple(one.column.name for one in columns)
        values = np.ascontiguousarray(read_features(raw, columns))
        lacking = np.isnan(values)
        if lacking.any():
            row, place = (int(one[0]) for one in np.nonzero(lacking))
            raise raw.where.error(
                f"column '{names[place]}' has no value in data row {row + 1}",
                "a protocol computes with every number: fill it, or leave the row or the column out",
            )
        refuse_extremes(raw.where, names, values, "`columns` in [task]")
        check_rows(raw.where, spec.rows, len(values), fewest=1)  # min_rows of the task is what refuses few
        ignored = unused_columns(raw, {one.column.index for one in columns})
        values.flags.writeable = False
        return PlainTable(owner, raw.where.source, names, values, table_notes(raw, ignored, names, values))


def _numeric(raw: RawTable, task: ProgramTask) -> list[Feature]:
    """The columns that the task names, or every one of numbers, in the file's order."""
    columns = [one for one in raw.columns if one.name]
    if task.columns is not None:
        columns = find_columns(raw, task.columns, "columns")
    kinds = kinds_of(raw, columns, required=task.columns is not None, dates=False, listed="`columns` in [task]")
    found = [Feature(one, kind) for one, kind in zip(columns, kinds, strict=True) if kind in ("number", "boolean")]
    if not found:
        raise raw.where.error("there is no column of numbers", "a protocol's table is of numbers")
    return found


def inputs_of(task: ProgramTask, rows: int, columns: int) -> list[Input]:
    """The protocol's inputs at an owner with so many rows and columns."""
    return [input_of(one, rows, columns) for one in task.inputs]


def own_words(scenario: Scenario, owner: str, table: PlainTable) -> list[Array]:
    """What an owner gives, an array of ring elements for each input; its table's columns are those that all have."""
    task, found = scenario.task_as(ProgramTask), []
    for number, (text, one) in enumerate(zip(task.inputs, inputs_of(task, *table.values.shape), strict=True)):
        if is_table(text):
            found.append(encode(table.values, one.scale, one.ring, what=f"a value of {table.source}"))
        elif is_given(text):
            words = scenario.given[owner][sum(map(is_given, task.inputs[:number]))]
            found.append(one.ring.from_bytes(bytes.fromhex(words), one.sized({})))
        else:
            found.append(one.random(f"{scenario.seed}/{number}/{scenario.owners.index(owner)}", one.sized({})))
    return found
