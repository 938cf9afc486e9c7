"""From an owner's table to its training and test rows, and from a scenario to a training's public settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from mpc.errors import DataError
from mpc.links.meeting.handshake import Agreement
from mpc.links.meeting.shapes import SplitColumns, target_error
from mpc.runtime.plan import ProgramFactory
from parties.data.table import Table
from parties.data.vertical import digest_bits
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from protocols.rows.own_rows import SAME_ROWS, OwnColumns, OwnRows
from protocols.training.batches import split, test_count

WEIGHTS: Final = "weights"
MISSING_COUNTS: Final = '"missing" tells how many values each column lacks, however few'
"""A policy's name for the pooled sum of `weights`, by which they are divided: it is opened."""

NOT_STATED: Final = "all; how many, the scenario does not state"
"""Stand-ins for an owner's numbers of rows, before they are read."""


def row_counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    """An owner's numbers of training rows and of held-out rows."""
    held_out = test_count(rows, scenario.model_task.test_fraction)
    return rows - held_out, held_out


def has_target(scenario: Scenario, table: Table) -> bool | None:
    """Whether an owner has the target; None unless columns are split."""
    return table.has_target if scenario.vertical else None


def table_notice(scenario: Scenario, me: str, table: Table | None, target: str, use: str) -> list[tuple[str, str]]:
    """The columns of an owner's table that a model's task uses: the use, and the column.

    Args:
        table: None before the owner approved, when nothing is read.
        target: what the target is called; `use` what the rows that are not held out are for.
    """
    task = scenario.model_task
    whose = "" if table is None or table.has_target else ", which another owner has"
    asked = [(what, f"{column}{whose}") for what, column in ((target, task.target), *task.extra_columns.items())]
    if task.id is not None:
        purpose = "to bring the rows into one order" if scenario.vertical else "to find rows that repeat"
        asked.append((f"id, {purpose}", task.id))
    listed = scenario.task_of(me).feature_names
    columns = listed if table is None else table.columns
    named = "every column of numbers" if columns is None else ", ".join(columns)
    sure = scenario.vertical or task.features is not None
    asked.append(("columns" if sure else "columns, as far as all owners have them", named))
    rows = scenario.parties[me].rows if table is None else table.rows
    asked.append(("rows", NOT_STATED if rows is None else _rows_text(scenario, rows, use)))
    return asked


def _rows_text(scenario: Scenario, rows: int, use: str) -> str:
    train, test = row_counts(scenario, rows)
    return f"{count_text(rows)}: {count_text(train)} {use}, {count_text(test)} held out"


def table_summary(scenario: Scenario, table: Table, columns: str) -> str:
    """An owner's data in a sentence.

    Args:
        columns: how many there are, in words.
    """
    target = scenario.model_task.target
    return f"data: {table.source}: {plural(table.rows, 'row')}, {columns}, target '{target}'"


def own_rows(table: Table, scenario: Scenario, features: tuple[str, ...]) -> OwnRows:
    """An owner's rows, split by the scenario's public seed, with the features that all owners share."""
    chosen = table if table.columns == features else table.select(features)
    train, test = split(scenario.seed, table.owner, table.rows, scenario.model_task.test_fraction)
    missing = np.array(chosen.missing, dtype=np.uint64)
    return OwnRows(
        features,
        chosen.values[train],
        chosen.target[train],
        chosen.values[test],
        chosen.target[test],
        missing,
        chosen.offset_weights.of(train),
        chosen.offset_weights.of(test),
        None if chosen.made is None else chosen.made.of(train),
    )


def own_columns(table: Table, scenario: Scenario, split_columns: SplitColumns, key: bytes) -> OwnColumns:
    """An owner's columns of the rows that all owners have, split by position in the order of their ids.

    Args:
        split_columns: who has which columns, and who the target.
        key: of this session, known to the owners alone.
    """
    train, test = split(scenario.seed, SAME_ROWS, table.rows, scenario.model_task.test_fraction)
    labels = (table.target[train], table.target[test]) if table.has_target else (table.target, table.target)
    ids = digest_bits(key, table.ids)
    names = dict(split_columns.columns)
    x_train, x_test = table.values[train], table.values[test]
    beside = table.offset_weights.of(train), table.offset_weights.of(test)
    made = None if table.made is None else table.made.of(train)
    return OwnColumns(names, split_columns.target_owner, x_train, labels[0], x_test, labels[1], ids, *beside, made)


def program_of_table(scenario: Scenario, agreement: Agreement, table: Table, job: Callable[..., Any]) -> ProgramFactory:
    """An owner's program: its job on its rows, or on its columns of common rows. It runs once, and hands them over, so
    that the job can free them."""
    own: list[OwnRows | OwnColumns]
    if agreement.split is None:
        own = [own_rows(table, scenario, agreement.columns)]
    else:
        own = [own_columns(table, scenario, agreement.split, agreement.owners_key)]
    return lambda p: job(p, own.pop(), agreement.settings)


def split_of(tables: Mapping[str, Table]) -> SplitColumns:
    """Each owner's columns, and the owner of the target, as the owners tell each other in a run.

    Raises:
        DataError: the target is not with exactly one of them.
    """
    holders = [owner for owner, table in tables.items() if table.has_target]
    if len(holders) != 1:
        raise target_error(holders)
    return SplitColumns({owner: table.columns for owner, table in tables.items()}, holders[0])


def group_counts(scenario: Scenario, rows: Mapping[str, tuple[int, int]]) -> list[tuple[int, int]]:
    """Numbers of training and test rows: each owner's, or where columns are split the one pair that all have.

    Raises:
        DataError: columns are split, and the owners have different numbers of rows.
    """
    counts = [rows[owner] for owner in scenario.owners]
    if not scenario.vertical:
        return counts
    if len(set(counts)) > 1:
        told = ", ".join(f"{owner} {sum(rows[owner])}" for owner in scenario.owners)
        raise DataError(
            f"the owners have different numbers of rows: {told}",
            'with partition = "vertical" every owner needs the same patients, each once',
        )
    return counts[:1]
