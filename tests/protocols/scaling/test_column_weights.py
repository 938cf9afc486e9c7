"""Offsets and weights where columns are split: the job beside statsmodels' GLM, and what it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.array import Array
from protocols.plain.logistic_columns import joined
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import OwnColumns
from protocols.rows.settings import TrainingSettings
from tests.protocols.inference.test_columns_job import HOW, run
from tests.protocols.inference.test_offsets_and_weights import assert_is_glm, drawn
from tests.protocols.training.test_columns_job import divided


def split_up(
    x: Array, y: Array, offset_weights: OffsetWeights, widths: list[int], target: int, **changes: Any
) -> tuple[dict[str, OwnColumns], TrainingSettings]:
    """Columns dealt out to owners; the labels' owner has the offsets and counts. No row is held out."""
    asked = {"offset": offset_weights.offset is not None, "weighted": offset_weights.counts is not None}
    own, how = divided(x, y, widths, target, **{**HOW, **asked, **changes})
    every = {}
    for name, part in own.items():
        mine = name == part.target_owner
        column = [x[:, int(c[1:])] for c in part.names[name]]
        every[name] = replace(
            part,
            x_train=np.stack(column, axis=1),
            x_test=part.x_test[:0],
            y_train=y if mine else y[:0],
            y_test=y[:0],
            offset_weights_train=offset_weights if mine else NO_OFFSET_WEIGHTS,
        )
    return every, replace(how, train_rows=(len(y),), test_rows=(0,))


@pytest.mark.parametrize(
    ("case", "widths"),
    [
        pytest.param("offset", [1, 1], marks=pytest.mark.soak),
        pytest.param("weights", [1, 1], marks=pytest.mark.soak),
        ("both", [1, 1]),
        pytest.param("both", [1, 1, 1], marks=pytest.mark.soak),
    ],
)
def test_it_is_statsmodels_glm(case: str, widths: list[int]) -> None:
    x, y, offset, counts = drawn(120)
    x = np.c_[x, np.random.default_rng(9).normal(size=len(x))][:, : len(widths)]
    offset_weights = OffsetWeights(offset if case != "weights" else None, 0.3 * counts if case != "offset" else None)
    own, how = split_up(x, y, offset_weights, widths, target=1, metrics=True)
    found, revealed = run(own, how)
    rows = joined(own)
    assert_is_glm(found, rows.x_train, rows.y_train, offset_weights)
    assert found.inference is not None and found.inference.log_likelihood is not None
    assert ("largest weight" in revealed) == (case != "offset") and revealed[-2:] == ["log-likelihood"] * 2


@pytest.mark.parametrize(
    ("counts", "words"),
    [(np.zeros(60), "are 0"), (np.r_[np.ones(299) * 1e-3, 500.0], "256 times"), (np.full(60, 5e3), "on average")],
)
def test_weights_that_cannot_be_used_are_said(counts: Array, words: str) -> None:
    x, y, _, _ = drawn(len(counts))
    own, how = split_up(x, y, OffsetWeights(None, counts), [1, 1], target=0)
    with pytest.raises(DataError, match=words):
        run(own, how)
