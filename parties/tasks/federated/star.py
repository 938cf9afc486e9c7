"""`kind = "federated"`: its steps over a server and many clients."""

from __future__ import annotations

from typing import Any, Final

from mpc.star.client import Host
from parties.tasks.federated.clients.data import OwnRows, own_rows, rows_of
from parties.tasks.federated.clients.hosted import FederatedClient, clients_of
from parties.tasks.federated.clients.kept import keep
from parties.tasks.federated.clients.release import release_of
from parties.tasks.federated.private import planned_charge
from parties.tasks.federated.server.serve import serve
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.federated.show.plan import (
    data_notice,
    federated_plan,
    knowledge_blocks,
    plan_blocks,
    protection_blocks,
)
from parties.tasks.federated.show.record import client_record, federated_record, merged_work
from parties.tasks.star.base import Star
from parties.tasks.star.clients import hosts_result


def _load(scenario: FederatedScenario, me: str, place: int) -> OwnRows:
    return own_rows(scenario, me, rows_of(scenario).of(me, 1))


def _result(host: Host) -> dict[str, Any]:
    """What a process of clients reports: with what its clients' work took."""
    parts = [one.client.part for one in host.hosted.values() if isinstance(one.client, FederatedClient)]
    works = [
        {
            "rounds": part.spent.rounds,
            "seconds": part.spent.seconds,
            "memory": part.spent.memory,
            "clipped_updates": part.spent.clipped,
        }
        for part in parts
    ]
    found = {**hosts_result(host), "work": merged_work(works)}
    return found


def _client_faults(scenario: FederatedScenario) -> dict[str, Any]:
    """None that lasts: who drops out or is late is drawn anew in each round."""
    return {}


STAR: Final = Star(
    plan=federated_plan,
    plan_blocks=plan_blocks,
    protection=protection_blocks,
    knowledge=knowledge_blocks,
    data_notice=data_notice,
    clients=clients_of,
    client_faults=_client_faults,
    serve=serve,
    result=_result,
    record=federated_record,
    client_record=client_record,
    load=_load,
    clipped=lambda scenario, me, rows: rows.clipped,
    columns=lambda scenario: len(scenario.read_columns),
    entries=lambda scenario: scenario.size,
    release=release_of,
    keep=keep,
    quorum=lambda scenario: scenario.round_without_model(scenario.phases[-1], 1).settings.quorum,
    survives=True,
    charge=planned_charge,
)
