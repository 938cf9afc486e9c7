"""`kind = "star_program"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Kind, Show
from parties.tasks.program.settings import UNTESTED
from parties.tasks.program.star.models import StarProgramTask
from parties.trust.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from parties.tasks.program.star.settings import StarProgramScenario
    from parties.tasks.star.base import Star


def _request(scenario: StarProgramScenario) -> Request:
    """The request for a policy: what a program tells, and of how few clients, is its author's choice."""

    def small_counts(least: int) -> list[str]:
        if not scenario.task.has_table:
            return []
        return [UNTESTED]

    text = "a program may tell of one client alone"
    settings = {key: value for key, value in scenario.task if value is not None}
    insecure = scenario.test_seed is not None
    return Request(scenario.task.kind, [("program",)], small_counts, 1, text, settings, insecure)


def _read(path: Path, raw: Mapping[str, Any]) -> StarProgramScenario:
    from parties.tasks.program.star.settings import read_star_program

    return read_star_program(path, raw)


def _star() -> Star:
    from parties.tasks.program.star.star import STAR

    return STAR


def _show() -> Show:
    from parties.tasks.program.star.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="star_program",
    words="protocol of its author's own, for a server and clients",
    task=StarProgramTask,
    part=("program",),
    show=_show,
    request=_request,
    read=_read,
    star=_star,
)
