"""Releases of a client in federated learning."""

from __future__ import annotations

from parties.tasks.federated.clients.data import OwnRows
from parties.tasks.federated.reveals import revealed
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.clients import release_entry
from parties.trust.releases import Release


def release_of(scenario: FederatedScenario, me: str, rows: OwnRows, session: str = "") -> Release:
    """An entry of a client's list of releases, before a round starts; `session` ends with the round's phase and number.

    With [privacy], it has an epsilon where its ledger is charged: in the rounds that release something.
    """
    phase = session.rpartition("/")[2].partition(" ")[0]
    columns = tuple(sorted(scenario.read_columns))
    what = tuple(item["what"] for item in revealed(scenario) if scenario.server in item["to"])[:-1]
    epsilon = scenario.privacy.epsilon if scenario.privacy is not None and phase in scenario.mechanisms else 0.0
    return release_entry(scenario, me, session, rows.digest, len(rows), columns, what, epsilon)
