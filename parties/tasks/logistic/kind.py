"""`kind = "logistic_regression"`: its entry in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Job, Kind, Show
from parties.tasks.logistic.new import propose
from parties.tasks.logistic.settings.task import READER

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.tasks.audited.audit import Audit


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.logistic.run import TRAINING

    return TRAINING


def _audit() -> Audit:
    from parties.tasks.logistic.audit import AUDIT

    return AUDIT


def _noisy(scenario: Scenario) -> Job[Any, Any, Any]:
    from parties.tasks.logistic.private.gradients.run import noisy_job

    return noisy_job(scenario)


def _show() -> Show:
    from parties.tasks.logistic.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="logistic_regression",
    words="logistic regression",
    task=READER.model,
    part=("training", "model", "metrics", "data", "inference", "fit", "calibration", "privacy"),
    show=_show,
    reader=READER,
    job=_job,
    noisy=_noisy,
    propose=propose,
    audit=_audit,
)
