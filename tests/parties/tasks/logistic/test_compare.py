"""The comparison of a local run, held against the reference called on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, InternalError
from parties.scenario.file import Scenario
from parties.tasks.logistic.compare import compare
from parties.tasks.registry import load_scenario
from protocols.plain import logistic as reference
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training.batches import split
from tests.helpers import example_tables

OWNERS = ("east", "west")
SCENARIO = """
schema = 1
name = "pair"
seed = 11
[parties.east]
role = "owner"
data = "east.csv"
[parties.west]
role = "owner"
data = "west.csv"
[parties.helper]
role = "helper"
[task]
kind = "logistic_regression"
target = "ill"
test_fraction = {fraction}
epochs = 3
batch_size = 16
learning_rate = 0.25
l2 = 0.01
"""


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Two owners' files; the second has its columns in another order, and one more."""
    made = dict(zip(OWNERS, example_tables((40, 31), 3, seed=5).values(), strict=True))
    (x, y), (x2, y2) = made["east"], made["west"]
    rows = [",".join([*(repr(float(v)) for v in row), str(int(ill))]) for row, ill in zip(x, y, strict=True)]
    (tmp_path / "east.csv").write_text("\n".join(["age,size,dose,ill", *rows]) + "\n")
    rows = [
        ",".join([str(int(ill)), *(repr(float(v)) for v in row[::-1]), "0.5"]) for row, ill in zip(x2, y2, strict=True)
    ]
    (tmp_path / "west.csv").write_text("\n".join(["ill,dose,size,age,extra", *rows]) + "\n")
    return made


def scenario(folder: Path, fraction: float = 0.25) -> Scenario:
    path = folder / "pair.toml"
    path.write_text(SCENARIO.format(fraction=fraction))
    return load_scenario(path)


def record() -> dict[str, Any]:
    return {"model": {"features": ["age", "size", "dose"], "weights": [1.0, 2.0, 3.0], "intercept": 0.0}}


def own(tables: dict[str, tuple[np.ndarray, np.ndarray]], fraction: float = 0.25) -> dict[str, OwnRows]:
    rows = {}
    for owner, (x, y) in tables.items():
        train, test = split(11, owner, len(y), fraction)
        rows[owner] = OwnRows(("age", "size", "dose"), x[train], y[train], x[test], y[test])
    return rows


def settings(rows: dict[str, OwnRows]) -> TrainingSettings:
    return TrainingSettings(
        owners=OWNERS,
        helper="helper",
        train_rows=tuple(len(o.y_train) for o in rows.values()),
        test_rows=tuple(len(o.y_test) for o in rows.values()),
        features=3,
        seed=11,
        epochs=3,
        batch_size=16,
        learning_rate=0.25,
        l2=0.01,
        sigmoid_range=None,
        standardise=True,
        metrics=True,
    )


def test_it_is_what_the_reference_says(tmp_path: Path, tables: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    rows = own(tables)
    how = settings(rows)
    both = reference.pooled([rows["east"], rows["west"]], how)
    moved = both.weights.copy()
    moved[2] += 0.25
    got = compare(scenario(tmp_path), record(), list(moved))

    assert set(got) == {"alone", "pooled"}
    assert list(got["alone"]) == list(OWNERS)
    assert got["pooled"]["max_abs_weight_difference"] == pytest.approx(0.25, abs=1e-12)
    x_test = np.concatenate([rows[name].x_test for name in OWNERS])
    y_test = np.concatenate([rows[name].y_test for name in OWNERS])
    assert got["pooled"]["test"] == reference.reference_metrics(both, x_test, y_test)
    assert got["pooled"]["train"]["rows"] == sum(how.train_rows)
    for name in OWNERS:
        model = reference.alone(name, rows[name], how)
        assert got["alone"][name]["test"] == reference.reference_metrics(model, x_test, y_test)
        assert got["alone"][name]["train"] == reference.reference_metrics(model, rows[name].x_train, rows[name].y_train)
    # The owners' own models differ from each other, so a mix-up of their rows would show.
    assert got["alone"]["east"]["test"]["log_loss"] != got["alone"]["west"]["test"]["log_loss"]


def test_without_held_out_rows_there_are_no_test_metrics(
    tmp_path: Path, tables: dict[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    got = compare(scenario(tmp_path, fraction=0.0), record(), [0.0] * 4)
    assert set(got["alone"]["east"]) == {"train"}
    assert set(got["pooled"]) == {"train", "max_abs_weight_difference"}


@pytest.mark.parametrize("model", [None, {"features": ["age"], "weights": [1.0], "intercept": 0.0}])
def test_a_record_without_its_model_is_refused(tmp_path: Path, tables: object, model: Any) -> None:
    with pytest.raises(InternalError, match="no model to compare"):
        compare(scenario(tmp_path), {"model": model}, [0.0] * 4)


def test_data_that_went_away_are_named(tmp_path: Path, tables: object) -> None:
    (tmp_path / "west.csv").unlink()
    with pytest.raises(DataError, match="west"):
        compare(scenario(tmp_path), record(), [0.0] * 4)
