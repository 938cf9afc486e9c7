"""`kind = "statistics"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import table
from parties.tasks.base import Job, Kind, Show
from parties.tasks.statistics.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.statistics.run import STATISTICS

    return STATISTICS


def _show() -> Show:
    from parties.tasks.statistics.show import SHOW

    return SHOW


def _older(record: Mapping[str, Any]) -> bool:
    return bool(table(record.get("statistics")))


KIND: Final = Kind(
    name="statistics",
    words="statistics",
    task=READER.model,
    part=("statistics",),
    show=_show,
    older=_older,
    reader=READER,
    job=_job,
)
