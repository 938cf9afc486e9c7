"""The parts together, without a network: what they learn is what the same data teach in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from protocols.federated.coding import Layout, Part, clip, mean_update, scale_for
from protocols.federated.draws.sample import cohort
from protocols.federated.draws.split import by_labels, by_quantity
from protocols.federated.local import Local, Training, update_of
from protocols.federated.models import Model, Rows, model_of
from protocols.federated.optimise import Moments, fed_adam, fed_avg, no_moments

SEED = bytes(range(32))
Server = Callable[[Array, Array, Moments], tuple[Array, Moments]]
PLAIN: Server = partial(fed_avg, rate=1.0, momentum=0.0)


def stream(label: str) -> Stream:
    return Stream(derive(SEED, label))


def table(rows: int, seed: int = 0) -> Rows:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, 5))
    odds = x @ [1.5, -1.0, 0.5, 0.0, 0.8] - 0.3
    return Rows(x, (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64))


def learn(
    model: Model,
    clients: list[Rows],
    rounds: int,
    how: Local,
    server: Server = PLAIN,
    size: int = 0,
    tau: float = 0.0,
    norm: float = 10.0,
    precision: float = 1e-7,
) -> tuple[Array, float]:
    """The model after so many rounds of cohorts of this size (0: all), weighted by rows; and the largest rounding."""
    most = max(rows.y.size for rows in clients)
    size = size or len(clients)
    scale = scale_for(precision, norm, size, 1 / most)
    layout = Layout((Part("update", model.size, -norm, norm, scale), Part("rows", 1, 0, most)), size)
    w, moments, largest = model.start(stream("start")), no_moments(model.size, tau), 0.0
    for t in range(1, rounds + 1):
        total = np.zeros(layout.length, dtype=np.uint64)
        for k in cohort(SEED, t, len(clients), size):
            update, _ = clip(update_of(Training(model, how, stream(f"{t}/{k}")), w, clients[k]), norm)
            count = clients[k].y.size
            total += layout.encode({"update": update * (count / most), "rows": np.array([count])})[0]
        sums = layout.decode(total & np.uint64((1 << layout.bits) - 1), size)
        mean, error = mean_update(sums["update"], sums["rows"][0] / most, norm, layout.bound("update", size))
        w, moments = server(w, mean, moments)
        largest = max(largest, error)
    return w, largest


def dealt(rows: Rows, parts: list[Array]) -> list[Rows]:
    return [rows.of(part) for part in parts]


@pytest.mark.parametrize("name, classes", [("linear", 1), ("logistic", 2), ("mlp", 2)])
def test_one_step_on_all_rows_is_pooled_descent(name: str, classes: int) -> None:
    """FedSGD: the mean of the clients' steps, weighted by rows, is the step on all rows; exact to the rounding."""
    model = model_of(name, 5, classes, (4,) if name == "mlp" else ())  # type: ignore[arg-type]
    pooled = table(300)
    clients = dealt(pooled, by_quantity(300, 7, 0.5, stream("split")))
    found, error = learn(model, clients, rounds=10, how=Local(epochs=1, batch_size=0, rate=0.2))
    w = model.start(stream("start"))
    for _ in range(10):
        w = w - 0.2 * model.gradient(w, pooled)
    assert 0 < error < 1e-6
    assert np.max(np.abs(found - w)) < 20 * error  # of ten rounds, and what an error moves later gradients by


SERVERS: dict[str, tuple[Server, Local, float]] = {
    "FedAvg": (PLAIN, Local(epochs=2, batch_size=16, rate=0.05), 0.0),
    "FedAvgM": (partial(fed_avg, rate=0.3, momentum=0.7), Local(epochs=2, batch_size=16, rate=0.05), 0.0),
    "FedProx": (PLAIN, Local(epochs=2, batch_size=16, rate=0.05, proximal=0.1), 0.0),
    "FedAdam": (
        partial(fed_adam, rate=0.1, beta1=0.9, beta2=0.99, tau=1e-3),
        Local(epochs=2, batch_size=16, rate=0.05),
        1e-3,
    ),
}


@pytest.mark.parametrize("method", SERVERS)
def test_clients_of_unlike_labels_learn_the_pooled_model(method: str) -> None:
    """20 clients by Dirichlet 0.1, half of them a round: the AUC on other rows is that of the pooled fit."""
    server, how, tau = SERVERS[method]
    model, pooled, others = model_of("logistic", 5, 2), table(2000), table(4000, seed=1)
    clients = dealt(pooled, by_labels(pooled.y, 20, 0.1, stream("split")))
    found, _ = learn(model, clients, 40, how, server, size=10, tau=tau)
    best = model.start(stream("start"))
    for _ in range(300):
        best = best - 1.0 * model.gradient(best, pooled)
    federated, central = (roc_auc_score(others.y, model.scores(w, others.x)) for w in (found, best))
    assert central > 0.85 and federated > central - 0.01
