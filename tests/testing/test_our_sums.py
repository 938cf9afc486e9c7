"""What is revealed as a sum of all owners' own rows, under all four checks: moments, the mean score, the metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own, reals
from protocols.auc_pairs import BUCKETS, count_pairs
from protocols.metrics import BINS, Bins, Scored, evaluate, mean_score
from protocols.standardise import SUM_RING, moments
from protocols.twin import TwinModel, twin_metrics
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

WORD = 8
WIDE = SUM_RING.word_bytes
KEYS = ("rows", "positives", "accuracy", "auc", "log_loss", "brier")


def number(p: Party, elements: Array, scale: int) -> Array:
    """An owner's own ring elements as float64."""
    return p.compute(lambda: elements.view(np.int64) / 2.0**scale, shape=elements.shape)


async def _moments(p: Party, x: Array) -> tuple[Array, Array]:
    real = number(p, x, 8)
    found = await moments(p, real, len(p.owners) * x.shape[0], tuple(f"x{k}" for k in range(x.shape[1])))
    return found.mean, found.deviation


def _moments_twin(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    x = np.concatenate(parts)
    if (x.min(axis=0) == x.max(axis=0)).any():
        raise DataError("a constant column")
    return x.mean(axis=0), x.std(axis=0)


async def _mean_score(p: Party, z: Array) -> Array:
    return await mean_score(p, Scored(number(p, z, 8), z), len(p.owners) * z.shape[0])


async def _auc(p: Party, mine: Array) -> Share:
    """Of histograms whose last two numbers are of buckets."""
    return await count_pairs(p, Share(mine[0]), Share(mine[1]), mine.shape[1] - 2)


def _auc_twin(parts: tuple[Array, ...]) -> Array:
    positives, negatives = np.sum(parts, axis=0)
    low, bins = negatives[:-2], positives[:-2]
    return np.array([bins @ (2 * np.cumsum(low) - low), bins @ low - positives[-2:] @ negatives[-2:]])


def _or_less(value: float | None) -> float:
    """Less than any metric, where one is undefined."""
    return -1.0 if value is None else float(value)


async def _evaluate(p: Party, z: Array, y: Array) -> tuple[Array, ...]:
    found = await evaluate(p, {"test": Scored(number(p, z, 0), y)}, Bins(0.0, 1.0))
    if p.dry:
        return ()
    return tuple(np.array(_or_less(found["test"][key])) for key in KEYS)


def _evaluate_twin(z: tuple[Array, ...], y: tuple[Array, ...]) -> tuple[Array, ...]:
    model = TwinModel(np.array([1.0, 0.0]), np.zeros(1), np.ones(1), 0.0, 0.0)
    wanted = twin_metrics(model, np.concatenate(z)[:, np.newaxis], np.concatenate(y))
    return tuple(np.array(_or_less(wanted[key])) for key in KEYS)


def traded(values: list[Any]) -> Secrets:
    """For each of three owners: the two others have each other's rows instead."""
    a, b, c = values
    return [([[a, b, c]], [[b, a, c]]), ([[a, b, c]], [[c, b, a]]), ([[a, b, c]], [[a, c, b]])]


# Sums of these, their means and squares are exact in floating point in any order.
ROWS = [[[1.0], [3.0]], [[5.0], [7.0]], [[2.0], [0.0]]]

OURS = {
    "moments": Spoken(
        _moments,
        _moments_twin,
        [own(reals(("m", "d"), scale=8, largest=1000.0))],
        1e-9,
        2,
        2 * 3 * WIDE,
        0,
        {"m": 2, "d": 3},
        secrets=lambda n: traded([np.tile(rows, 60) for rows in ROWS]),
        view_sizes={"m": 2, "d": 60},
        addends=True,
        words=1000,
        shift=0.3,
        structure="by round",  # every opening is a declared sum
    ),
    "mean score": Spoken(
        _mean_score,
        lambda parts: np.atleast_1d(np.mean(np.concatenate(parts))),
        [own(reals(("m",), scale=8, largest=1000.0))],
        1e-6,
        1,
        WORD,
        0,
        {"m": 2},
        secrets=lambda n: traded([[1.0, 3.0], [5.0, 7.0], [2.0, 0.0]]),
        view_sizes={"m": 2},
        addends=True,
        words=700,
        structure="by round",
    ),
    "AUC": Spoken(
        _auc,
        _auc_twin,
        [own(integers((2, "m"), 0, 1000))],
        0.0,
        1,
        6 * WORD,
        2 * WORD,
        {"m": 3},
        secrets=lambda n: traded([[[k]] * 2 for k in (1, 7, 100)]),
        view_sizes={"m": 60},
    ),
    "metrics": Spoken(
        _evaluate,
        _evaluate_twin,
        [own(integers(("m",), -40, 40)), own(integers(("m",), 0, 1))],
        1e-6,
        2,
        (6 + 2 * (BINS + BUCKETS) + 2) * WORD,
        2 * WORD,
        {"m": 5},
        examples=10,
        every=7,
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@pytest.mark.parametrize("name", OURS)
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize("name", [name for name in OURS if OURS[name].secrets])
def test_view(name: str) -> None:
    """Of three owners; of two, each learns the other's addend, and the plan says so."""
    hold_to_view(OURS[name], 3)


@pytest.mark.parametrize("name", OURS)
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
