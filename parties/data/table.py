"""An owner's data: read, checked, and held as float64 columns and a target.

Nothing here is seen by another party. A `Table`'s repr shows its shape only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from parties.data.cells import TextForm
from parties.data.checks import MAX_MAGNITUDE, check_ids, check_rows, find_columns, refuse_extremes, rows_text
from parties.data.features import Feature, choose_features, read_features
from parties.data.header import Origin
from parties.data.interactions import combine_terms, multiply_terms, terms_of
from parties.data.missing import drop_extra_columns, settle_missing
from parties.data.notes import Note, repeated_notes, unused_columns, unused_notes
from parties.data.offset_weights import offset_weight_columns, offset_weights_of, read_offset_weights
from parties.data.read import Column, RawTable, open_source
from parties.data.target import read_numbers, read_target
from parties.data.vertical import sort_rows, target_columns, task_for_table
from parties.scenario.file import ModelTask, Scenario, SqlSource
from parties.scenario.problems import nearest, quote
from protocols.disclosure.own_design import plain
from protocols.rows.design import Made
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.training.batches import test_count

__all__ = ["MAX_MAGNITUDE", "Table", "TextForm", "load_owner_table", "load_table"]

_FEWEST_TRAINING_ROWS = 2


def load_owner_table(scenario: Scenario, owner: str) -> Table:
    """An owner's table as its scenario describes it.

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: the data cannot be read, are not fit for the task, or are too few.
    """
    spec, task = scenario.parties[owner], scenario.task_of(owner)
    source = scenario.data_source(owner)
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    table = load_table(source, task, owner, scenario.directory, form)
    where = Origin(owner, table.source)
    check_rows(where, spec.rows, table.rows, complete=task.missing == "drop")
    held_out = test_count(table.rows, task.test_fraction)
    if table.rows - held_out < _FEWEST_TRAINING_ROWS:
        raise where.error(
            f"only {rows_text(table.rows - held_out)} of {table.rows} would be left to train on",
            "lower `test_fraction`, or add rows",
        )
    return table


def load_table(source: str | SqlSource, task: ModelTask, owner: str, base: Path, form: TextForm | None = None) -> Table:
    """Read the columns that a task needs.

    Args:
        source: a CSV or Parquet file, or a query of a DuckDB database.
        task: names the target, and may name features and an id.
        owner: whose data they are; errors name this party.
        base: the folder that a relative path starts from.
        form: how a text file is written, if not as usual.

    Raises:
        DataError: the data cannot be read or are not fit for the task.
    """
    with open_source(source, owner, base, form or TextForm()) as raw:
        targets = target_columns(raw, task)
        task = task_for_table(raw, task)
        terms = terms_of(raw, task)
        if terms is not None:
            task = task.model_copy(update={"features": terms.columns})
        ids = find_columns(raw, [task.id], "the id") if task.id is not None else []
        extras = offset_weight_columns(raw, task, target_here=bool(targets))
        features = choose_features(raw, task, [*targets, *ids, *extras])
        target = _target(raw, targets[0], task) if targets else np.zeros(raw.rows)
        extra_values = read_offset_weights(raw, extras, task)
        features, values = _drop_empty(read_features(raw, features), features, task)
        if not features and not (targets and task.partition == "vertical"):
            raise raw.where.error(
                f"there is no numeric column besides the target '{task.target}'"
                + (f" and the id '{task.id}'" if task.id is not None else ""),
                "give the columns that predict the target as numbers",
            )
        names = tuple(name for feature in features for name in feature.names)
        origins = [feature.column.name for feature in features for _ in feature.names]
        refuse_extremes(raw.where, names, values)
        for column in ids:
            check_ids(raw, column)
        gaps = np.isnan(values)
        all_origins = [*origins, *(column.name for column in extras)]
        both = np.concatenate((values, extra_values), axis=1)
        complete, extra_values = drop_extra_columns(
            settle_missing(raw.where, task.missing, task.target, all_origins, both, target), len(origins)
        )
        made = _plain_columns(features)
        if terms is not None and terms.interact:
            places = {f.column.name: [k for k, name in enumerate(origins) if name == f.column.name] for f in features}
            made = Made(combine_terms(terms, places), made.factors, complete.values)
            names, products, lacking = multiply_terms(terms, places, names, complete.values, gaps)
            refuse_extremes(raw.where, names, products)
            complete = replace(complete, values=products, missing=(*lacking, complete.missing[-1]))
        used = {column.index for column in (*targets, *ids, *extras, *(feature.column for feature in features))}
        ignored = unused_columns(raw, used)
        target = complete.target if targets else complete.target[:0]
        lacking_notes = [Note("warning", complete.note)] if complete.note else []
        notes = (*unused_notes(ignored), *lacking_notes, *repeated_notes(raw, ids), *_target_notes(target))
        weights = offset_weights_of(extra_values, extras, task)
        rows = _Rows(complete.values, target, complete.missing, offset_weights=weights, made=made)
        if task.partition == "vertical":
            order, sorted_ids = sort_rows(raw, ids[0])
            target = target[order] if targets else target
            weights, made = weights.of(order), made.of(order)
            rows = _Rows(complete.values[order], target, complete.missing, sorted_ids, weights, made)
        table = _table(owner, raw.where.source, names, rows, ignored, notes)
        return replace(table, excluded=raw.rows - table.rows)


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """An owner's rows, ready to be computed with.

    `values` is float64 (rows, columns), C-contiguous and read-only; `target` holds exactly 0.0 and 1.0, or numbers.
    `digest` is the SHA-256 of all of it, for the owner's own list of what was released about which data.
    `ignored` names the columns that the source has and the task does not use; `notes` are for its owner.
    `missing` says how many values each of the columns lacked in the source, and the target, which is last.
    Where columns are split, rows are in the order of `ids`, and `target` is empty at all owners but one.
    `offset_weights` has the rows' offsets and weights, if the task names any, where the target is. `made` says what the
    columns are made of, where some are products or a category's levels.
    `excluded` is how many rows of the source were left out because a value is missing.
    """

    owner: str
    source: str
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    target: NDArray[np.float64]
    digest: str
    missing: tuple[int, ...]
    ignored: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    ids: tuple[str, ...] = ()
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS
    made: Made | None = None
    excluded: int = 0

    @property
    def has_target(self) -> bool:
        """Whether this owner has the target: where columns are split, exactly one does."""
        return bool(self.target.size)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.values.shape[0])

    @property
    def numbers(self) -> NDArray[np.float64]:
        """All that is in each row: the columns, and the target if it is here."""
        return np.column_stack((self.values, self.target)) if self.has_target else self.values

    def select(self, names: Sequence[str]) -> Table:
        """The same rows with these columns only, in this order.

        Raises:
            DataError: the table has no such column.
        """
        absent = [name for name in names if name not in self.columns]
        if absent:
            guess = nearest(absent[0], self.columns)
            raise DataError(
                f"{self.owner}, {self.source}: there is no numeric column {quote(absent)}",
                f"did you mean '{guess}'?" if guess else "",
                party=self.owner,
            )
        places = [self.columns.index(name) for name in names]
        left = tuple(name for name in self.columns if name not in set(names))
        ignored = self.ignored + left
        missing = (*(self.missing[place] for place in places), self.missing[-1])
        made = None if self.made is None else self.made.select(places, self.values)
        rows = _Rows(self.values[:, places], self.target, missing, self.ids, self.offset_weights, made)
        return _table(self.owner, self.source, tuple(names), rows, ignored, self.notes)

    def __repr__(self) -> str:
        """Shape only: a log may hold this text."""
        return f"Table(owner={self.owner!r}, rows={self.rows}, columns={len(self.columns)})"


@dataclass(frozen=True, eq=False, repr=False)
class _Rows:
    """The numbers of a table, and how many values were missing."""

    values: NDArray[np.float64]
    target: NDArray[np.float64]
    missing: tuple[int, ...]
    ids: tuple[str, ...] = ()
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS
    made: Made | None = None


def _target(raw: RawTable, column: Column, task: ModelTask) -> NDArray[np.float64]:
    """The target of each row, NaN where it is missing: 0 and 1 of two classes, else the numbers as they are."""
    if task.classes:
        return read_target(raw, column, task.counts_as_one)
    values = read_numbers(raw, column)
    refuse_extremes(raw.where, [column.name], values[:, np.newaxis])
    return values


def _drop_empty(
    values: NDArray[np.float64], features: list[Feature], task: ModelTask
) -> tuple[list[Feature], NDArray[np.float64]]:
    """Drop columns without any value, unless the task names them."""
    if task.features is not None:
        return features, values
    empty = np.isnan(values).sum(axis=0) == len(values)
    origins = [feature for feature in features for _ in feature.names]
    kept = [place for place, feature in enumerate(origins) if feature.levels or not empty[place]]
    return list(dict.fromkeys(origins[place] for place in kept)), values[:, kept]


def _plain_columns(features: Sequence[Feature]) -> Made:
    """The composition of columns before any are multiplied: each stands for itself; a category's belong together."""
    starts = np.cumsum([0, *(len(feature.names) for feature in features)]).tolist()
    factors = [tuple(range(a, b)) for f, a, b in zip(features, starts, starts[1:], strict=False) if f.levels]
    return Made(plain(starts[-1]).products, tuple(factors))


def _target_notes(target: NDArray[np.float64]) -> list[Note]:
    """A note on a target that is the same in all rows."""
    if not target.size or target.min() != target.max():
        return []
    # A class is public; any other value would be a patient's.
    class_or_same = f"{target[0]:g}" if target[0] in (0.0, 1.0) else "the same"
    return [Note("warning", f"the target is {class_or_same} in all of this owner's rows")]


def _table(
    owner: str,
    source: str,
    columns: tuple[str, ...],
    rows: _Rows,
    ignored: tuple[str, ...],
    notes: tuple[Note, ...],
) -> Table:
    values = np.ascontiguousarray(rows.values, dtype=np.float64)
    target = np.ascontiguousarray(rows.target, dtype=np.float64)
    values.flags.writeable = False
    target.flags.writeable = False
    digest = hashlib.sha256(repr((columns, values.shape)).encode("utf-8"))
    digest.update(values.astype("<f8", copy=False).data)
    digest.update(target.astype("<f8", copy=False).data)
    for name, column in (("offset", rows.offset_weights.offset), ("weights", rows.offset_weights.counts)):
        if column is not None:
            digest.update(name.encode("ascii") + column.astype("<f8", copy=False).tobytes())
    return Table(
        owner,
        source,
        columns,
        values,
        target,
        digest.hexdigest(),
        rows.missing,
        ignored,
        notes,
        rows.ids,
        rows.offset_weights,
        rows.made,
    )
