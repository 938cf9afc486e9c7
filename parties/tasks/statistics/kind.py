"""`kind = "statistics"`: its entry in the registry."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Job, Kind, Show, has_part
from parties.tasks.statistics.settings import READER

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.tasks.audited.audit import Audit


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.statistics.run import STATISTICS

    return STATISTICS


def _noisy(scenario: Scenario) -> Job[Any, Any, Any]:
    from parties.tasks.statistics.run import NOISY_STATISTICS

    return NOISY_STATISTICS


def _audit() -> Audit:
    from parties.tasks.statistics.audit import AUDIT

    return AUDIT


def _show() -> Show:
    from parties.tasks.statistics.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="statistics",
    words="statistics",
    task=READER.model,
    part=("statistics", "privacy"),
    show=_show,
    older=partial(has_part, "statistics"),
    reader=READER,
    job=_job,
    noisy=_noisy,
    audit=_audit,
)
