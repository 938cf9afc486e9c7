"""What everybody does: the training jobs and the single operations, as plain arrays that are the same for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.results import FOLDER, ROOT
from benchmarks.running import LATENCY
from mpc.ring.array import Array
from parties.data.table import load_owner_table
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.registry import load_scenario
from parties.tasks.rows.regression import own_rows, row_counts
from protocols.linalg.held import Rows
from protocols.plain.logistic import fit_reference
from protocols.training.batches import batches

OWNERS = ("hospital_a", "hospital_b")
PARTIES = (*OWNERS, "helper")


@dataclass(frozen=True)
class Job:
    """One training: `epochs` of mini-batches of `batch` rows, from 0, at `rate`, without penalty.

    Args:
        key: its name in file names.
        title: in the report.
        shape: rows and columns of made-up data and how far its columns tell the outcome; None: the demo's.
        peers: whether the peers do it, too.
        wan: whether it is run over the emulated WAN, too.
    """

    key: str
    title: str
    epochs: int
    batch: int
    rate: float
    shape: tuple[int, int, float] | None = None
    peers: bool = True
    wan: bool = False


JOBS = (
    Job("A", "breast cancer, 569 x 30, 10 epochs of mini-batches of 128: 50 steps", 10, 128, 0.5, wan=True),
    Job("B", "made-up, 225 x 12,634, 10 full-batch steps", 10, 225, 0.05, (225, 12_634, 0.02)),
    Job("C", "made-up, 10,000 x 100, one epoch of mini-batches of 128: 79 steps", 1, 128, 0.5, (10_000, 100, 0.3)),
    Job(
        "D",
        "made-up, 1,000,000 x 20, one epoch of mini-batches of 10,000: 100 steps",
        1,
        10_000,
        0.5,
        (1_000_000, 20, 0.5),
        peers=False,
    ),
)


@dataclass(frozen=True)
class Arrays:
    """A job in the clear: standardised rows with a column of ones last, owner after owner, and its batches.

    Args:
        inputs: the file that the peers read.
        scenarios: ours, of the same rows: for this machine, and for a network of the WAN's latency.
        weights: after the same steps in plain float64, with the exact sigmoid.
    """

    inputs: Path
    scenarios: tuple[Path, Path]
    steps: int
    weights: Array = field(repr=False)

    def scenario_for(self, wan: bool) -> Path:
        """Our scenario: its latency decides how many rounds a step is given."""
        return self.scenarios[wan]

    def difference(self, weights: Any) -> float:
        """max |dw| against the plain training."""
        return float(np.abs(np.asarray(weights) - self.weights).max())


def arrays_of(job: Job) -> Arrays:
    """The job's rows, standardised before anybody gets them, its batches and its plain training."""
    folder = FOLDER / "data"
    folder.mkdir(parents=True, exist_ok=True)
    parts = _standardised(*demo_rows()) if job.shape is None else _standardised(*_example_rows(*job.shape))
    paths = _write_scenario(job, folder, parts, None), _write_scenario(job, folder, parts, LATENCY)
    scenario = load_scenario(paths[0])
    tables = {owner: load_owner_table(scenario, owner) for owner in OWNERS}
    counts = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    settings = settings_for(scenario, counts, parts[0][0].shape[1])
    sizes = dict(zip(OWNERS, settings.train_rows, strict=True))
    steps = [rows.index for rows in batches(settings.seed, settings.epochs, settings.batch_size, sizes)]
    rows = [own_rows(tables[owner], scenario, column_names(parts)) for owner in OWNERS]
    x = np.concatenate([one.x_train for one in rows])
    y = np.concatenate([one.y_train for one in rows]).astype(np.float64)
    reference = fit_reference(x, y, [Rows.of(step) for step in steps], job.rate, 0.0, standardise=False)
    inputs = folder / f"{job.key}.npz"
    ones = np.concatenate((x, np.ones((len(x), 1))), axis=1)
    order, lengths = np.concatenate(steps), np.array([len(step) for step in steps])
    np.savez(inputs, x=ones, y=y, counts=list(sizes.values()), order=order, sizes=lengths, rate=job.rate)
    return Arrays(inputs, paths, len(steps), reference.weights)


def column_names(parts: list[tuple[Array, Array]]) -> tuple[str, ...]:
    """The columns' names in the files."""
    return tuple(f"x{number}" for number in range(parts[0][0].shape[1]))


def _write_scenario(job: Job, folder: Path, parts: list[tuple[Array, Array]], latency: float | None) -> Path:
    import pandas as pd

    lines = ["schema = 1", f'name = "bench-{job.key.lower()}"', "seed = 7"]
    for owner, (x, y) in zip(OWNERS, parts, strict=True):
        file = folder / f"{job.key}-{owner}.parquet"
        pd.DataFrame(x, columns=list(column_names(parts))).assign(outcome=y).to_parquet(file)
        lines += [f"[parties.{owner}]", 'role = "owner"', f'data = "{file}"']
    lines += ["[parties.helper]", 'role = "helper"', "[task]", 'kind = "logistic_regression"', 'target = "outcome"']
    lines += [
        "min_rows_per_feature = 0",
        "standardise = true",  # once more, in our time: the form of few rows needs bounds
        "test_fraction = 0.0",
        'reveal = ["model"]',
        'solver = "sgd"',
    ]
    lines += [f"epochs = {job.epochs}", f"batch_size = {job.batch}", f"learning_rate = {job.rate}"]
    lines += ["[session]", "deadline = 600.0", "connect_timeout = 300.0"]
    if latency is not None:
        lines += ["[network]", f"latency_ms = {1e3 * latency}"]
    path = folder / f"{job.key}{'' if latency is None else '-wan'}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def demo_rows() -> tuple[Array, Array, int]:
    """The demo's features and classes, and how many rows are the first hospital's."""
    import pandas as pd

    tables = [pd.read_csv(ROOT / "scenarios" / "data" / f"{owner}.csv") for owner in OWNERS]
    table = pd.concat(tables).drop(columns="patient")
    y = table.pop("malignant").to_numpy(np.int64)
    return table.to_numpy(np.float64), y, len(tables[0])


def _example_rows(rows: int, columns: int, strength: float) -> tuple[Array, Array, int]:
    rng = np.random.default_rng(2026)
    x = rng.normal(size=(rows, columns))
    z = strength * (x @ rng.normal(size=columns))
    return x, (rng.uniform(size=rows) < 1 / (1 + np.exp(-z))).astype(np.int64), rows // 2


def _standardised(x: Array, y: Array, first: int) -> list[tuple[Array, Array]]:
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return [(x[:first], y[:first]), (x[first:], y[first:])]


@dataclass(frozen=True)
class Operation:
    """One operation on two shared arrays, or on the first of them."""

    key: str
    title: str
    shape: tuple[int, ...]
    largest: float = 8.0

    def inputs(self) -> dict[str, Array]:
        """The two inputs in the clear."""
        rng = np.random.default_rng(len(self.title))
        return {name: rng.uniform(-self.largest, self.largest, size=self.shape) for name in "xy"}

    def expected(self) -> Array:
        """The result in the clear."""
        x, y = self.inputs().values()
        match self.key:
            case "multiply":
                return x * y
            case "less_than":
                return (x < y).astype(np.float64)
            case "sigmoid":
                return 1 / (1 + np.exp(-x))
        return x @ y


OPERATIONS = (
    Operation("multiply", "multiply, 1,000,000", (1_000_000,)),
    Operation("matmul128", "matrix product, 128^3", (128, 128)),
    Operation("matmul512", "matrix product, 512^3", (512, 512)),
    Operation("less_than", "less than, 100,000", (100_000,)),
    Operation("sigmoid", "sigmoid, 10,000", (10_000,), 30.0),
)
