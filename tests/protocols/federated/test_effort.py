"""The planned memory of a client's work is what its arrays take; the planned time is of the right order."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from protocols.federated.coding import Layout, Part
from protocols.federated.effort import effort
from protocols.federated.local import Local, train
from protocols.federated.models import Network, Rows, model_of

SHAPES = [
    (50, 20, 2, (), 10),
    (3000, 20, 2, (), 0),
    (500, 20, 10, (64, 32), 32),
    (400, 300, 10, (100,), 16),
    (5000, 60, 3, (), 64),
]
every_shape = pytest.mark.parametrize("n, p, classes, hidden, batch", SHAPES)


def case(n: int, p: int, classes: int, hidden: tuple[int, ...]) -> tuple[Network, Rows, np.ndarray]:
    draw = np.random.default_rng(n)
    name = "mlp" if hidden else "logistic" if classes == 2 else "multinomial"
    model = model_of(name, p, classes, hidden)  # type: ignore[arg-type]
    rows = Rows(draw.normal(size=(n, p)), draw.integers(0, classes, n).astype(np.float64))
    return model, rows, model.start(Stream(bytes(32)))


@every_shape
def test_the_planned_memory_is_enough(n: int, p: int, classes: int, hidden: tuple[int, ...], batch: int) -> None:
    """And less than twice what is held."""
    model, rows, w = case(n, p, classes, hidden)
    how = Local(1, batch, 0.01, l2=0.1, proximal=0.1)
    layout = Layout((Part("update", model.size, -1, 1, 2.0**20), Part("rows", 1, 0, n)), 50)
    train(model, w, rows, how, Stream(bytes(32)))  # what is loaded and cached once
    tracemalloc.start()
    try:
        update = train(model, w, rows, how, Stream(bytes(32))) - w
        layout.encode({"update": update, "rows": np.array([n])})
        held = tracemalloc.get_traced_memory()[1] + rows.x.nbytes + rows.y.nbytes
    finally:
        tracemalloc.stop()
    planned = effort(model, n, how, layout.length).bytes
    assert held <= planned + 20_000 < 2 * held + 60_000  # Python's own objects are not planned


@pytest.mark.speed
@every_shape
def test_the_planned_time_is_of_the_order(n: int, p: int, classes: int, hidden: tuple[int, ...], batch: int) -> None:
    model, rows, w = case(n, p, classes, hidden)
    how = Local(3, batch, 0.01)
    took = []
    for _ in range(5):
        began = time.thread_time()
        train(model, w, rows, how, Stream(bytes(32)))
        took.append(time.thread_time() - began)
    planned = effort(model, n, how, 0).seconds
    assert planned / 10 < min(took) < 10 * planned


def test_a_coded_vector_of_a_large_model_is_planned() -> None:
    """Where a client has few rows, its vector is what takes most."""
    layout = Layout((Part("update", 200_000, -1, 1, 2.0**20),), 50)
    update = np.random.default_rng(0).uniform(-1, 1, 200_000)
    tracemalloc.start()
    try:
        layout.encode({"update": update})
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    coded = effort(Network((1, 1), "squared"), 1, Local(1, 0, 0.1), 200_000).bytes
    assert held <= coded < 2 * held


def test_a_client_without_rows_does_no_steps() -> None:
    assert effort(Network((3, 1), "squared"), 0, Local(5, 0, 0.1), 0).seconds == 0
