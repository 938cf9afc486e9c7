"""From an owner's table to its training and test rows, and from a scenario to a training's public settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from mpc.errors import DataError, UsageError
from mpc.handshake import SplitColumns, target_error
from parties.blocks import count_text
from parties.data import Table
from parties.data_vertical import digest_bits
from parties.scenario import Scenario
from parties.scenario_models import LAN, NetworkSpec
from parties.solver_choice import candidates, choose
from protocols.accelerated_budget import dyadic
from protocols.batches import split, test_count
from protocols.training_form import automatic_rate
from protocols.training_settings import SAME_ROWS, OwnColumns, OwnRows, TrainingSettings

WEIGHTS: Final = "weights"
MISSING_COUNTS: Final = '"missing" tells how many values each column lacks, however few'
"""What a policy calls the pooled sum of `weights`, by which they are divided: it is opened."""

NOT_STATED: Final = "all; how many, the scenario does not state"
"""Of an owner's rows, before they are read."""

MOST_STEPS: Final = 1_000_000
"""Every party makes the plan of them all before the first, which takes it some minutes for so many."""


def row_counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    """How many of an owner's rows are for training and how many are held out."""
    held_out = test_count(rows, scenario.model_task.test_fraction)
    return rows - held_out, held_out


def asked_of_table(scenario: Scenario, me: str, table: Table | None, target: str, use: str) -> list[tuple[str, str]]:
    """What a model's task asks of an owner's table: what, and which.

    Args:
        table: None before the owner approved, when nothing is read.
        target: what the target is called; `use` what the rows that are not held out are for.
    """
    task = scenario.model_task
    whose = "" if table is None or table.has_target else ", which another owner has"
    asked = [(what, f"{column}{whose}") for what, column in ((target, task.target), *task.asides.items())]
    if task.id is not None:
        purpose = "to bring the rows into one order" if scenario.vertical else "to find rows that repeat"
        asked.append((f"id, {purpose}", task.id))
    listed = scenario.task_of(me).feature_names
    columns = listed if table is None else table.columns
    named = "every column of numbers" if columns is None else ", ".join(columns)
    sure = scenario.vertical or task.features is not None
    asked.append(("columns" if sure else "columns, as far as all owners have them", named))
    rows = scenario.parties[me].rows if table is None else table.rows
    asked.append(("rows", NOT_STATED if rows is None else _rows_told(scenario, rows, use)))
    return asked


def _rows_told(scenario: Scenario, rows: int, use: str) -> str:
    train, test = row_counts(scenario, rows)
    return f"{count_text(rows)}: {count_text(train)} {use}, {count_text(test)} held out"


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
        chosen.beside.of(train),
        chosen.beside.of(test),
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
    beside = table.beside.of(train), table.beside.of(test)
    made = None if table.made is None else table.made.of(train)
    return OwnColumns(names, split_columns.target_owner, x_train, labels[0], x_test, labels[1], ids, *beside, made)


def split_of(tables: Mapping[str, Table]) -> SplitColumns:
    """Who has which columns and who the target, as the owners tell each other in a run.

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


def settings_for(
    scenario: Scenario, rows: Mapping[str, tuple[int, int]], features: int, chosen: str | None = None
) -> TrainingSettings:
    """The public settings of a training.

    Args:
        rows: owner -> its numbers of training and test rows.
        features: how many columns the owners share (or have together), without the intercept.
        chosen: the solver that solver = "auto" is known to have taken, so that nothing is priced again.

    Raises:
        DataError: columns are split, and the owners have different numbers of rows.
        UsageError: it would take too many steps, or solver = "auto", and no solver can train on data of such a shape.
    """
    task = scenario.training
    counts = group_counts(scenario, rows)
    rate, auto = task.learning_rate, task.solver == "auto"
    inference = "inference" in task.reveal
    solver = "irls" if inference else "newton" if task.solver == "auto" else task.solver
    settings = TrainingSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        train_rows=tuple(train for train, _ in counts),
        test_rows=tuple(test for _, test in counts),
        features=features,
        partition=task.partition,
        seed=scenario.seed,
        epochs=task.epochs,
        batch_size=task.batch_size,
        learning_rate=rate if isinstance(rate, float) else automatic_rate(solver, features, task.l2),
        l2=task.l2,
        sigmoid_range=None if task.sigmoid_range == "auto" else task.sigmoid_range,
        standardise=task.standardise,
        metrics="metrics" in task.reveal,
        solver=solver,
        class_weights=task.class_weights,
        iterations=task.newton_steps if inference else task.iterations or 0,
        momentum=dyadic(task.momentum or 0.0),
        tolerance=task.tolerance,
        missing="missing" in task.reveal,
        compare_ranges=task.compare_ranges,
        inference=task.inference if inference else None,
        reveal_model="model" in task.reveal,
        weighted=task.weights is not None,
        offset=task.offset is not None,
        round_bytes=_round_bytes(scenario.network),
        calibration=task.min_cell if "calibration" in task.reveal else None,
        min_cell=task.min_cell,
    )
    if settings.step_count > MOST_STEPS:
        raise UsageError(
            f"the training would take {settings.step_count:,} steps, and {MOST_STEPS:,} are the most",
            "set fewer `epochs`, or a larger `batch_size`" if settings.solver == "sgd" else "set fewer `iterations`",
        )
    if not auto:
        return settings
    return candidates(settings)[chosen] if chosen is not None else choose(settings, scenario.network)


def _round_bytes(network: NetworkSpec | None) -> int:
    """What a round costs on the scenario's network, in bytes.

    What it does not say, or says is shorter than on a local network, is as there: a round's work takes time, too.
    """
    link = network or LAN
    bits_a_second = 1e6 * (link.bandwidth_mbit or LAN.bandwidth_mbit or 0.0)
    return int(max(link.latency_ms, LAN.latency_ms) / 1000 * bits_a_second / 8)


def warnings_before(rows: Iterable[tuple[int, int]], features: int) -> list[str]:
    """What is public and makes for a poor model, before the training.

    Args:
        rows: each owner's numbers of training and test rows.
        features: how many columns the owners share, without the intercept.
    """
    training = sum(train for train, _ in rows)
    if training >= features + 2:
        return []
    return [
        f"{training} training rows of all owners for {features} features: too few to tell the features' effects "
        "apart; name fewer `features`, or set `l2`"
    ]


def warnings_after(metrics: Mapping[str, Mapping[str, Any]] | None, converged: bool | None = None) -> list[str]:
    """What the metrics, where they were agreed on, say is wrong with the rows of all owners; and with the training."""
    found = []
    if converged is False:
        found.append("the training has not converged: its weights still moved; raise `iterations` or `l2`")
    for name, words in (("train", "training"), ("test", "held-out")):
        one = (metrics or {}).get(name)
        if one is not None and one["positives"] in (0, one["rows"]):
            only = 0 if one["positives"] == 0 else 1
            result = "the model means nothing" if name == "train" else "there is no AUC"
            found.append(f"the target is {only} in all {words} rows of all owners: {result}")
    return found
