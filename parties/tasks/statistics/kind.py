"""`kind = "statistics"`: its entry in the registry."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from parties.tasks.base import Job, Kind, Show, has_part
from parties.tasks.statistics.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.statistics.run import STATISTICS

    return STATISTICS


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
)
