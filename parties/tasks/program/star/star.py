"""`kind = "star_program"`: its steps over a server and many clients."""

from __future__ import annotations

import hashlib
from typing import Final

from parties.tasks.program.star.clients import clients_of, clients_result, faults_of
from parties.tasks.program.star.compare import compare
from parties.tasks.program.star.data import ClientInputs
from parties.tasks.program.star.plan import data_notice, knowledge_blocks, plan_blocks, protection_blocks, star_plan
from parties.tasks.program.star.record import client_record, star_record
from parties.tasks.program.star.server import serve
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import Star
from parties.tasks.star.clients import release_entry
from parties.tasks.star.rows import Values
from parties.trust.releases import Release

_WHAT: Final = "program"


def _load(scenario: StarProgramScenario, me: str, place: int) -> Values:
    return ClientInputs(scenario).table(me)


def _release(scenario: StarProgramScenario, me: str, values: Values, session: str = "") -> Release:
    columns = tuple(sorted(scenario.task.columns or ()))
    data = hashlib.sha256("\0".join(columns).encode() + b"\0" + values.tobytes()).hexdigest()
    return release_entry(scenario, me, session, data, len(values), columns, (_WHAT,))


STAR: Final = Star(
    plan=star_plan,
    plan_blocks=plan_blocks,
    protection=protection_blocks,
    knowledge=knowledge_blocks,
    data_notice=data_notice,
    clients=clients_of,
    client_faults=faults_of,
    serve=serve,
    result=clients_result,
    record=star_record,
    client_record=client_record,
    load=_load,
    clipped=lambda scenario, me, values: 0,
    columns=lambda scenario: len(scenario.task.columns or ()),
    entries=lambda scenario: 1,
    release=_release,
    quorum=lambda scenario: scenario.count,
    pools=lambda scenario: scenario.task.has_table,
    foreign=True,
    compare=compare,
)
