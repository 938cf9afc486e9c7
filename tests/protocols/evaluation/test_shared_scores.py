"""Metrics of shared scores are the reference's: of every size, with ties, of more rows than are worked on at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Share
from protocols.evaluation import shared_scores
from protocols.evaluation.metrics import Scored, local_sums
from protocols.evaluation.shared_scores import SCORE_SCALE, SharedScores, evaluate_shared
from protocols.plain.logistic import ReferenceModel, reference_metrics
from tests.examples import steady
from tests.helpers import lockstep, owner_names


def found(sets: dict[str, tuple[np.ndarray, np.ndarray]], n: int, seed: int) -> dict[str, Any]:
    """The metrics of scores of which each owner has an arbitrary part; the last owner has the labels."""
    owners = owner_names(n)
    draw = np.random.default_rng(seed)
    parts = {name: [draw.normal(size=len(z)) * 50 for _ in owners[1:]] for name, (z, _) in sets.items()}
    centred = {name: [part - part.mean() for part in own] for name, own in parts.items()}
    for name, (z, _) in sets.items():
        parts[name], centred[name] = _divided(z, parts[name]), _divided(z - z.mean(), centred[name])

    def factory(k: int) -> ProgramFactory:
        def program(p: Party) -> Any:
            scored = {}
            for name, (z, y) in sets.items():
                labels = y.astype(np.uint64) if k == n - 1 else None
                share = Share(p.compute(lambda name=name: parts[name][k], shape=z.shape), SCORE_SCALE)
                middle = Share(p.compute(lambda name=name: centred[name][k], shape=z.shape), SCORE_SCALE)
                scored[name] = SharedScores(share, middle, p.input(owners[-1], labels, y.shape, 0))
            return evaluate_shared(p, scored)

        return program

    outcome = lockstep({name: factory(k) for k, name in enumerate(owners)}, seed)
    results = list(outcome.results.values())
    assert all(result == results[0] for result in results)
    sums = [f"{what} ({name})" for what in ("metric sums", "AUC pairs") for name in sets]
    assert sorted(item.what for item in outcome.reveals) == sorted(sums)
    return results[0]


def _divided(z: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    words = [encode(part, SCORE_SCALE) for part in parts]
    return [*words, encode(z, SCORE_SCALE) - np.sum(words, axis=0, dtype=np.uint64)]


def close(got: dict[str, Any], z: np.ndarray, y: np.ndarray, auc: float) -> None:
    z = np.rint(z * 2.0**SCORE_SCALE) / 2.0**SCORE_SCALE
    wanted = reference_metrics(ReferenceModel.in_own_units(np.array([1.0, 0.0])), z[:, np.newaxis], y)
    for key in ("rows", "positives", "accuracy", "confusion"):
        assert got[key] == wanted[key]
    assert (got["auc"] is None) == (wanted["auc"] is None)
    assert wanted["auc"] is None or abs(got["auc"] - wanted["auc"]) <= auc
    loss, brier = local_sums(Scored(z, y))[4:] / len(y)
    assert abs(got["log_loss"] - loss) < 4e-5 + 1e-7 * loss
    assert abs(got["brier"] - brier) < 4e-5


def labelled(z: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return (draw.uniform(size=len(z)) < 1 / (1 + np.exp(-np.clip(z, -99, 99)))).astype(np.float64)


@steady(25)
@given(st.integers(2, 5), st.integers(1, 60), st.floats(-2, 6), st.integers(0, 2**32))
def test_as_the_reference_for_scores_of_any_size(n: int, rows: int, size: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    z = draw.normal(size=rows) * 10**size
    y = labelled(z, draw)
    # Beyond 16 all are ties; between, pairs that share a bin are.
    close(found({"train": (z, y)}, n, seed % 1000)["train"], z, y, 1.0)


@pytest.mark.parametrize("spread", [0.01, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("middle", [-7.0, pytest.param(0.3, marks=pytest.mark.soak)])
def test_the_bins_cost_the_auc_little(spread: float, middle: float) -> None:
    draw = np.random.default_rng(round(spread * 100))
    sets = {}
    for name, rows in (("train", 2000), ("test", 500)):
        z = middle + spread * draw.normal(size=rows)
        y = (z + spread * draw.normal(size=rows) > middle).astype(np.float64)  # ranked well, however small the scores
        sets[name] = (z, y)
    got = found(sets, 2, 1)
    for name, (z, y) in sets.items():
        close(got[name], z, y, 2e-3 if spread < 0.1 else 1e-3)


def test_equal_scores_are_ties() -> None:
    z = np.array([0.37, -1.61, 5.003]).repeat(40)
    y = np.tile([0.0, 1.0, 1.0, 0.0, 1.0], 24)
    close(found({"test": (z, y)}, 3, 4)["test"], z, y, 0.0)


def test_more_rows_than_are_worked_on_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_scores, "CHUNK", 16)
    draw = np.random.default_rng(5)
    sets = {}
    for name, rows in (("train", 50), ("test", 16), ("other", 17)):
        z = np.rint(4 * draw.normal(size=rows))
        sets[name] = (z, labelled(z, draw))
    got = found(sets, 2, 6)
    for name, (z, y) in sets.items():
        close(got[name], z, y, 1e-12)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_auc(label: float) -> None:
    z = np.array([-30.0, 0.0, 1.0, 40.0])
    got = found({"test": (z, np.full(4, label))}, 2, 1)["test"]
    close(got, z, np.full(4, label), 0.0)
    assert got["auc"] is None
