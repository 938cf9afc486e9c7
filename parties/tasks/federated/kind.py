"""`kind = "federated"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Kind, Show
from parties.tasks.federated.models import FederatedTask
from parties.trust.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from parties.tasks.audited.audit import Audit
    from parties.tasks.federated.settings import FederatedScenario
    from parties.tasks.star.base import Star


def _request(scenario: FederatedScenario) -> Request:
    """The request for a policy: a sum may be opened for fewer clients than there are."""
    cohort = scenario.min_cohort
    text = f"a sum may be of {cohort} (min_cohort)"
    task = dict(scenario.task)
    epsilon = None if scenario.privacy is None else scenario.privacy.epsilon
    return Request(
        scenario.task.kind,
        scenario.revealed,
        scenario.small_counts,
        cohort,
        text,
        task,
        plain=scenario.plain,
        epsilon=epsilon,
    )


def _read(path: Path, raw: Mapping[str, Any]) -> FederatedScenario:
    from parties.tasks.federated.scenario_file import read_federated

    return read_federated(path, raw)


def _star() -> Star:
    from parties.tasks.federated.star import STAR

    return STAR


def _audit() -> Audit:
    from parties.tasks.federated.audit.population import AUDIT

    return AUDIT


def _show() -> Show:
    from parties.tasks.federated.show.summary import SHOW

    return SHOW


KIND: Final = Kind(
    name="federated",
    words="federated learning",
    task=FederatedTask,
    part=("federated",),
    show=_show,
    request=_request,
    read=_read,
    star=_star,
    audit=_audit,
)
