"""`kind = "linear_regression"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import table
from parties.tasks.base import Job, Kind, Show
from parties.tasks.linear.new import propose
from parties.tasks.linear.settings import READER

if TYPE_CHECKING:
    from parties.tasks.audited import Audit


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.linear.run import LINEAR

    return LINEAR


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
    task=READER.model,
    part=("model", "metrics", "inference", "fit", "data", "privacy"),
    show=_show,
    older=_older,
    reader=READER,
    job=_job,
    propose=propose,
    audit=_audit,
)
