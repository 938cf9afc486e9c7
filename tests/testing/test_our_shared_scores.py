"""The metrics of rows whose scores are shared, and what they are made of, under all four checks of the kit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, reals, words
from protocols.exact_floor import floor
from protocols.logistic_series import ANGLE_SCALE, LARGEST, logistic_parts
from protocols.metrics import Scored, local_sums
from protocols.shared_histogram import BINS, DIGITS, histograms
from protocols.shared_scores import SCORE_SCALE, SharedScores, evaluate_shared
from protocols.twin import TwinModel, twin_metrics
from tests.testing.spoken import Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

WORD = 8
KEYS = ("rows", "positives", "accuracy", "auc", "log_loss", "brier")
BITS = 20


def _logistic_twin(z: Array) -> Array:
    sigma = 1 / (1 + np.exp(-z))
    return np.stack((sigma - 0.5, sigma * (1 - sigma), np.logaddexp(0, z) - z / 2))


async def _floor(p: Party, u: Share) -> Share:
    return await floor(p, u, BITS)


async def _histograms(p: Party, u: Share, y: Share) -> tuple[Share, Share]:
    return await histograms(p, u.shifted(24).at_scale(54), y)


def _histograms_twin(u: Array, y: Array) -> tuple[Array, Array]:
    bins = np.floor(u).astype(int) + BINS // 2
    return np.bincount(bins, minlength=BINS), np.bincount(bins, y, BINS)


async def _evaluate(p: Party, z: Share, y: Share) -> tuple[Array, ...]:
    scores = z.shifted(SCORE_SCALE).at_scale(SCORE_SCALE)
    found = await evaluate_shared(p, {"test": SharedScores(scores, scores, y)})  # its bins lie around 0
    return () if p.dry else tuple(np.array(_or_less(found["test"][key])) for key in KEYS)


def _evaluate_twin(z: Array, y: Array) -> tuple[Array, ...]:
    """Whole numbers have bins of their own, up to 16."""
    model = TwinModel(np.array([1.0, 0.0]), np.zeros(1), np.ones(1), 0.0, 0.0)
    wanted = twin_metrics(model, z[:, np.newaxis], y)
    wanted["auc"] = twin_metrics(model, np.clip(z, -LARGEST, LARGEST)[:, np.newaxis], y)["auc"]
    loss, brier = local_sums(Scored(z, y))[4:] / len(y)
    wanted |= {"log_loss": loss, "brier": brier}
    return tuple(np.array(_or_less(wanted[key])) for key in KEYS)


def _or_less(value: Any) -> float:
    return -1.0 if value is None else float(value)


def floor_bytes(m: int) -> int:
    return m * WORD + m * 29 + -(-m // 8)


def floor_dealt(m: int) -> int:
    return m * 2 * WORD + m * 19 + m * WORD


def histogram_bytes(m: int) -> int:
    return floor_bytes(m) + (1 + 2 * (DIGITS + 1) + 2 * 3 * DIGITS) * m * WORD


def histogram_dealt(m: int) -> int:
    return floor_dealt(m) + (2 + 2) * DIGITS * m * WORD + 2 * BINS * WORD


def evaluate_bytes(m: int) -> int:
    compared = 9 * m * (WORD + 29)
    chosen = m + 8 * m * WORD + -(-m // 8)
    quality = (m + 4 * m + 2) * WORD
    return compared + chosen + quality + histogram_bytes(m) + (2 * BINS + 8) * WORD


def evaluate_dealt(m: int) -> int:
    compared = 9 * m * (WORD + 19)
    chosen = (2 * 8 + 1) * m * WORD
    quality = (48 * m + 3 + 4) * WORD
    return compared + chosen + quality + histogram_dealt(m) + 2 * WORD


OURS = {
    "logistic parts": Spoken(
        logistic_parts,
        _logistic_twin,
        [reals(("m",), scale=ANGLE_SCALE, largest=LARGEST)],
        4e-5,
        1,
        2 * WORD,
        2 * 48 * WORD,
        {"m": 2},
    ),
    "floor": Spoken(
        _floor,
        lambda u: u >> np.uint64(BITS) << np.uint64(BITS),
        [words(("m",))],
        None,
        8,
        floor_bytes(3),
        floor_dealt(3),
        {"m": 3},
        view_sizes={"m": 128},
    ),
    "histograms": Spoken(
        _histograms,
        _histograms_twin,
        [reals(("m",), scale=30, largest=BINS / 2 - 1), integers(("m",), 0, 1)],
        2.0**-30,
        11,
        histogram_bytes(3),
        histogram_dealt(3),
        {"m": 3},
        view_sizes={"m": 1},
        structure="by round",
        words=400,
        shift=0.6,
        examples=15,
        every=9,
    ),
    "shared metrics": Spoken(
        _evaluate,
        _evaluate_twin,
        [integers(("m",), -40, 40), integers(("m",), 0, 1)],
        4e-5,
        22,
        evaluate_bytes(3),
        evaluate_dealt(3),
        {"m": 3},
        secrets=lambda _: [
            ([[1.0, -2.0, 3.0], [1.0, 0.0, 1.0]], [[3.0, -2.0, 1.0], [1.0, 0.0, 1.0]]),
            ([[5.0, 5.0, -20.0], [1.0, 0.0, 1.0]], [[5.0, 5.0, -20.0], [0.0, 1.0, 1.0]]),
            ([[5.0, 20.0, -2.0], [1.0, 0.0, 1.0]], [[-2.0, 20.0, 5.0], [1.0, 0.0, 1.0]]),
            ([[2.0, 4.0, -2.0], [1.0, 0.0, 1.0]], [[4.0, -2.0, 2.0], [0.0, 1.0, 1.0]]),
        ],
        view_sizes={"m": 3},
        structure="by round",
        words=100,
        shift=0.8,
        examples=10,
        every=23,
    ),
}
every_one = pytest.mark.parametrize("name", OURS)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", ["logistic parts", "floor"])
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


@pytest.mark.soak
def test_view_of_histograms() -> None:
    hold_to_view(OURS["histograms"], 2)


@pytest.mark.soak
def test_view_of_metrics() -> None:
    hold_to_view(OURS["shared metrics"], 2)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
