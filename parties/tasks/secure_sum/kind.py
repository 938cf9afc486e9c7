"""`kind = "secure_sum"`: its entry in the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import table
from parties.tasks.base import Kind, Show


def _show() -> Show:
    from parties.tasks.secure_sum.show import SHOW

    return SHOW


def _older(record: Mapping[str, Any]) -> bool:
    return bool(table(record.get("sums")))


KIND: Final = Kind(
    name="secure_sum",
    words="secure sum",
    part=("sums",),
    show=_show,
    older=_older,
)
