"""An owner's table for `kind = "predict"`: its share of the model, and its new rows, if it has any.

Nothing here is seen by another party but how many rows there are. A table's repr shows its shape only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DisagreementError, UsageError
from parties.data.cells import TextForm
from parties.data.checks import ROW_HINT, check_ids, check_rows, find_columns, refuse_extremes, rows_text
from parties.data.features import choose_features, read_features
from parties.data.header import Origin
from parties.data.interactions import multiply_terms, terms_of
from parties.data.notes import Note, unused_columns, unused_notes
from parties.data.plain_table import ValueRows
from parties.data.read import Column, RawTable, open_source
from parties.data.vertical import sort_rows
from parties.scenario.file import ModelTask, Scenario
from parties.tasks.predict.settings import PredictTask
from parties.trust.share_file import Bound, OpenShare, Vault, open_share, read_bound, share_path

Values = NDArray[np.float64]

_MODEL = "the model"


@dataclass(frozen=True, eq=False, repr=False)
class PredictTable(ValueRows):
    """An owner's new rows, in its features' own units and the model's order (rows, features), and its share.

    `bound` is what the share's file says of itself; `opened` is the share, once the owner's key has opened it.
    `ids` name the rows in the file of scores; empty where the task names no `id`. Where columns are split, `order`
    sorts the rows by id, and `sorted_ids` are the ids then, as all owners compare them.
    """

    owner: str
    source: str
    path: Path
    bound: Bound
    values: Values
    ids: tuple[str, ...] = ()
    order: NDArray[np.int64] | None = None
    sorted_ids: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    opened: OpenShare | None = field(default=None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The model's features, all owners' together."""
        return self.bound.features

    @property
    def in_order(self) -> Values:
        """The rows in the order that all owners agree on."""
        return self.values if self.order is None else self.values[self.order]

    def as_here(self, scores: Values) -> Values:
        """Scores of `in_order`, as the rows stand in this owner's data; of an owner that gets none, none."""
        if self.order is None or not scores.size:
            return scores
        placed = np.empty_like(scores)
        placed[self.order] = scores
        return placed

    @property
    def digest(self) -> str:
        """The digest of the rows."""
        return self.digest_with(self.bound.own_features)

    def select(self, names: Sequence[str]) -> PredictTable:
        """The same: a model needs all its features."""
        return self

    def __repr__(self) -> str:
        """Shape only: a log may hold this text."""
        return f"PredictTable(owner={self.owner!r}, rows={self.rows}, columns={len(self.columns)})"


def load_predict_table(scenario: Scenario, owner: str) -> PredictTable:
    """An owner's share of the model, still encrypted, and its new rows.

    Raises:
        UsageError: there is no share, or it is of another party, of other owners, or of another partition.
        DataError: the rows cannot be read, or lack what the model needs.
    """
    path = here(scenario, owner)
    bound = read_bound(path, owner)
    _check_bound(scenario, owner, path, bound)
    if scenario.parties[owner].data is None and not scenario.vertical:
        if scenario.parties[owner].rows is not None:
            hint = "name its data, or remove `rows`"
            raise UsageError(f"[parties.{owner}] states rows, but no data to score", hint, party=owner)
        return PredictTable(owner, "no rows", path, bound, np.zeros((0, len(bound.features))))
    spec = scenario.parties[owner]
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    with open_source(scenario.data_source(owner), owner, scenario.directory, form) as raw:
        values, used = _read(raw, bound)
        check_rows(raw.where, spec.rows, raw.rows, fewest=0)
        table = PredictTable(owner, raw.where.source, path, bound, values)
        if (name := scenario.task_as(PredictTask).id) is not None:
            (column,) = find_columns(raw, [name], "the id")
            check_ids(raw, column)
            used.add(column.index)
            table = _add_row_names(table, raw, column)
        return replace(table, notes=tuple(unused_notes(unused_columns(raw, used))))


def here(scenario: Scenario, owner: str) -> Path:
    """The path of an owner's share, as the scenario states it.

    Raises:
        UsageError: the scenario does not say.
    """
    if scenario.parties[owner].model is None:
        hint = 'add model = "DIR" with the folder of the run that trained it, or the file'
        raise UsageError(f"{scenario.path}: [parties.{owner}] does not say where its share of {_MODEL} is", hint)
    return share_path(scenario, owner, scenario.directory)


def opened(scenario: Scenario, table: PredictTable, vault: Vault) -> PredictTable:
    """The table with the share opened by this owner's key, if its own rows are no more than it may still score.

    Raises:
        UsageError: the share or its journal is not as the training and the runs since left it.
        DisagreementError: the owner's rows are more than are left.
    """
    share = open_share(table.path, table.owner, vault)
    if share.bound.keys and vault.keys and dict(share.bound.keys) != dict(vault.keys):
        others = [name for name, text in vault.keys.items() if share.bound.keys.get(name) != text]
        raise UsageError(
            f"{table.path} is of a model that was trained with another key of {', '.join(others)}",
            "a model goes with the keys that its owners had; with new keys, train a new one",
            party=table.owner,
        )
    most = most_rows(scenario, len(table.columns))
    counts = ", ".join(f"{name} {count}" for name, count in share.journal.scored().items() if count) or "none"
    check_cap(share, scenario.task_as(PredictTask).scored({table.owner: table.rows}), most)
    note = Note("info", f"model {share.bound.model}: rows scored so far: {counts}; each owner may score {most}")
    return replace(table, opened=share, notes=(*table.notes, note))


def most_rows(scenario: Scenario, features: int) -> int:
    """The rows that each owner may score in all: by default so few that all owners but one stay below d together."""
    given = scenario.task_as(PredictTask).max_rows
    return given if given is not None else (features - 1) // (len(scenario.owners) - 1)


def too_many(scenario: Scenario, features: int) -> str:
    """What so many scores may disclose, in a sentence; empty if all owners but one score fewer than d rows."""
    others = len(scenario.owners) - 1
    together = most_rows(scenario, features) * others
    if together < features:
        return ""
    who = "an owner may" if others == 1 else "all owners but one may together"
    return (
        f"{who} score {rows_text(together)}, not fewer than the {features} features: {features + 1} exact scores give "
        "the whole model away, and rounded ones nearly do (docs/shared_model.md)"
    )


def check_cap(share: OpenShare, rows: dict[str, int], most: int) -> None:
    """Refuse more rows of an owner, with those that were scored before, than it may score.

    Raises:
        DisagreementError: an owner's are; names it.
    """
    scored = share.journal.scored()
    for owner, count in rows.items():
        before = scored.get(owner, 0)
        if count and before + count > most:
            left = max(0, most - before)
            raise DisagreementError(
                f"{owner} asks for the scores of {rows_text(count)}, but of the {most} that each owner may have in "
                f"all, {left} are left to it: {before} were counted here",
                "score fewer rows; more would tell the model itself (docs/shared_model.md)",
                party=owner,
            )


def _check_bound(scenario: Scenario, owner: str, path: Path, bound: Bound) -> None:
    if bound.party != owner:
        raise UsageError(f"{path} is the share of {bound.party}, not of {owner}", "name this party's own", party=owner)
    if bound.split != scenario.vertical:
        of, hint = "columns that all owners have", "remove partition: each owner scores rows that it has whole"
        if bound.split:
            of, hint = "split columns", 'set partition = "vertical", and say in `reveal_to` which owner gets the scores'
        raise UsageError(f"{path} is of a model of {of}", hint, party=owner)
    if set(bound.owners) != set(scenario.owners):
        raise UsageError(
            f"{path} is of a model that {', '.join(bound.owners)} hold, but the scenario's owners are "
            f"{', '.join(scenario.owners)}",
            "all owners that trained a model, and no others, can score by it",
            party=owner,
        )


def _read(raw: RawTable, bound: Bound) -> tuple[Values, set[int]]:
    """This owner's features' values, in the model's order, and which columns they are made of."""
    if not bound.terms:  # where columns are split, this owner had only the target
        return np.zeros((raw.rows, 0)), set()
    task = ModelTask(
        target="-",  # new rows have no target
        features=bound.terms,
        categories=dict(bound.categories),
        dates=bound.dates,
    )
    terms = terms_of(raw, task)
    assert terms is not None
    find_columns(raw, terms.columns, _MODEL)
    chosen = choose_features(raw, task.model_copy(update={"features": terms.columns}), [])
    names = tuple(name for one in chosen for name in one.names)
    values = read_features(raw, chosen)
    origins = [one.column.name for one in chosen for _ in one.names]
    refuse_extremes(raw.where, names, values, _MODEL)
    _refuse_missing(raw.where, origins, values)
    if terms.interact:
        places = {one.column.name: [k for k, name in enumerate(origins) if name == one.column.name] for one in chosen}
        names, values, _ = multiply_terms(terms, places, names, values, np.isnan(values))
        refuse_extremes(raw.where, names, values, _MODEL)
    if set(names) != set(bound.own_features):
        lacking = ", ".join(name for name in bound.own_features if name not in names)
        raise raw.where.error(f"the model needs {lacking}", "give the columns that it was trained on")
    ordered = np.ascontiguousarray(values[:, [names.index(name) for name in bound.own_features]])
    ordered.flags.writeable = False
    return ordered, {one.column.index for one in chosen}


def _add_row_names(table: PredictTable, raw: RawTable, column: Column) -> PredictTable:
    """The table with the rows' names; where columns are split, also with their common order."""
    ids = tuple(str(one) for one in np.asarray(raw.arrays([f"cast({column.sql} as varchar)"])["v0"]))
    if not table.bound.split:
        return replace(table, ids=ids)
    order, sorted_ids = sort_rows(raw, column)
    return replace(table, ids=ids, order=order, sorted_ids=sorted_ids)


def _refuse_missing(where: Origin, origins: Sequence[str], values: Values) -> None:
    gaps = np.isnan(values)
    for place, name in enumerate(origins):
        count = int(gaps[:, place].sum())
        if count:
            first = int(np.argmax(gaps[:, place])) + 1
            raise where.error(
                f"column '{name}' lacks a value in {rows_text(count)} (first in data row {first})",
                f"a score needs all of a row's values: fill these cells, or leave the rows out; {ROW_HINT}",
            )
