"""From an owner's table to its training and test rows, and from a scenario to a training's public settings."""

from __future__ import annotations

from collections.abc import Mapping

from parties.data import Table
from parties.scenario import Scenario
from protocols.batches import split, test_count
from protocols.training_job import OwnRows, TrainingSettings


def row_counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    """How many of an owner's rows are for training and how many are held out."""
    held_out = test_count(rows, scenario.task.test_fraction)
    return rows - held_out, held_out


def own_rows(table: Table, scenario: Scenario, features: tuple[str, ...]) -> OwnRows:
    """An owner's rows, split by the scenario's public seed, with the features that all owners share."""
    chosen = table if table.columns == features else table.select(features)
    train, test = split(scenario.seed, table.owner, table.rows, scenario.task.test_fraction)
    return OwnRows(features, chosen.values[train], chosen.target[train], chosen.values[test], chosen.target[test])


def settings_for(scenario: Scenario, rows: Mapping[str, tuple[int, int]], features: int) -> TrainingSettings:
    """The public settings of a training.

    Args:
        rows: owner -> its numbers of training and test rows.
        features: how many columns the owners share, without the intercept.
    """
    task = scenario.task
    return TrainingSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        train_rows=tuple(rows[owner][0] for owner in scenario.owners),
        test_rows=tuple(rows[owner][1] for owner in scenario.owners),
        features=features,
        seed=scenario.seed,
        epochs=task.epochs,
        batch_size=task.batch_size,
        learning_rate=task.learning_rate,
        l2=task.l2,
        sigmoid_range=None if task.sigmoid_range == "auto" else task.sigmoid_range,
        standardise=task.standardise,
        metrics="metrics" in task.reveal,
    )
