"""`kind = "secure_sum"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Kind, Show, has_part
from parties.tasks.secure_sum.models import SumTask
from parties.trust.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from parties.tasks.audited.audit import Audit
    from parties.tasks.secure_sum.settings import SumScenario
    from parties.tasks.star.base import Star


def _request(scenario: SumScenario) -> Request:
    """The request for a policy: a sum may be opened for fewer clients than there are."""
    cohort = scenario.min_cohort
    text = f"a sum may be of {cohort} (min_cohort)"
    epsilon = None if scenario.privacy is None else scenario.privacy.epsilon
    task = dict(scenario.task)
    return Request(scenario.task.kind, scenario.revealed, scenario.small_counts, cohort, text, task, epsilon=epsilon)


def _read(path: Path, raw: Mapping[str, Any]) -> SumScenario:
    from parties.tasks.secure_sum.settings import read_sum

    return read_sum(path, raw)


def _star() -> Star:
    from parties.tasks.secure_sum.star import STAR

    return STAR


def _audit() -> Audit:
    from parties.tasks.secure_sum.audit import AUDIT

    return AUDIT


def _show() -> Show:
    from parties.tasks.secure_sum.show.summary import SHOW

    return SHOW


KIND: Final = Kind(
    name="secure_sum",
    words="secure sum",
    task=SumTask,
    part=("sums",),
    show=_show,
    request=_request,
    older=partial(has_part, "sums"),
    read=_read,
    star=_star,
    audit=_audit,
)
