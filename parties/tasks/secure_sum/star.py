"""`kind = "secure_sum"`: its steps over a server and many clients."""

from __future__ import annotations

from typing import Final

from parties.tasks.secure_sum.ends.clients import clients_of
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.ends.helper import helper_client, helper_result
from parties.tasks.secure_sum.ends.release import release_of
from parties.tasks.secure_sum.ends.server import serve
from parties.tasks.secure_sum.private import planned_charge
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.show.plan import data_notice, knowledge_blocks, plan_blocks, protection_blocks, sum_plan
from parties.tasks.secure_sum.show.record import client_record, sum_record
from parties.tasks.star.base import Star
from parties.tasks.star.clients import client_faults, hosts_result
from parties.tasks.star.rows import ClientRows, Values
from protocols.aggregation.messages import stages


def _load(scenario: SumScenario, me: str, place: int) -> Values:
    return ClientRows(scenario, scenario.read_columns).of(me, place)


def _clipped(scenario: SumScenario, me: str, values: Values) -> int:
    return numbers_of(scenario, me, values).clipped


STAR: Final = Star(
    plan=sum_plan,
    plan_blocks=plan_blocks,
    protection=protection_blocks,
    knowledge=knowledge_blocks,
    data_notice=data_notice,
    clients=clients_of,
    client_faults=lambda scenario: client_faults(scenario, stages(scenario.task.server == "malicious")),
    helper=helper_client,
    helper_result=helper_result,
    serve=serve,
    result=hosts_result,
    record=sum_record,
    client_record=client_record,
    load=_load,
    clipped=_clipped,
    columns=lambda scenario: len(scenario.read_columns),
    entries=lambda scenario: len(scenario.entries),
    release=release_of,
    quorum=lambda scenario: scenario.settings.quorum,
    charge=planned_charge,
)
