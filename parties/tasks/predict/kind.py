"""`kind = "predict"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import table
from parties.tasks.base import Job, Kind, Show
from parties.tasks.predict.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.predict.run import PREDICT

    return PREDICT


def _show() -> Show:
    from parties.tasks.predict.show import SHOW

    return SHOW


def _older(record: Mapping[str, Any]) -> bool:
    return bool(table(record.get("predict")))


KIND: Final = Kind(
    name="predict",
    words="scores of new rows",
    task=READER.model,
    part=("predict",),
    show=_show,
    older=_older,
    reader=READER,
    job=_job,
)
