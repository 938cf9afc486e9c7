"""`kind = "logistic_regression"`: its entry in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parties.scenario.privacy import MECHANISMS
from parties.scenario.task import TaskReader
from parties.tasks.base import Job, Kind, Show
from parties.tasks.logistic.new import propose
from parties.tasks.logistic.private.settings import make_logistic_private, private_method
from parties.tasks.logistic.settings.task import LogisticTask, prepare_training, settle_training

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
    if private_method(scenario) != "gradients":
        from parties.tasks.logistic.private.output.run import OUTPUT

        return OUTPUT
    if scenario.vertical:
        from parties.tasks.logistic.private.columns.run import COLUMNS

        return COLUMNS
    from parties.tasks.logistic.private.gradients.run import GRADIENTS

    return GRADIENTS


def _show() -> Show:
    from parties.tasks.logistic.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="logistic_regression",
    words="logistic regression",
    task=LogisticTask,
    part=("training", "model", "metrics", "data", "inference", "fit", "calibration", "privacy"),
    show=_show,
    reader=TaskReader(
        LogisticTask,
        settle_training,
        prepare_training,
        lambda task: task.keeps_shares,
        make_logistic_private,
        MECHANISMS,
    ),
    job=_job,
    noisy=_noisy,
    propose=propose,
    audit=_audit,
)
