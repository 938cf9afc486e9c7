"""`kind = "linear_regression"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.scenario.categories import prepare_categories
from parties.scenario.task import TaskReader
from parties.show.blocks import table
from parties.tasks.base import Job, Kind, Show
from parties.tasks.linear.new import propose
from parties.tasks.linear.private.settings import make_linear_private
from parties.tasks.linear.settings import LinearTask, settle_linear

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.tasks.audited.audit import Audit


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.linear.run import LINEAR

    return LINEAR


def _noisy(scenario: Scenario) -> Job[Any, Any, Any]:
    from parties.tasks.linear.run import NOISY_LINEAR

    return NOISY_LINEAR


def _audit() -> Audit:
    from parties.tasks.linear.audit import AUDIT

    return AUDIT


def _show() -> Show:
    from parties.tasks.linear.show import SHOW

    return SHOW


def _older(record: Mapping[str, Any]) -> bool:
    return "residual_se" in table(record.get("fit"))


KIND: Final = Kind(
    name="linear_regression",
    words="linear regression",
    task=LinearTask,
    part=("model", "metrics", "inference", "fit", "data", "privacy"),
    show=_show,
    older=_older,
    reader=TaskReader(LinearTask, settle_linear, prepare_categories, noisy=make_linear_private),
    job=_job,
    noisy=_noisy,
    propose=propose,
    audit=_audit,
)
