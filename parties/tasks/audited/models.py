"""All owners' rows of a model in one place, as an audit takes them: trained on some of them, scored on all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mpc.ring.array import Array
from parties.data.own_table import shared_columns
from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.show.blocks import join_words
from parties.tasks.audited.audit import Alone, Losses, Mask, Population, Random, draw_members
from parties.tasks.rows.regression import row_counts, split_of
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.own_rows import SAME_ROWS, joint_names
from protocols.training.batches import split

_HALF: Final = 0.5
"""Of the rows, where a run holds out none: some must be outside for an attack to be measured."""


@dataclass(frozen=True)
class PooledRows:
    """The rows of all owners; where columns are split, their columns side by side.

    Args:
        names: of the columns.
        x, y, beside: features (m, d), targets, and offsets and weights.
        groups: the names under which rows are split, each with its rows' numbers.
        shares: of each group's rows that a run trains on.
    """

    names: tuple[str, ...]
    x: Array = field(repr=False)
    y: Array = field(repr=False)
    beside: OffsetWeights = field(repr=False)
    groups: Mapping[str, Array] = field(repr=False)

    def of(self, rows: Array) -> tuple[Array, Array, OffsetWeights]:
        """Some of the rows."""
        return self.x[rows], self.y[rows], self.beside.of(rows)


def pooled_rows(scenario: Scenario, record: Mapping[str, Any] | None, owner: str | None = None) -> PooledRows:
    """The rows of a scenario whose owners' data are all here; with the columns of a run's model, if there was one.

    Args:
        owner: whose rows are read alone; None: all owners'.

    Raises:
        UsageError: an owner's data are not here.
        DataError: data cannot be read.
    """
    whose = scenario.owners if owner is None else (owner,)
    tables = {name: load_owner_table(scenario, name) for name in whose}
    if scenario.vertical:
        held = tables[split_of(tables).target_owner]
        x = np.concatenate([table.values for table in tables.values()], axis=1)
        names = joint_names({name: table.columns for name, table in tables.items()})
        return PooledRows(names, x, held.target, held.offset_weights, {SAME_ROWS: np.arange(held.rows)})
    model = None if record is None else record.get("model")
    names = tuple(model["features"]) if model else shared_columns(list(tables.values()))
    chosen = [table if table.columns == names else table.select(names) for table in tables.values()]
    ends = np.cumsum([0, *(table.rows for table in chosen)])
    return PooledRows(
        names,
        np.concatenate([table.values for table in chosen]),
        np.concatenate([table.target for table in chosen]),
        OffsetWeights.joined([table.offset_weights for table in chosen]),
        {table.owner: np.arange(ends[k], ends[k + 1]) for k, table in enumerate(chosen)},
    )


Fit = Callable[[Mapping[str, Array], Random], Array]
"""Weights in the columns' own units, the intercept last (d + 1,), of a training on these rows of each group."""


def trained_counts(scenario: Scenario, rows: PooledRows) -> dict[str, tuple[int, int]]:
    """How many of each group's rows an audit's trainings train on, and how many they hold out."""
    sizes = {name: len(own) for name, own in rows.groups.items()}
    counts = {name: row_counts(scenario, size) for name, size in sizes.items()}
    if any(held for _, held in counts.values()):
        return counts
    return {name: (size - int(size * _HALF), int(size * _HALF)) for name, size in sizes.items()}


Loss = Callable[[Array, Array], Callable[[Array, Array], Array]]
"""From scores z and targets of some rows to a function from z and targets of others to minus their log-likelihood."""


def model_population(
    scenario: Scenario,
    rows: PooledRows,
    record: Mapping[str, Any] | None,
    fit: Fit,
    score: Callable[[Array], Array],
    loss: Loss,
) -> Population:
    """The candidates of a model that the owners see.

    Args:
        fit: the training's plaintext twin.
        score: of each row, given its linear score z (m,).
        loss: of a row, by what the rows of members show of the errors.
    """
    counts = trained_counts(scenario, rows)
    size, owners = len(rows.y), scenario.owners
    trained = [(own, counts[name][0]) for name, own in rows.groups.items()]
    whose = [""] * size
    for name, own in rows.groups.items():
        for row in own:
            whose[row] = name

    def release(mask: Mask, rng: Random) -> Array:
        return fit({name: own[mask[own]] for name, own in rows.groups.items()}, rng)

    def fitted(weights: Array) -> Array:
        return score(rows.beside.add_offset(rows.x @ weights[:-1] + weights[-1]))

    def losses(weights: Array, known: Mask) -> Losses:
        of = loss(rows.x[known] @ weights[:-1] + weights[-1], rows.y[known])
        return lambda x, y: of(x @ weights[:-1] + weights[-1], y)

    members = seen = None
    if record is not None:
        seen = _told(record)
        members = _members(scenario, rows) if scenario.privacy is None else None
        members = None if members is None or members.all() else members
    return Population(
        unit="patient",
        what="the model's weights",
        seen_by=f"{join_words(owners)}, and whoever they show the model",
        whose=tuple(whose),
        draw=lambda rng: draw_members(size, trained, rng),
        release=release,
        score=fitted,
        members=members,
        seen=seen,
        x=rows.x,
        y=rows.y,
        names=rows.names,
        losses=losses if rows.beside.offset is None else None,
    )


def own_rows_alone(
    scenario: Scenario, record: Mapping[str, Any], owner: str, score: Callable[[Array, Array], Array]
) -> Alone | None:
    """An owner's own rows beside the model of a run; None where none was held out, or by secret coins (with [privacy]),
    or columns are split.

    Args:
        score: of scores z and targets (m,), as `Population.score`.
    """
    if scenario.vertical or scenario.privacy is not None or not scenario.model_task.test_fraction:
        return None
    rows, seen = pooled_rows(scenario, record, owner), _told(record)
    z, members = rows.beside.add_offset(rows.x @ seen[:-1] + seen[-1]), _members(scenario, rows)
    return None if members.all() else Alone("the model's weights", score(z, rows.y), members)


def _told(record: Mapping[str, Any]) -> Array:
    """The weights in a record, the intercept last."""
    model = record["model"]
    return np.array([*model["weights"], model["intercept"]])


def _members(scenario: Scenario, rows: PooledRows) -> Mask:
    """The rows that a run of this scenario trains on."""
    mask = np.zeros(len(rows.y), dtype=bool)
    for name, own in rows.groups.items():
        train, _ = split(scenario.seed, name, len(own), scenario.model_task.test_fraction)
        mask[own[train]] = True
    return mask
