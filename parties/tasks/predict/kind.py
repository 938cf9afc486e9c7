"""`kind = "predict"`: its entry in the registry."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from parties.tasks.base import Job, Kind, Show, has_part
from parties.tasks.predict.settings import READER


def _job() -> Job[Any, Any, Any]:
    from parties.tasks.predict.run import PREDICT

    return PREDICT


def _show() -> Show:
    from parties.tasks.predict.show import SHOW

    return SHOW


KIND: Final = Kind(
    name="predict",
    words="scores of new rows",
    task=READER.model,
    part=("predict",),
    show=_show,
    older=partial(has_part, "predict"),
    reader=READER,
    job=_job,
)
