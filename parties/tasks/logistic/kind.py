"""`kind = "logistic_regression"`: its entry in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from parties.tasks.base import Job, Kind, Show
from parties.tasks.logistic.new import propose
from parties.tasks.logistic.settings import READER

if TYPE_CHECKING:
    from parties.tasks.audited import Audit


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.logistic.run import TRAINING

    return TRAINING


def _audit() -> Audit:
    from parties.tasks.logistic.audit import AUDIT

    return AUDIT


def _show() -> Show:
    from parties.tasks.logistic.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="logistic_regression",
    words="logistic regression",
    task=READER.model,
    part=("training", "model", "metrics", "data", "inference", "fit", "calibration"),
    show=_show,
    reader=READER,
    job=_job,
    propose=propose,
    audit=_audit,
)
