"""Columns split over owners: the reference's model of the joined table, in both forms, for any number of owners."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.runtime.lockstep import Outcome
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from protocols.plain.logistic import ReferenceModel, pooled, reference_sets, weight_difference
from protocols.plain.logistic_columns import joined, vertical_comparison
from protocols.rows.own_rows import DIGEST_BITS, SAME_ROWS, OwnColumns, joint_names
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.training.batches import split
from protocols.training.columns_job import vertical_job
from protocols.training.form import automatic_rate, constants_digest
from tests.examples import steady
from tests.helpers import demo_tables, example_tables, lockstep, owner_names

IDS = np.arange(DIGEST_BITS, dtype=np.uint8) % 2


def divided(
    x: np.ndarray, y: np.ndarray, widths: list[int], target: int = 0, seed: int = 7, **changes: Any
) -> tuple[dict[str, OwnColumns], TrainingSettings]:
    """A table's columns dealt out to owners, so many each, and the labels to one of them."""
    owners = owner_names(len(widths))
    train, test = split(seed, SAME_ROWS, len(y), 0.2)
    ends = np.cumsum(widths)
    names = {
        owner: tuple(f"x{k}" for k in range(end - width, end))
        for owner, width, end in zip(owners, widths, ends, strict=True)
    }
    own = {}
    for k, (owner, width, end) in enumerate(zip(owners, widths, ends, strict=True)):
        mine, labels = x[:, end - width : end], y if k == target else y[:0]
        cut = (labels[train], labels[test]) if k == target else (labels, labels)
        own[owner] = OwnColumns(names, owners[target], mine[train], cut[0], mine[test], cut[1], IDS)
    given: dict[str, Any] = {
        "owners": owners,
        "helper": "helper",
        "train_rows": (len(train),),
        "test_rows": (len(test),),
        "features": x.shape[1],
        "seed": seed,
        "epochs": 10,
        "batch_size": 128,
        "learning_rate": 0.5,
        "l2": 0.0,
        "sigmoid_range": None,
        "standardise": True,
        "metrics": False,
        "partition": "vertical",
    }
    return own, TrainingSettings(**{**given, **changes})


def demo() -> tuple[np.ndarray, np.ndarray]:
    tables = demo_tables().values()
    return np.concatenate([x for x, _ in tables]), np.concatenate([y for _, y in tables])


def train(own: dict[str, OwnColumns], how: TrainingSettings, seed: int = 0) -> tuple[Trained, ReferenceModel, Outcome]:
    """Train; every owner has the same model, and measured is what was planned."""

    def factory(name: str) -> ProgramFactory:
        return lambda p: vertical_job(p, None if p.dry else own[name], how)

    outcome = lockstep({name: factory(name) for name in how.owners}, seed)
    models = list(outcome.results.values())
    assert all(model == models[0] for model in models)
    return models[0], pooled([joined(own)], how), outcome


def planned(how: TrainingSettings) -> Plan:
    return make_plan(lambda p: vertical_job(p, None, how), how.owners, "helper")


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_demos_columns_over_owners_give_the_references_model(n: int, form: str) -> None:
    widths = [30 // n + (k < 30 % n) for k in range(n)]
    own, how = divided(*demo(), widths, target=n - 1, seed=n, form=form)
    model, reference, outcome = train(own, how, n)
    assert weight_difference(model, reference) < 1e-4
    assert [r.what for r in outcome.reveals] == ["row alignment", "range check", "model"]
    assert model.features == joined(own).names
    assert model.standardised == ()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"l2": 0.01}, id="l2"),
        pytest.param({"standardise": False, "learning_rate": 0.1}, id="as the data are"),
        pytest.param({"batch_size": 1000}, id="batch larger than the data"),
        pytest.param({"form": "dual", "l2": 0.01}, id="dual with l2"),
    ],
)
@pytest.mark.parametrize("target", [0, 1, 2])
def test_every_setting_and_the_labels_with_anyone(changes: dict[str, Any], target: int) -> None:
    ((x, y),) = example_tables([70], 5, 3).values()
    own, how = divided(x, y, [2, 1, 2], target, **{"batch_size": 32, **changes})
    model, reference, _ = train(own, how)
    assert weight_difference(model, reference) < 1e-4
    assert bool(model.standardised) != bool(how.standardise)


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_an_owner_of_the_labels_alone_takes_part(form: str) -> None:
    ((x, y),) = example_tables([60], 4, 4).values()
    own, how = divided(x, y, [0, 4], 0, batch_size=16, form=form)
    model, reference, _ = train(own, how)
    assert weight_difference(model, reference) < 1e-4
    assert vertical_comparison(own, how, model)["alone"] == {}


@steady(12)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), st.integers(8, 60), st.floats(-6, 8), st.integers(0, 9999))
def test_any_shape_and_unit(widths: list[int], rows: int, size: float, seed: int) -> None:
    ((x, y),) = example_tables([rows], sum(widths), seed).values()
    own, how = divided(x * 10.0**size, y, widths, seed % len(widths), seed, batch_size=16, epochs=2)
    model, reference, _ = train(own, how, seed)
    assert weight_difference(model, reference) < 2e-4


@pytest.mark.parametrize(("n", "standardise"), [(2, True), (3, False), (5, True)])
def test_the_metrics_are_the_references(n: int, standardise: bool) -> None:
    x, y = demo()
    x = x if standardise else (x - x.mean(axis=0)) / x.std(axis=0)
    own, how = divided(x, y, [30 // n] * n, target=n - 1, seed=n, metrics=True, standardise=standardise)
    model, reference, outcome = train(own, how, n)
    wanted = reference_sets(reference, [joined(own)])
    assert model.metrics is not None and model.metrics.keys() == wanted.keys() == {"train", "test"}
    for name, got in model.metrics.items():
        assert got["confusion"] == wanted[name]["confusion"]
        for key, slack in (("log_loss", 2e-5), ("brier", 1e-5), ("auc", 1e-3)):
            assert abs(got[key] - wanted[name][key]) < slack, key
    sums = [f"{what} ({name})" for what in ("metric sums", "AUC pairs") for name in ("train", "test")]
    assert [r.what for r in outcome.reveals] == ["row alignment", "range check", "model", *sums]
    assert "own rows" not in " ".join(r.why for r in outcome.reveals)


def test_no_rows_held_out_are_no_test_metrics() -> None:
    ((x, y),) = example_tables([40], 4, 3).values()
    own, how = divided(x, y, [2, 2], metrics=True)
    own = {name: replace(one, x_test=one.x_test[:0], y_test=one.y_test[:0]) for name, one in own.items()}
    model, _, _ = train(own, replace(how, test_rows=(0,)))
    assert model.metrics is not None and model.metrics.keys() == {"train"}


@pytest.mark.parametrize(("size", "fits"), [(1e4, True), (1e30, False)])
def test_held_out_rows_far_off_are_counted_right_or_refused(size: float, fits: bool) -> None:
    ((x, y),) = example_tables([60], 4, 3).values()
    own, how = divided(x, y, [2, 2], metrics=True)
    far = own["owner1"].x_test.copy()
    far[0, 0] = size
    own["owner1"] = replace(own["owner1"], x_test=far)
    if not fits:
        with pytest.raises(DataError, match="owner1: 1 of the rows that the model is tried on have values too far"):
            train(own, how)
        return
    model, reference, _ = train(own, how)
    wanted = reference_sets(reference, [joined(own)])["test"]
    assert model.metrics is not None and model.metrics["test"]["confusion"] == wanted["confusion"]
    assert abs(model.metrics["test"]["brier"] - wanted["brier"]) < 4e-5


def test_the_plan_needs_no_data_nor_whose_column_is_which() -> None:
    ((x, y),) = example_tables([60], 6, 5).values()
    plans = []
    for widths, target in (([2, 4], 0), ([5, 1], 1)):
        own, how = divided(x, y, widths, target)
        _, _, outcome = train(own, how)
        plans.append(outcome.plan)
        assert outcome.plan == planned(how)
        assert constants_digest(how)
    assert plans[0] == plans[1]


def test_owners_whose_ids_differ_learn_that_and_stop() -> None:
    ((x, y),) = example_tables([40], 4, 7).values()
    own, how = divided(x, y, [1, 2, 1])
    other = own["owner1"]
    own["owner1"] = OwnColumns(
        other.names, other.target_owner, other.x_train, other.y_train, other.x_test, other.y_test, 1 - IDS
    )
    with pytest.raises(DataError, match="lists of ids differ"):
        train(own, how)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x * 0 + 5, "owner1: column x3 has the same value"),
        (lambda x: x * 1e-30, "owner1: column x3 has values too close to each other"),
    ],
)
def test_a_column_without_deviation_is_named_to_its_owner(change: Any, words: str) -> None:
    ((x, y),) = example_tables([40], 4, 8).values()
    x[:, 3] = change(x[:, 3])
    with pytest.raises(DataError, match=words):
        train(*divided(x, y, [2, 2]))


def test_columns_of_one_name_get_their_owners() -> None:
    assert joint_names({"a": ("age", "dose"), "b": ("dose", "size")}) == ("age", "a:dose", "b:dose", "size")
    assert joint_names({"a": ("x",), "b": ("a:x", "x")}) == ("a:x", "b:a:x", "b:x")
    assert joint_names({"a": ("x",), "b": ("y",)}) == ("x", "y")


@pytest.mark.parametrize("solver", ["nesterov", "newton"])
def test_the_full_batch_solvers_train_on_split_columns(solver: str) -> None:
    ((x, y),) = example_tables([70], 5, 3).values()
    rate = automatic_rate(solver, 5, 0.01)
    own, how = divided(x, y, [2, 1, 2], 1, solver=solver, iterations=15, momentum=0.5, learning_rate=rate, l2=0.01)
    model, reference, _ = train(own, how)
    assert weight_difference(model, reference) < 1e-4
