"""`kind = "star_program"`: its steps over a server and many clients."""

from __future__ import annotations

import hashlib
from logging import Logger
from typing import Any, Final

from mpc.errors import InternalError
from mpc.star.client import StarClient
from parties.tasks.program.star.clients import clients_of, clients_result, faults_of
from parties.tasks.program.star.compare import compare
from parties.tasks.program.star.data import ClientInputs
from parties.tasks.program.star.plan import data_notice, knowledge_blocks, plan_blocks, protection_blocks, star_plan
from parties.tasks.program.star.record import client_record, star_record
from parties.tasks.program.star.server import serve
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import Star
from parties.tasks.star.clients import trust_of
from parties.tasks.star.rows import Values
from parties.trust.releases import Release, now

_WHAT: Final = "program"


def _load(scenario: StarProgramScenario, me: str, place: int) -> Values:
    return ClientInputs(scenario).table(me)


def _release(scenario: StarProgramScenario, me: str, values: Values, session: str = "") -> Release:
    columns = tuple(sorted(scenario.task.columns or ()))
    data = hashlib.sha256("\0".join(columns).encode() + b"\0" + values.tobytes()).hexdigest()
    to = (scenario.server,)
    return Release(now(), scenario.name, scenario.digest, session, me, to, data, len(values), columns, (_WHAT,))


def _no_helper(scenario: StarProgramScenario) -> StarClient:
    raise InternalError("a protocol between a server and clients has no helper", "please report this as a bug")


def _no_result(scenario: StarProgramScenario, host: Any, log: Logger) -> dict[str, Any]:
    raise InternalError("a protocol between a server and clients has no helper", "please report this as a bug")


STAR: Final = Star(
    plan=star_plan,
    plan_blocks=plan_blocks,
    protection=protection_blocks,
    knowledge=knowledge_blocks,
    data_notice=data_notice,
    clients=clients_of,
    client_faults=faults_of,
    trust_of=trust_of,
    helper=_no_helper,
    helper_result=_no_result,
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
