"""Federated learning of a thousand clients, and of ten thousand: time, memory, and a model as of all rows together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from parties.tasks.federated.clients.data import own_rows
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.registry import load_any
from parties.tasks.star.rows import ClientRows
from tests.run.command import mpc, record

TEXT = """
schema = 1
name = "many"
seed = 5

[parties.server]
role = "server"

[clients]
count = {count}
processes = 0
data = "rows.csv"
split = "labels"
alpha = 1.0
{where}

[task]
kind = "federated"
target = "y"
features = ["a", "b", "c", "d", "e"]
rounds = {rounds}
cohort = {cohort}
epochs = 2
batch_size = 8
learning_rate = 0.1
dropout = 0.2
most_rows = 40
{faults}
"""


def write(folder: Path, name: str, *, count: int, rounds: int, cohort: int, where: str = "", faults: str = "") -> Path:
    """A scenario of so many clients with 20 rows each, of one table."""
    draw, file = np.random.default_rng(11), folder / "rows.csv"
    if not file.exists():
        x = draw.normal(size=(20 * count, 5)).round(3)
        y = draw.random(len(x)) < 1 / (1 + np.exp(-(x @ np.array([1.2, -0.8, 0.5, 0.3, 0.0]) - 0.4)))
        lines = (",".join([*map(str, one), str(int(label))]) for one, label in zip(x.tolist(), y, strict=True))
        file.write_text("\n".join(["a,b,c,d,e,y", *lines]) + "\n")
    path = folder / f"{name}.toml"
    path.write_text(TEXT.format(count=count, rounds=rounds, cohort=cohort, where=where, faults=faults))
    return path


def done(path: Path) -> dict[str, Any]:
    """The record of a run of it."""
    ran = mpc("run", path, "--out", path.with_suffix(""), timeout=900)
    assert ran.code == 0, ran.err
    return record(path.with_suffix(""))


def aucs(path: Path, weights: list[float]) -> tuple[float, float]:
    """The AUC on all held-out rows of this model, and of a regression on all training rows together."""
    scenario = load_any(path)
    assert isinstance(scenario, FederatedScenario)
    rows = ClientRows(scenario, scenario.read_columns)
    own = [own_rows(scenario, name, rows.of(name, 1)) for name in scenario.client_names]
    x, y = np.vstack([one.train.x for one in own]), np.concatenate([one.train.y for one in own])
    held, labels = np.vstack([one.held.x for one in own]), np.concatenate([one.held.y for one in own])
    pooled = LogisticRegression(C=1e6).fit(x, y)
    federated = held @ np.array(weights[:-1]) + weights[-1]
    return float(roc_auc_score(labels, federated)), float(roc_auc_score(labels, pooled.decision_function(held)))


@pytest.mark.sweep
@pytest.mark.speed
def test_a_thousand_clients_of_whom_a_tenth_leave(tmp_path: Path) -> None:
    """20 rounds of 100 clients in 2 minutes; the memory is that of 5 rounds, and the AUC that of pooled rows."""
    faults = "[faults.clients]\nvanish = 0.1"
    few = done(write(tmp_path, "few", count=1000, rounds=5, cohort=100, faults=faults))
    path = write(tmp_path, "all", count=1000, rounds=20, cohort=100, faults=faults)
    found = done(path)
    rounds = found["federated"]["rounds"]
    training = [one for one in rounds if one["phase"] == "train"]
    assert len(training) == 20
    assert all(80 <= one["clients"] < 100 and one["of"] == 100 for one in training)
    assert len({stage for one in training for stage in one["dropped"]}) >= 3
    server, before = found["parties"]["server"], few["parties"]["server"]
    assert server["seconds"]["total"] < 120
    assert server["peak_memory"] < 1.05 * before["peak_memory"]
    federated, pooled = aucs(path, found["federated"]["weights"])
    assert abs(federated - pooled) < 0.01


@pytest.mark.sweep
@pytest.mark.speed
def test_ten_thousand_clients_on_dask_train_the_same_model(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    here = done(write(tmp_path, "here", count=10_000, rounds=3, cohort=100))
    dask = done(write(tmp_path, "dask", count=10_000, rounds=3, cohort=100, where='cluster = "local"'))
    assert here["federated"]["weights"] == dask["federated"]["weights"]
    assert [one["clients"] for one in here["federated"]["rounds"]] == [100, 100, 100, 10_000]
