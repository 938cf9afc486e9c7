"""`kind = "mantel_haenszel"`: its entry in the registry."""

from __future__ import annotations

from typing import Any, Final

from parties.tasks.base import Job, Kind, Show
from parties.tasks.mantel_haenszel.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.mantel_haenszel.run import MANTEL_HAENSZEL

    return MANTEL_HAENSZEL


def _show() -> Show:
    from parties.tasks.mantel_haenszel.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="mantel_haenszel",
    words="Mantel-Haenszel odds ratio",
    task=READER.model,
    part=("mantel_haenszel",),
    show=_show,
    reader=READER,
    job=_job,
)
