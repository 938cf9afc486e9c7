"""Cuts of a proposal of `mpc new` that a run would refuse: too many features for its rows, and too small cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mpc.errors import DataError
from parties.new.choices import Choice
from parties.scenario.file import Scenario
from parties.tasks.rows.extent import Rows
from parties.tasks.rows.few import most_features, refuse_few
from protocols.disclosure.own_design import OwnDesign, plain, tested_cells
from protocols.rows.own_rows import OwnRows


def fit_to_rows(choice: Choice, scenario: Scenario, rows: Rows) -> Choice:
    """The choice with as many features as the rows allow: the first ones; where columns are split, each owner's first.

    Raises:
        DataError: an owner has too few rows for any model.
    """
    most = most_features(scenario, rows)
    if most is None or len(choice.features) <= most:
        refuse_few(scenario, rows, len(choice.features))
        return choice
    least = len(choice.split or ()) or 1
    if most < least:
        refuse_few(scenario, rows, least)
    why = f"the rows carry {most} features, at {scenario.model_task.min_rows_per_feature} rows each"
    if choice.split is None:
        return choice.without(choice.features[most:], why)
    kept = {owner: list(names) for owner, names in choice.split.items()}
    dropped: dict[str, list[str]] = {owner: [] for owner in kept}
    while sum(map(len, kept.values())) > most:
        widest = max(kept, key=lambda owner: len(kept[owner]))
        dropped[widest].append(kept[widest].pop())
    return choice.without_of(dropped, why)


def drop_small_cells(choice: Choice, scenario: Scenario, owned: Mapping[str, OwnRows]) -> Choice:
    """The choice without features that have too small a cell, where owners have rows of their own.

    Raises:
        DataError: a class of the target is too small.
    """
    task = scenario.model_task
    *columns, target, together = _small(list(owned.values()), task.min_cell, classes=not choice.numbers)
    if target:
        raise DataError(
            f"the target '{choice.target}' has a value with 1 to {task.min_cell - 1} rows besides some owner's own, "
            f"and min_cell = {task.min_cell}: a run would be refused",
            "give more rows; every owner's policy has to allow a scenario with a lower min_cell",
        )
    names = [name for name, few in zip(choice.features, columns, strict=True) if few]
    if names:
        return choice.without(names, f"a value has fewer than {task.min_cell} rows besides some owner's own")
    if together:
        return choice.without(choice.features[-1:], "with it a combination of all columns' values has too few rows")
    return choice


def _small(owned: Sequence[OwnRows], least: int, *, classes: bool) -> list[bool]:
    """Whether each column, the target and all together have small cells, in the clear: see `small_columns`."""
    features = owned[0].x_train.shape[1]
    named = len(owned) > 2
    designs = [OwnDesign(own.x_train, own.made or plain(features), own.y_train, classes, least) for own in owned]
    small = np.any([design.alone(named=named) for design in designs], axis=0)
    if named:
        counts = np.array([design.counts() for design in designs])
        others = counts.sum(axis=0) - counts
        few = ((others > 0) & (others < least)).any(axis=0)
        small |= np.array([few[places].any() for places in tested_cells(features, classes=classes)])
    return [bool(one) for one in small]
