"""An owner's share of a model that nobody sees, kept in a file of its own (trust/share_file.py)."""

from __future__ import annotations

import hashlib
from typing import Any

from mpc.links.meeting.handshake import Agreement
from parties.data.table import Table
from parties.scenario.categories import indicators
from parties.scenario.file import ModelTask, Scenario
from parties.scenario.terms import columns_of
from parties.tasks.logistic.settings.task import LogisticTask
from parties.trust.share_file import Bound, Vault, check_room, share_path, write_share
from protocols.rows.results import Trained


def model_id(agreement: Agreement) -> str:
    """The model's name, the same at all owners: it is derived from the session and depends on nothing secret."""
    return hashlib.sha256(b"shared model" + agreement.context).hexdigest()[:32]


def ready_to_keep(scenario: Scenario, table: Table, vault: Vault) -> Table:
    """Check that a share can be written where it will be; return the table.

    Raises:
        UsageError: there is not.
    """
    if "model" not in scenario.task_as(LogisticTask).reveal:
        check_room(share_path(scenario, vault.party, vault.folder), vault.party)
    return table


def keep_model(scenario: Scenario, agreement: Agreement, trained: Trained, vault: Vault) -> dict[str, Any]:
    """Write this owner's share, if the model stays shared; returns its path for the record.

    Raises:
        UsageError: it cannot be written.
    """
    if trained.kept is None:
        return {}
    path = share_path(scenario, vault.party, vault.folder)
    write_share(path, _bound(scenario, agreement, trained, vault), trained.kept, vault)
    return {"model_share": path.name}


def _bound(scenario: Scenario, agreement: Agreement, trained: Trained, vault: Vault) -> Bound:
    task, split = scenario.task_of(vault.party), agreement.split
    terms = _terms(task, trained.features if split is None else split.columns[vault.party])
    return Bound(
        model=model_id(agreement),
        scenario=scenario.digest,
        party=vault.party,
        owners=scenario.owners,
        keys=dict(vault.keys),
        partition=task.partition,
        standardise=scenario.task_as(LogisticTask).standardise,
        features=trained.features,
        columns={} if split is None else dict(split.columns),
        terms=terms,
        categories={name: levels for name, levels in task.categories.items() if name in {*terms, *columns_of(terms)}},
        dates=task.dates,
        sealed_by="file" if vault.secret is None else "identity",
    )


def _terms(task: ModelTask, features: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that the features are made of: as the task lists them, else the columns that all owners have."""
    if task.features is not None:
        return task.features
    source = {name: column for column, levels in task.categories.items() for name in indicators(column, levels)}
    return tuple(dict.fromkeys(source.get(name, name) for name in features))
