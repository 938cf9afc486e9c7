"""The training jobs: one scenario each, and the same rows, batches and steps as plain arrays for everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mpc.ghost import Array
from parties.data import load_owner_table
from parties.rows import own_rows, row_counts, settings_for
from parties.scenario import Scenario, load_scenario
from protocols.batches import batches, epoch_order
from protocols.training_settings import TrainingSettings
from protocols.twin import TwinModel, fit_twin, pooled, sigmoid

ROOT = Path(__file__).resolve().parent.parent
DEMO_DATA = ROOT / "scenarios" / "data"


@dataclass(frozen=True)
class Job:
    """One training, the same for all who run it.

    Args:
        key: its short name.
        title: its name in the report.
        task: the [task] table's lines beyond target and features, of which every variant has the same batches.
        variants: our ways to run it: a name, and lines that replace or follow those of `task`; None takes one out.
        peer_steps: how many steps the peers do, where all are too many to wait for.
        peers: whether peers run it at all.
        wan: whether it is run over the emulated WAN, too.
    """

    key: str
    title: str
    task: Mapping[str, Any]
    variants: Mapping[str, Mapping[str, Any]]
    peer_steps: int | None = None
    peers: bool = True
    wan: bool = False


SGD = "sgd"
AUTO = "solver auto"
AS_FAR = "sgd as far as solver auto"
"""Our ways to train job A: the peers' way, the plan's choice, and mini-batches until the loss is that of the choice."""

_MOST_EPOCHS = 2000

JOBS = (
    Job(
        "A",
        "A: breast cancer, 569 x 30, 10 epochs of mini-batches of 128, rate 0.5",
        {"epochs": 10, "batch_size": 128, "learning_rate": 0.5, "id": "patient", "target": "malignant"},
        {SGD: {}, AUTO: {"solver": "auto", "epochs": None, "batch_size": None, "learning_rate": None}},
        wan=True,
    ),
    Job(
        "C",
        "C: made-up data, 10,000 x 100, one epoch of mini-batches of 128, rate 0.5",
        {"epochs": 1, "batch_size": 128, "learning_rate": 0.5, "test_fraction": 0.0},
        {SGD: {}},
    ),
    Job(
        "B",
        "B: made-up data in the shape of a gene-expression study, 225 x 12,634, 223 full-batch steps, rate 0.05",
        {"epochs": 223, "batch_size": 225, "learning_rate": 0.05, "test_fraction": 0.0},
        {SGD: {}},
        peer_steps=3,
    ),
    Job(
        "D",
        "D: made-up data, 1,000,000 x 20, one epoch of mini-batches of 10,000, rate 0.5",
        {"epochs": 1, "batch_size": 10_000, "learning_rate": 0.5, "test_fraction": 0.0},
        {SGD: {}},
        peers=False,
    ),
    Job(
        "E",
        "E: made-up data, 100,000 x 50, one epoch of mini-batches of 1,000, rate 0.5",
        {"epochs": 1, "batch_size": 1_000, "learning_rate": 0.5, "test_fraction": 0.0},
        {SGD: {}},
        peers=False,
    ),
)

_SHAPES = {"B": (225, 12_634, 0.02), "C": (10_000, 100, 0.3), "D": (1_000_000, 20, 0.5), "E": (100_000, 50, 0.4)}


@dataclass(frozen=True)
class Arrays:
    """A job in the clear: standardised rows with a column of ones last, owner after owner, and its batches."""

    x: Array = field(repr=False)
    y: Array = field(repr=False)
    counts: tuple[int, ...]
    steps: tuple[Array, ...] = field(repr=False)
    rate: float
    twin: TwinModel = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)

    def first(self, count: int) -> Arrays:
        """The same job, ended after `count` steps, with its twin."""
        steps = self.steps[:count]
        return Arrays(self.x, self.y, self.counts, steps, self.rate, _twin(self, steps), self.x_test, self.y_test)

    def write(self, path: Path) -> None:
        """The file that peers read."""
        order, sizes = np.concatenate(self.steps), np.array([len(rows) for rows in self.steps])
        np.savez(path, x=self.x, y=self.y, counts=self.counts, order=order, sizes=sizes, rate=self.rate)

    @cached_property
    def weights(self) -> Array:
        """The twin's weights in standardised units, the intercept last."""
        return self.twin.weights

    def accuracy(self, weights: Array) -> float:
        """The share of held-out rows (all rows, where none is held out) that weights classify rightly."""
        x, y = (self.x_test, self.y_test) if len(self.y_test) else (self.x, self.y)
        right = ((x @ weights >= 0) == (y == 1)).mean()
        return float(right)


def _twin(job: Arrays, steps: tuple[Array, ...]) -> TwinModel:
    """The plain training on rows that are standardised already."""
    from protocols.held import Rows

    twin = fit_twin(job.x[:, :-1], job.y, [Rows.of(rows) for rows in steps], job.rate, 0.0, standardise=False)
    return twin


def write_scenario(
    job: Job, folder: Path, extra: Mapping[str, Any] | None = None, name: str = "", latency_ms: float | None = None
) -> Path:
    """The scenario file of a job, with its data beside it if they are made up.

    Args:
        extra: as in `Job.variants`.
        latency_ms: what the scenario says of its network, which solver = "auto" goes by.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if job.key in _SHAPES:
        files = _made_up(job.key, folder)
    else:
        files = [DEMO_DATA / f"{owner}.csv" for owner in ("hospital_a", "hospital_b")]
    lines = ["schema = 1", f'name = "bench-{job.key.lower()}"', "seed = 7"]
    for owner, file in zip(("hospital_a", "hospital_b"), files, strict=True):
        lines += [f"[parties.{owner}]", 'role = "owner"', f'data = "{file}"']
    lines += ["[parties.helper]", 'role = "helper"', "[task]", 'kind = "logistic_regression"']
    lines.append("min_rows_per_feature = 0")  # one job has far more columns than rows
    task = {"target": "outcome", **job.task, **(extra or {})}
    lines += [f"{key} = {_toml(value)}" for key, value in task.items() if value is not None]
    lines += ["[session]", "deadline = 600.0", "connect_timeout = 300.0"]
    if latency_ms is not None:
        lines += ["[network]", f"latency_ms = {latency_ms}"]
    path = folder / f"{job.key.lower()}{name}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def arrays_of(path: Path) -> Arrays:
    """A scenario's rows, batches and plaintext twin."""
    scenario = load_scenario(path)
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    counts = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    features = tables[scenario.owners[0]].columns
    settings = settings_for(scenario, counts, len(features))
    rows = [own_rows(tables[owner], scenario, features) for owner in scenario.owners]
    twin = pooled(rows, settings)
    y = np.concatenate([own.y_train for own in rows]).astype(np.float64)
    test = np.concatenate([own.x_test for own in rows])
    return Arrays(
        _standardised(np.concatenate([own.x_train for own in rows]), twin),
        y,
        tuple(len(own.y_train) for own in rows),
        batches_of(scenario, settings),
        settings.learning_rate,
        twin,
        _standardised(test, twin),
        np.concatenate([own.y_test for own in rows]).astype(np.float64),
    )


def batches_of(scenario: Scenario, settings: TrainingSettings) -> tuple[Array, ...]:
    """The rows of every mini-batch, as our own training has them."""
    counts = dict(zip(scenario.owners, settings.train_rows, strict=True))
    return tuple(r.index for r in batches(settings.seed, settings.epochs, settings.batch_size, counts))


def epochs_to(loss: float, path: Path, arrays: Arrays) -> int | None:
    """How many epochs of a scenario's mini-batches bring the loss on the training rows down to `loss`; None: no number.

    Worked out in the clear, on arrays that `arrays_of` gave for the scenario.
    """
    scenario = load_scenario(path)
    counts = dict(zip(scenario.owners, arrays.counts, strict=True))
    size, w = scenario.training.batch_size, np.zeros(arrays.x.shape[1])
    for epoch in range(_MOST_EPOCHS):
        order = epoch_order(scenario.seed, epoch, counts)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            batch = arrays.x[rows]
            w = w - (arrays.rate / len(rows)) * (batch.T @ (sigmoid(batch @ w) - arrays.y[rows]))
        if log_loss(arrays.x, arrays.y, w) <= loss:
            return epoch + 1
    return None


def log_loss(x: Array, y: Array, weights: Array) -> float:
    """The mean loss of weights on rows with a column of ones."""
    z = x @ weights
    return float(np.mean(np.logaddexp(0, z) - y * z))


def _standardised(x: Array, twin: TwinModel) -> Array:
    ones = np.ones((len(x), 1))
    return np.concatenate(((x - twin.mean) / twin.deviation, ones), axis=1)


def _made_up(key: str, folder: Path) -> list[Path]:
    """Two owners' files of made-up rows; written once."""
    import pandas as pd

    rows, columns, strength = _SHAPES[key]
    files = [folder / f"{key.lower()}_{owner}.parquet" for owner in "ab"]
    if all(file.exists() for file in files):
        return files
    rng = np.random.default_rng(2026)
    x = rng.normal(size=(rows, columns))
    z = strength * (x @ rng.normal(size=columns))
    y = (rng.uniform(size=rows) < 1 / (1 + np.exp(-z))).astype(np.int64)
    table = pd.DataFrame(x, columns=[f"x{k}" for k in range(columns)])
    table["outcome"] = y
    half = rows // 2
    table[:half].to_parquet(files[0])
    table[half:].to_parquet(files[1])
    return files


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
