"""`kind = "program"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.tasks.base import Job, Kind, Show
from parties.tasks.program.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.program.run import PROGRAM

    return PROGRAM


def _show() -> Show:
    from parties.tasks.program.show import SHOW

    return SHOW


def _merge(parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    from parties.tasks.program.results import merge_parts

    return merge_parts(parts)


KIND: Final = Kind(
    name="program",
    words="protocol of its author's own",
    task=READER.model,
    part=("program",),
    show=_show,
    reader=READER,
    job=_job,
    merge=_merge,
)
