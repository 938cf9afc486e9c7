"""An owner's rows, and an owner's columns of rows that all owners have."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ring.array import Array
from protocols.rows.design import Made
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights

SAME_ROWS = "all owners"
"""The one group of rows where every owner has the same ones; no owner's name has a space in it."""


@dataclass(frozen=True)
class OwnRows:
    """One owner's own rows, float64: training and test features (m, d), labels 0/1 (m,).

    `missing` (d + 1,) counts each column's missing values, the target's last, for a summary of the data. `made` says
    how the training rows' columns are made; None: each is a column of its own.
    """

    names: tuple[str, ...]
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    missing: Array = field(default_factory=lambda: np.zeros(0, dtype=np.uint64), repr=False)
    offset_weights_train: OffsetWeights = field(default=NO_OFFSET_WEIGHTS, repr=False)
    offset_weights_test: OffsetWeights = field(default=NO_OFFSET_WEIGHTS, repr=False)
    made: Made | None = field(default=None, repr=False)


@dataclass(frozen=True)
class OwnColumns:
    """One owner's own columns of rows that all owners have, in the order that all agree on.

    Args:
        names: each owner's columns, by owner in the scenario's order.
        target_owner: who has the labels.
        x_train: training rows of this owner's columns, float64 (m, d_i); x_test: likewise, held out.
        y_train: labels 0/1 (m,), or of shape (0,) where another owner has them; y_test: likewise.
        ids: a keyed digest of the rows' ids in order, as bits (alignment.DIGEST_BITS,).
        offset_weights_train: of training rows, at the owner of the labels; offset_weights_test: of held-out ones.
        made: how this owner's columns of the training rows are made; None: each is a column of its own.
    """

    names: dict[str, tuple[str, ...]]
    target_owner: str
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)
    ids: Array = field(repr=False)
    offset_weights_train: OffsetWeights = field(default=NO_OFFSET_WEIGHTS, repr=False)
    offset_weights_test: OffsetWeights = field(default=NO_OFFSET_WEIGHTS, repr=False)
    made: Made | None = field(default=None, repr=False)


def joint_names(names: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The model's features: the owners' columns in the owners' order; names of two owners get their owner's prefix."""
    everyone = [name for own in names.values() for name in own]
    shared = {name for name in everyone if everyone.count(name) > 1} if len(set(everyone)) < len(everyone) else set()
    joint = [f"{owner}:{name}" if name in shared else name for owner, own in names.items() for name in own]
    if len(set(joint)) < len(joint):  # a column has another owner's name before it already
        joint = [f"{owner}:{name}" for owner, own in names.items() for name in own]
    return tuple(joint)


DIGEST_BITS = 128  # two lists that differ have equal digests with chance 2^-128
