"""Calibration of shared scores: the table of the same bins in the clear, and of a fit of split columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.evaluation.calibration import GROUPS
from protocols.evaluation.shared_calibration import calibrate_shared
from protocols.evaluation.shared_scores import SCORE_SCALE, SharedScores, evaluate_with_histograms, upper_edges
from protocols.functions.histogram import BINS
from protocols.plain.logistic_columns import joined
from protocols.rows.results import Group
from tests.fit_reference import fit_ml
from tests.helpers import on_shares, words
from tests.protocols.evaluation.test_calibration import draw, sums_of, told, wanted
from tests.protocols.inference.test_columns_job import HOW, run
from tests.protocols.inference.test_rows_job import breast_cancer
from tests.protocols.training.test_columns_job import divided

EDGES = upper_edges(np.arange(BINS), 1 << 60) / 2.0**SCORE_SCALE


def tenths(z: Array, y: Array, n: int = 2, min_cell: int = 5) -> tuple[Group, ...]:
    """The tenths of rows whose scores are shared among n owners."""
    found: dict[str, Any] = {}

    async def body(p: Party, shares: list[Share]) -> tuple[Share, ...]:
        scored = SharedScores(*shares)
        _, histograms = await evaluate_with_histograms(p, {"train": scored})
        calibration = await calibrate_shared(p, {"train": (scored, histograms["train"])}, min_cell)
        if not p.dry:
            found[p.name] = calibration["train"]
        return (Share(abstract((1,)) if p.dry else np.zeros(1, dtype=np.uint64)),)

    encoded = [np.rint(v * 2.0**SCORE_SCALE).astype(np.int64) for v in (z, z - z.mean())]
    on_shares(body, [*((words(v), SCORE_SCALE, Z64) for v in encoded), (y.astype(np.uint64), 0, Z64)], n)
    first, *others = found.values()
    assert all(other == first for other in others)
    return first


def tenth_in_bins(z: Array) -> Array:
    """Each row's tenth, cut at the bins' upper edges."""
    bins, m = np.searchsorted(EDGES, z - z.mean(), side="right"), len(z)
    cuts = [np.sort(bins)[-(-k * m // GROUPS) - 1] for k in range(1, GROUPS)]
    return np.searchsorted(cuts, bins, side="left")


@pytest.mark.parametrize(("n", "m", "spread"), [(2, 200, 1.5), pytest.param(3, 500, 6.0, marks=pytest.mark.soak)])
def test_it_is_the_table_of_the_bins(n: int, m: int, spread: float) -> None:
    z, y = draw(m, spread)
    found = tenths(z, y, n)
    group = tenth_in_bins(z)
    assert told(found) == wanted(z, y, group, 1) and len(found) >= 2
    assert [one.expected for one in found] == pytest.approx(sums_of(found, z, group), abs=4e-5 * m)


def test_edges_rise_and_are_where_the_places_say() -> None:
    assert (np.diff(EDGES) >= 0).all()
    for c in (-20.0, -15.99, -2.1, -1.9, -0.26, -0.24, -0.001, 0.0003, 0.2, 0.3, 1.7, 2.2, 15.9):
        place = np.clip(c, -16, 16) + 8 * np.clip(c, -2, 2) + 64 * np.clip(c, -0.25, 0.25)
        assert np.searchsorted(EDGES, c, side="right") == np.floor((place + 64) * 8), c


@pytest.mark.soak
@pytest.mark.parametrize(("columns", "told_of"), [((1, 2, 3), ("train",)), ((0, 1, 2, 3, 4), ())])
def test_of_a_fit_of_split_columns(columns: tuple[int, ...], told_of: tuple[str, ...]) -> None:
    """As of the same fit in the clear; nothing is told of few rows, nor of a model that makes few mistakes."""
    x, y = breast_cancer()
    own, how = divided(x[:, columns], y, [1, len(columns) - 1], 1, metrics=True, calibration=5, **HOW)
    found, revealed = run(own, how)
    assert found.calibration is not None and set(found.calibration) == {"train", "test"}
    assert {"withheld cells", "calibration"} <= set(revealed) and "tenths of risk" not in revealed
    rows = joined(own)
    fit = fit_ml(rows.x_train, rows.y_train).coefficients
    for name, some, labels in (("train", rows.x_train, rows.y_train), ("test", rows.x_test, rows.y_test)):
        z = some @ fit[:-1] + fit[-1]
        assert told(found.calibration[name]) == wanted(z, labels, tenth_in_bins(z), 1)
        assert (len(found.calibration[name]) >= 3) == (name in told_of)
    expected = sum(one.expected for one in found.calibration["train"])
    assert found.metrics is not None
    assert expected == pytest.approx(found.metrics["train"]["positives"] * len(told_of), abs=0.05)
