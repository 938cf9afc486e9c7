"""Whole jobs under the checks of the kit: trainings on split columns, and inference on split rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.testing import integers, own, reals
from protocols.accelerated_twin import accelerated_twin
from protocols.held import Rows
from protocols.inference_job import inference_job
from protocols.inference_twin import fit_ml
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, OwnRows
from protocols.rows.results import Trained
from protocols.training_settings import TrainingSettings
from protocols.twin import fit_twin
from protocols.vertical_inference import vertical_inference_job
from protocols.vertical_job import vertical_job
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

IDS = np.arange(DIGEST_BITS, dtype=np.uint8) % 2
SCALE = 8


def settings(p: Party, rows: tuple[int, ...], features: int, **changes: Any) -> TrainingSettings:
    given: dict[str, Any] = {"epochs": 2, "batch_size": sum(rows), "learning_rate": 0.5, "l2": 0.01, **changes}
    none = (0,) * len(rows)
    return TrainingSettings(
        p.owners, "helper", rows, none, features, 3, sigmoid_range=20.0, standardise=True, metrics=False, **given
    )


def columns_of(p: Party, x: Array, y: Array) -> OwnColumns:
    """One column an owner, and the labels at the first."""
    names: dict[str, tuple[str, ...]] = {owner: (f"x{k}",) for k, owner in enumerate(p.owners)}
    labels = y if p.index == 0 else y[:0]
    return OwnColumns(names, p.owners[0], x, labels, x[:0], labels[:0], IDS)


# -- a training on split columns: by gradient descent, its model opened; with momentum, its model kept

MOMENTUM = 0.5


def training(*, kept: bool) -> Any:
    async def run(p: Party, x: Array, y: Array) -> Any:
        solver: dict[str, Any] = {"solver": "nesterov", "iterations": 2, "momentum": MOMENTUM} if kept else {}
        how = settings(p, x.shape[:1], len(p.owners), partition="vertical", reveal_model=not kept, **solver)
        mine = None if p.dry else columns_of(p, decode(x, SCALE), y.astype(np.float64))
        trained = await vertical_job(p, mine, how)
        if trained is None:
            return None
        return trained.kept.weights if trained.kept else np.array([*trained.weights, trained.intercept])

    return run


def training_twin(*, kept: bool) -> Any:
    def fitted(x: tuple[Array, ...], y: tuple[Array, ...]) -> Array:
        rows = np.concatenate(x, axis=1)
        if (np.ptp(rows, axis=0) == 0).any():
            raise DataError("a constant column")
        every = Rows.of(np.arange(len(rows)))
        if kept:
            ready = np.c_[(rows - rows.mean(axis=0)) / rows.std(axis=0), np.ones(len(rows))]
            return accelerated_twin(ready, y[0], 2, 0.5, MOMENTUM, 0.01, None).weights
        model = fit_twin(rows, y[0], (every, every), 0.5, 0.01, standardise=True)
        return in_own_units(model.weights, model.mean, model.deviation)

    return fitted


def in_own_units(w: Array, mean: Array, deviation: Array) -> Array:
    return np.append(w[:-1] / deviation, w[-1] - (w[:-1] * mean / deviation).sum())


def any_other(n: int) -> Secrets:
    """Of one owner anything else: nothing is opened but that nothing left its range."""
    x = [[[1.0], [3.0], [2.0], [0.5]], [[-4.0], [4.0], [0.0], [1.0]], [[0.0], [0.0], [1.0], [2.0]]][:n]
    other = [[[7.0], [-3.0], [0.25], [0.0]], [[2.0], [2.5], [3.0], [-1.0]], [[5.0], [-5.0], [1.0], [4.0]]][:n]
    labels = [[0, 1, 0, 1]] * n
    moved = [[other[i] if i == k else column for i, column in enumerate(x)] for k in range(n)]
    return [([x, labels], [one, [[1, 1, 0, 0], *labels[1:]] if k == 0 else labels]) for k, one in enumerate(moved)]


# -- inference, near a public table that has a fit


LABELS = np.array([0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0])
STEPS = 6


def near(owner: int, moved: Array) -> Array:
    """The table's rows or column of an owner, a little moved."""
    base = np.cos((owner + 1.0) * np.arange(len(LABELS)))[:, np.newaxis]
    return base + moved


def told(found: Trained | None) -> Any:
    """Coefficients and standard errors."""
    if found is None:
        return None
    assert found.inference is not None
    table = found.inference.table
    return np.array([row.coefficient for row in table]), np.array([row.se for row in table])


def inferring(how: str) -> Any:
    async def run(p: Party, moved: Array) -> Any:
        rows = (len(LABELS),) * len(p.owners)
        asked = settings(p, rows, 1, inference=how, solver="irls", iterations=STEPS)
        if p.dry:
            return await inference_job(p, None, asked)
        x, y = near(p.index, decode(moved, SCALE)), np.roll(LABELS, p.index).astype(np.float64)
        return told(await inference_job(p, OwnRows(("x0",), x, y, x[:0], y[:0]), asked))

    return run


def inferring_twin(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    rows = np.concatenate([near(k, moved) for k, moved in enumerate(parts)])
    return fitted(rows, np.concatenate([np.roll(LABELS, k) for k in range(len(parts))]))


def fitted(x: Array, y: Array) -> tuple[Array, Array]:
    found = fit_ml(x, y)
    assert found.converged
    return found.coefficients, np.sqrt(np.diag(found.covariance))


async def inferring_vertically(p: Party, moved: Array) -> Any:
    rows = (len(LABELS),)
    asked = settings(p, rows, len(p.owners), partition="vertical", inference="shared", solver="irls", iterations=STEPS)
    if p.dry:
        return await vertical_inference_job(p, None, asked)
    mine = columns_of(p, near(p.index, decode(moved, SCALE)), LABELS.astype(np.float64))
    return told(await vertical_inference_job(p, mine, asked))


def inferring_vertically_twin(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    return fitted(np.concatenate([near(k, moved) for k, moved in enumerate(parts)], axis=1), LABELS)


COLUMN, LABELLED = own(reals(("m", 1), scale=SCALE, largest=8.0)), own(integers(("m",), 0, 1))
MOVED = own(reals((len(LABELS), 1), scale=SCALE, largest=0.25))


def columns(*, kept: bool, **how: Any) -> Spoken:
    return Spoken(
        training(kept=kept), training_twin(kept=kept), [COLUMN, LABELLED], 1e-3, sizes={"m": 4}, cost_owners=(2,),
        examples=12, every=17, **how,
    )  # fmt: skip


def inference(protocol: Any, twin: Any, **how: Any) -> Spoken:
    return Spoken(protocol, twin, [MOVED], 1e-5, owners=(2, 3), cost_owners=(2,), examples=4, every=101, **how)


# What the parts cost is checked part by part: here, that the plan says what their sum was.
OURS = {
    "training on columns": columns(kept=False, rounds=23, bytes=2070, dealt=5300),
    "training on columns, kept": columns(
        kept=True,
        rounds=31,
        bytes=1764,
        dealt=4792,
        secrets=any_other,
        view_sizes={"m": 4},
        words=100,
        shift=0.8,
        structure="by round",
    ),
    "inference, open": inference(inferring("open-fisher"), inferring_twin, rounds=9, bytes=1040, dealt=0),
    "inference": inference(inferring("shared"), inferring_twin, rounds=253, bytes=74811, dealt=143358),
    "inference on columns": inference(
        inferring_vertically, inferring_vertically_twin, rounds=258, bytes=127905, dealt=177975
    ),
}
LONG = ("inference", "inference on columns")
every_one = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in OURS]
)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.soak
@pytest.mark.parametrize("owners", [2, 3])
def test_view(owners: int) -> None:
    """Of a model that nobody sees: of one that is opened, no two secrets have the same."""
    hold_to_view(OURS["training on columns, kept"], owners)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
