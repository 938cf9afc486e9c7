"""Statistics with [privacy]: what `private_job` makes their job of."""

from __future__ import annotations

from typing import Any, Final

from mpc.links.meeting.handshake import Agreement
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.private_job import Method
from parties.tasks.statistics.data import own_columns
from parties.tasks.statistics.private.inference import Values
from parties.tasks.statistics.private.plan import privacy_facts_of, private_plan_text
from parties.tasks.statistics.private.record import private_statistics_facts
from parties.tasks.statistics.shape import private_statistics_settings
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import PrivateSettings, private_statistics_job


def _own(scenario: Scenario, agreement: Agreement, table: PlainTable, settings: PrivateSettings) -> OwnColumns:
    return own_columns(table)


def _record(scenario: Scenario, settings: PrivateSettings, opened: Values) -> dict[str, Any]:
    assert scenario.privacy is not None
    return {
        "statistics": private_statistics_facts(opened, settings),
        "privacy": privacy_facts_of(settings, scenario.privacy),
    }


METHOD: Final[Method[PrivateSettings, Values]] = Method(
    settings=private_statistics_settings,
    job=private_statistics_job,
    own=_own,
    record=_record,
    part=("statistics", "privacy"),
    plan=private_plan_text,
    mechanisms=lambda settings: (settings.mechanism,),
)
