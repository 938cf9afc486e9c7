"""An owner's columns of rows that all owners have: which of the task's columns are its, and the rows' common order."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parties.data.checks import find_columns
from parties.data.read import Column, RawTable
from parties.scenario.models import ModelTask
from protocols.rows.own_rows import DIGEST_BITS


def target_columns(raw: RawTable, task: ModelTask) -> list[Column]:
    """The target's column; where columns are split, none if another owner has it.

    Raises:
        DataError: all owners have the same columns, and this one lacks the target.
    """
    if task.partition == "vertical":
        return [column for column in raw.columns if column.name == task.target]
    return find_columns(raw, [task.target], "the target")


def task_for_table(raw: RawTable, task: ModelTask) -> ModelTask:
    """The task without other owners' categories, where columns are split and no features are listed."""
    if task.partition == "horizontal" or task.features is not None:
        return task
    names = {column.name for column in raw.columns}
    categories = {name: levels for name, levels in task.categories.items() if name in names}
    return task.model_copy(update={"categories": categories})


def sort_rows(raw: RawTable, ids: Column) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The order that sorts the rows by id, and the ids in it: as text, without letter case, by code point.

    A text's order is the same everywhere; a number's would depend on how each owner's file holds it.
    """
    texts = [str(text) for text in np.asarray(raw.arrays([ids.text])["v0"], dtype=object)]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    return np.array(order, dtype=np.int64), tuple(texts[place] for place in order)


def digest_bits(key: bytes, ids: Sequence[str]) -> NDArray[np.uint8]:
    """A keyed digest of a whole list of ids, as DIGEST_BITS bits (uint8). It is only ever entered as shares."""
    digest = hmac.new(key, digestmod="sha256")
    for one in ids:
        text = one.encode("utf-8", "surrogatepass")
        digest.update(len(text).to_bytes(8, "little") + text)
    return np.unpackbits(np.frombuffer(digest.digest(), dtype=np.uint8))[:DIGEST_BITS]
