"""The main job end to end: the reference's model and metrics, for any number of owners and every setting.

The kit's four checks of it are in tests/testing; here is what they cannot express: settings, owners with different
numbers of rows, the demo's patients, and long trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError, UsageError
from mpc.runtime.lockstep import Outcome
from mpc.runtime.plan import Plan, make_plan
from protocols.plain.logistic import ReferenceModel, pooled, reference_sets, weight_difference
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.training.form import choose_fit, constants_digest
from protocols.training.rows_job import training_job
from tests.examples import steady
from tests.helpers import assert_metrics, demo_tables, example_tables, job, owner_names, train

Tables = Mapping[str, tuple[np.ndarray, np.ndarray]]


def compare(own: dict[str, OwnRows], how: TrainingSettings, seed: int = 0) -> tuple[Trained, ReferenceModel, Outcome]:
    """Train; every owner has the same model, and metrics as the reference's, row for row and to within 0.005."""
    outcome = train(own, how, seed)
    models = list(outcome.results.values())
    assert all(model == models[0] for model in models)
    reference = pooled(list(own.values()), how)
    if how.metrics:
        assert_metrics(models[0].metrics, reference_sets(reference, list(own.values())))
    return models[0], reference, outcome


@pytest.mark.parametrize("seed", range(20))
def test_the_demo_is_the_reference_over_twenty_seeds(seed: int) -> None:
    own, how = job(demo_tables(), seed)
    model, reference, outcome = compare(own, how, seed)
    assert how.step_count == 40
    assert weight_difference(model, reference) < 1e-4
    assert [r.what for r in outcome.reveals] == [
        "feature means",
        "feature standard deviations",
        "range check",
        "model",
        "metric sums (train)",
        "metric sums (test)",
        "AUC pairs (train)",
        "AUC pairs (test)",
    ]


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_any_number_of_owners(n: int, seed: int) -> None:
    own, how = job(example_tables([25 + 13 * k for k in range(n)], 6, 10 * n + seed), seed, batch_size=32)
    model, reference, _ = compare(own, how, seed)
    assert weight_difference(model, reference) < 1e-4


@pytest.mark.parametrize(
    ("tables", "changes"),
    [
        pytest.param(example_tables([60, 50], 4, 1), {"l2": 0.01}, id="l2"),
        pytest.param(example_tables([60, 50], 4, 1), {"l2": 0.5, "sigmoid_range": 245.0}, id="strong l2, wide range"),
        pytest.param(
            example_tables([60, 50], 4, 2), {"standardise": False, "learning_rate": 0.1}, id="as the data are"
        ),
        pytest.param(example_tables([60, 50], 4, 3), {"batch_size": 1000}, id="batch larger than the data"),
        pytest.param(example_tables([12, 9], 3, 4), {"batch_size": 1, "epochs": 3}, id="batch of 1"),
        pytest.param(example_tables([60, 50], 4, 5), {"test_fraction": 0.0}, id="nothing held out"),
        pytest.param(example_tables([60, 50], 4, 6), {"metrics": False}, id="no metrics"),
        pytest.param(example_tables([3, 2], 2, 7), {"batch_size": 2, "test_fraction": 0.0}, id="five rows"),
        pytest.param(example_tables([1, 1], 1, 8), {"test_fraction": 0.0}, id="two rows"),
        pytest.param(example_tables([40, 1], 2, 9), {"batch_size": 16}, id="an owner with one row"),
        pytest.param(example_tables([40, 0], 2, 10), {"batch_size": 16}, id="an owner with none"),
        pytest.param(example_tables([60, 50], 4, 11), {"learning_rate": 0.0}, id="rate 0"),
        pytest.param(example_tables([60, 50], 4, 12), {"sigmoid_range": 21.0}, id="narrow range"),
        pytest.param(example_tables([60, 50], 4, 13), {"sigmoid_range": 110.0}, id="wide range"),
        pytest.param(example_tables([60, 50], 1, 14), {}, id="one feature"),
        pytest.param(example_tables([60, 50], 40, 15), {}, id="many features"),
    ],
)
def test_every_setting(tables: Tables, changes: dict[str, Any]) -> None:
    own, how = job(tables, **{"batch_size": 32, **changes})
    model, reference, outcome = compare(own, how)
    assert weight_difference(model, reference) < (1e-4 if how.l2 < 0.1 else 1e-3)
    assert (model.metrics is None) == (not how.metrics)
    whats = [r.what for r in outcome.reveals]
    assert ("feature means" in whats) == how.standardise
    assert any("metric" in what for what in whats) == how.metrics


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_only(label: float) -> None:
    tables = {name: (x, np.full(len(y), label)) for name, (x, y) in example_tables([30, 20], 3, 16).items()}
    model, reference, _ = compare(*job(tables, batch_size=16))
    assert model.metrics is not None and model.metrics["train"]["auc"] is None
    assert weight_difference(model, reference) < 1e-4


@steady(15)
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(1, 40),
    st.floats(0, 0.6),
    st.floats(-6, 8),
    st.integers(0, 10_000),
)
def test_any_shape_and_scale(rows: list[int], d: int, batch: int, fraction: float, size: float, seed: int) -> None:
    tables = example_tables([12, *rows], d, seed)
    scaled = {name: (x * 10.0**size, y) for name, (x, y) in tables.items()}
    model, reference, _ = compare(*job(scaled, seed, fraction, batch_size=batch, epochs=2), seed)
    assert weight_difference(model, reference) < 2e-4


def test_weights_are_in_the_units_of_the_data() -> None:
    own, how = job(demo_tables())
    model, reference, _ = compare(own, how)
    x = np.concatenate([o.x_test for o in own.values()])
    np.testing.assert_allclose(x @ np.array(model.weights) + model.intercept, reference.scores(x), atol=2e-3)
    assert model.features == own["hospital_a"].names


@pytest.mark.soak
def test_five_thousand_steps_at_rate_one_half() -> None:
    own, how = job(demo_tables(), epochs=1250)
    assert how.step_count == 5000
    model, reference, _ = compare(own, how)
    assert reference.largest_score > 90
    assert weight_difference(model, reference) < 1e-3


def test_a_column_that_does_not_fit_is_named() -> None:
    tables = example_tables([30, 20], 3, 18)
    tables["owner1"][0][:, 1] = 5000.0
    with pytest.raises(DataError, match="owner1: column x1 has values beyond 1024") as caught:
        train(*job(tables, standardise=False))
    assert "standardise" in caught.value.hint


def test_an_owner_with_rows_close_to_the_mean_takes_part() -> None:
    tables = example_tables([40, 30], 2, 20)
    tables["owner1"][0][:, 0] = tables["owner0"][0][:, 0].mean() + 1e-4 * np.arange(30)
    model, reference, _ = compare(*job(tables, batch_size=16))
    assert weight_difference(model, reference) < 1e-4


def test_a_column_too_small_for_fixed_point_is_named() -> None:
    tables = example_tables([30, 20], 3, 19)
    for x, _ in tables.values():
        x[:, 2] *= 1e-6
    with pytest.raises(DataError, match="column x2 has values too small"):
        train(*job(tables, standardise=False))


def test_the_range_is_chosen_from_how_far_the_training_goes() -> None:
    def chosen(epochs: int, sigmoid_range: float | None = None) -> float:
        _, how = job(demo_tables(), epochs=epochs, sigmoid_range=sigmoid_range)
        return choose_fit(how).reach

    assert [chosen(10), chosen(100), chosen(1250)] == [53.0, 117.0, 245.0]
    assert chosen(10, 200.0) == 245.0
    with pytest.raises(UsageError, match="sigmoid_range"):
        chosen(10, 300.0)


def test_the_plan_needs_no_data_and_tells_settings_apart() -> None:
    own, how = job(demo_tables())
    _, other = job(demo_tables(), learning_rate=0.25)

    def planned(settings: TrainingSettings) -> Plan:
        return make_plan(
            lambda p: training_job(p, None, settings), settings.owners, "helper", constants_digest(settings)
        )

    plans = [planned(settings) for settings in (how, how, other)]
    assert plans[0].digest == plans[1].digest != plans[2].digest
    outcome = train(own, how)
    assert outcome.plan.rounds == plans[0].rounds
    assert len(plans[0].rounds) == 2 + 1 + 3 * 40 + 10 + 1 + 2


def test_the_auc_of_rows_far_from_zero() -> None:
    """Without standardisation the scores lie far from the intercept; the bins follow them."""
    rng = np.random.default_rng(5)
    tables = {}
    for owner, rows in zip(owner_names(2), (150, 120), strict=True):
        x = rng.normal(7.4, 0.05, size=(rows, 1))
        tables[owner] = (x, (rng.uniform(size=rows) < 1 / (1 + np.exp(-40 * (x[:, 0] - 7.4)))).astype(float))
    own, how = job(tables, standardise=False, learning_rate=0.05)
    trained = next(iter(train(own, how).results.values()))
    reference = reference_sets(pooled([own[owner] for owner in how.owners], how), [own[owner] for owner in how.owners])
    for name in ("train", "test"):
        assert abs(trained.metrics[name]["auc"] - reference[name]["auc"]) <= 0.005
