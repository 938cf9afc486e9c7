"""Personal models: what lambda does, who is best where rows are dealt by labels, and the sums that tell."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from protocols.federated.coding import Layout
from protocols.federated.draws.split import by_labels
from protocols.federated.local import Local
from protocols.federated.models import Model, Rows, model_of
from protocols.federated.personal import (
    Comparison,
    Kind,
    Own,
    PersonalFigures,
    alone,
    best_of,
    ditto,
    fine_tune,
    gain,
    held_out,
    own_figures,
    personal_figures,
    personal_parts,
    personal_sums,
)

KINDS: tuple[Kind, ...] = ("alone", "global", "fine-tuned", "ditto")
HOW = Comparison(KINDS, (-0.1, 0.0, 0.1), classes=True, most_rows=1000)
ALL = Local(epochs=300, batch_size=0, rate=0.5)


def stream(label: str) -> Stream:
    return Stream(derive(bytes(32), label))


@pytest.fixture
def rows() -> Rows:
    draw = np.random.default_rng(5)
    x = draw.normal(size=(80, 3))
    return Rows(x, (x @ [1.0, -1.0, 0.5] + draw.logistic(size=80) > 0.3).astype(np.float64))


MODEL: Model = model_of("logistic", 3, 2)
W = np.array([-0.5, 0.5, 0.5, 0.0])


def test_ditto_solves_its_penalised_problem(rows: Rows) -> None:
    for lam in (0.1, 1.0, 30.0):
        v = ditto(MODEL, W, rows, Local(epochs=3000, batch_size=0, rate=0.5), lam, stream("a"))
        assert np.abs(MODEL.gradient(v, rows) + lam * (v - W)).max() < 1e-9


def test_a_large_lambda_leaves_the_global_model(rows: Rows) -> None:
    near = [np.abs(ditto(MODEL, W, rows, ALL, lam, stream("a")) - W).max() for lam in (1.0, 1e3, 1e9)]
    assert near[0] > 100 * near[1] > 1e5 * near[2]


def test_lambda_of_0_is_fine_tuning(rows: Rows) -> None:
    how = Local(epochs=5, batch_size=16, rate=0.3)
    tuned = fine_tune(MODEL, W, rows, how, stream("a"))
    assert np.array_equal(ditto(MODEL, W, rows, how, 0.0, stream("a")), tuned)
    assert not np.array_equal(tuned, W)


def test_trained_to_the_end_fine_tuning_forgets_its_start(rows: Rows) -> None:
    how = Local(epochs=3000, batch_size=0, rate=1.0)
    own = alone(MODEL, rows, how, stream("a"))
    assert np.abs(fine_tune(MODEL, W, rows, how, stream("b")) - own).max() < 1e-6


def test_proximal_training_is_no_part_of_the_other_two(rows: Rows) -> None:
    how = Local(epochs=5, batch_size=16, rate=0.3, proximal=5.0)
    plain = Local(epochs=5, batch_size=16, rate=0.3)
    assert np.array_equal(fine_tune(MODEL, W, rows, how, stream("a")), fine_tune(MODEL, W, rows, plain, stream("a")))
    assert np.array_equal(alone(MODEL, rows, how, stream("a")), alone(MODEL, rows, plain, stream("a")))


def test_held_out_rows_are_drawn_once_and_apart() -> None:
    train, out = held_out(50, 0.2, stream("a"))
    assert sorted([*train, *out]) == list(range(50)) and len(out) == 10
    assert np.array_equal(held_out(50, 0.2, stream("a"))[1], out)
    assert not np.array_equal(held_out(50, 0.2, stream("b"))[1], out)
    assert [len(one) for one in held_out(1, 0.9, stream("a"))] == [1, 0]
    assert [len(one) for one in held_out(0, 0.2, stream("a"))] == [0, 0]


def test_the_best_model_is_of_the_highest_accuracy() -> None:
    own: dict[Kind, Own] = {
        "alone": Own(10, 0.1, 0.7),
        "global": Own(10, 0.9, 0.8),
        "fine-tuned": Own(10, 0.5, 0.8),
        "ditto": Own(10, 0.5, 0.8),
    }
    assert best_of(own, HOW) == "fine-tuned"
    assert gain(own["alone"], own["global"]) == pytest.approx(-0.1)
    numbers: dict[Kind, Own] = {"alone": Own(10, 0.1, None), "global": Own(10, 0.9, None)}
    assert best_of(numbers, Comparison(("global", "alone"), (0.0,), False, 10)) == "alone"
    assert gain(numbers["alone"], numbers["global"]) == pytest.approx(0.8)


def test_gains_stand_in_the_bin_of_their_edges() -> None:
    for value, place in ((-0.2, 0), (-0.1, 1), (-0.05, 1), (0.0, 2), (0.1, 3), (0.5, 3)):
        own: dict[Kind, Own] = dict.fromkeys(KINDS, Own(10, 1.0, 0.0))
        own["ditto"] = Own(10, 1.0, value)
        assert np.argmax(personal_sums(own, HOW)["gain of ditto"]) == place


def test_a_client_without_held_out_rows_adds_nothing() -> None:
    assert own_figures(MODEL, W, Rows(np.zeros((0, 3)), np.zeros(0)), 32.0, classes=True) is None
    sums = personal_sums(None, HOW)
    assert not any(one.any() for one in sums.values())
    assert personal_figures(sums, HOW).clients == 0


def mean_of(values: dict[Kind, list[float]]) -> dict[Kind, float]:
    """The mean of each model's values over all held-out rows."""
    return {kind: float(np.mean(each)) for kind, each in values.items()}


@cache
def compared(alpha: float) -> tuple[PersonalFigures, dict[Kind, float], dict[Kind, float]]:
    """20 clients with few rows, dealt by labels; a global model by averaging; the figures summed as coded."""
    draw = np.random.default_rng(11)
    centres = draw.normal(size=(6, 8)) * 0.9
    labels = draw.integers(0, 6, 1600)
    x = centres[labels] + draw.normal(size=(1600, 8))
    model = model_of("multinomial", 8, 6)
    clients: list[tuple[Rows, Rows]] = []
    for k, numbers in enumerate(by_labels(labels, 20, alpha, stream("split"))):
        every = Rows(x[numbers], labels[numbers].astype(np.float64))
        train, last = held_out(len(numbers), 0.5, stream(f"held out {k}"))
        clients.append((every.of(train[: max(2, len(train) // 4)]), every.of(last)))  # few to train on
    w: Array = np.zeros(model.size)
    for t in range(30):
        how = Local(epochs=1, batch_size=16, rate=0.1)
        found = [fine_tune(model, w, rows, how, stream(f"{t} {k}")) for k, (rows, _) in enumerate(clients)]
        w = np.average(found, axis=0, weights=[rows.y.size for rows, _ in clients])
    layout = Layout(personal_parts(HOW), 20)
    total = np.zeros(layout.length, dtype=np.uint64)
    right: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    lost: dict[Kind, list[float]] = {kind: [] for kind in KINDS}
    how = Local(epochs=10, batch_size=16, rate=0.1)
    for k, (few, out) in enumerate(clients):
        models: dict[Kind, Array] = {
            "alone": alone(model, few, how, stream(f"alone {k}")),
            "global": w,
            "fine-tuned": fine_tune(model, w, few, how, stream(f"tune {k}")),
            "ditto": ditto(model, w, few, how, 0.1, stream(f"ditto {k}")),
        }
        own = {kind: own_figures(model, v, out, 32.0, classes=True) for kind, v in models.items()}
        there = {kind: one for kind, one in own.items() if one is not None}
        total += layout.encode(personal_sums(there or None, HOW))[0].astype(np.uint64)
        for kind, one in there.items():
            right[kind] += [one.accuracy or 0.0] * one.rows
            lost[kind] += np.minimum(model.losses(models[kind], out), 32.0).tolist()
    sums = layout.decode(total & np.uint64((1 << layout.bits) - 1), 20)
    return personal_figures(sums, HOW), mean_of(right), mean_of(lost)


def test_personal_models_beat_the_global_one_on_own_labels() -> None:
    accuracy = compared(0.1)[0].accuracy
    assert accuracy is not None
    assert min(accuracy["fine-tuned"], accuracy["ditto"]) > accuracy["global"] + 0.05


def test_alone_is_worst_where_labels_are_alike_and_rows_few() -> None:
    accuracy = compared(10.0)[0].accuracy
    assert accuracy is not None
    assert accuracy["alone"] < min(accuracy["global"], accuracy["fine-tuned"], accuracy["ditto"]) - 0.02


def test_pooled_figures_are_those_of_the_clients() -> None:
    found, right, lost = compared(0.1)
    assert found.accuracy == pytest.approx(right)
    assert found.loss == pytest.approx(lost, abs=1e-6)
    assert sum(found.best.values()) == found.clients
    assert {sum(counts) for counts in found.gains.values()} == {found.clients}
    assert found.gains.keys() == {"alone", "fine-tuned", "ditto"}
