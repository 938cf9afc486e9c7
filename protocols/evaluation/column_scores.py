"""Scores of an open model where columns are split: they are shared, since each owner has a part of each score."""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.evaluation.shared_scores import SCORE_BITS, SCORE_SCALE, SharedScores
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.own_rows import OwnColumns
from protocols.rows.settings import TrainingSettings


def input_scores(p: Party, model: Public, own: OwnColumns, settings: TrainingSettings) -> dict[str, SharedScores]:
    """The sets' scores, sums over the owners' columns, and their labels."""
    weights = p.compute(model.real, shape=model.shape)
    train = p.compute(
        _part_of_scores, p.name, own, own.x_train, own.offset_weights_train, weights, shape=own.x_train.shape[:1]
    )
    sets = {"train": (train, own.y_train, settings.train_rows[0])}
    if settings.test_rows[0]:
        test = p.compute(
            _part_of_scores, p.name, own, own.x_test, own.offset_weights_test, weights, shape=own.x_test.shape[:1]
        )
        sets["test"] = (test, own.y_test, settings.test_rows[0])
    shared = {}
    for name, (part, labels, rows) in sets.items():
        p.insist(
            lambda part=part, rows=rows: check_reach(p.name, part, train, rows, len(p.owners)),  # type: ignore[misc]
            lambda: DataError("a score does not fit"),
        )
        z = Share(p.compute(encode, part, SCORE_SCALE, shape=(rows,)), SCORE_SCALE)
        # The parts' means add up to the scores' mean: so each owner takes its own off, and nobody learns a mean.
        centred = p.compute(lambda part=part: encode(part - part.mean(), SCORE_SCALE), shape=(rows,))
        y = labels.astype(np.uint64) if own.target_owner == p.name else None
        shared[name] = SharedScores(z, Share(centred, SCORE_SCALE), p.input(own.target_owner, y, (rows,), 0))
    return shared


def _part_of_scores(owner: str, own: OwnColumns, x: Array, offset_weights: OffsetWeights, weights: Array) -> Array:
    """One owner's part of each row's score: its columns and offsets; the first owner adds the intercept."""
    owners = list(own.names)
    start = sum(len(own.names[name]) for name in owners[: owners.index(owner)])
    part = offset_weights.add_offset(x @ weights[start : start + len(own.names[owner])])
    return part + weights[-1] if owner == owners[0] else part


def check_reach(owner: str, part: Array, train: Array, rows: int, owners: int) -> bool:
    """Check that a set's scores stay in the ring, by the distance of an owner's parts from their mean in training.

    All owners' means add up to the mean score of the training, which its range check bounds.

    Raises:
        DataError: one is further off; names the owner and the number of rows.
    """
    largest = 2.0 ** (SCORE_BITS - 1) / (rows * owners)
    outlying = int(np.sum(~(np.abs(part - train.mean()) <= largest)))
    if outlying:
        raise DataError(
            f"{owner}: {outlying} of the rows that the model is tried on have values too far from the others'",
            "look for wrong values in this owner's columns (a wrong unit, a placeholder such as 1e30), or leave "
            '"metrics" out of `reveal`',
            party=owner,
        )
    return True
