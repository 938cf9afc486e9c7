"""Small studies over a network in virtual time: their data, scenarios, and what they end with."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mpc.randomness.streams import derive
from mpc.ring.array import Array
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.registry import load_any

FEATURES = ("age", "dose", "flag")

TEXT = """
schema = 1
name = "study"
seed = 7

[parties.server]
role = "server"

[clients]
count = {count}
processes = 1
data = "rows.csv"
by = "who"

[task]
kind = "federated"
target = "y"
features = ["age", "dose", "flag"]
range = [-4, 4]
most_rows = {most}
{task}
{more}
"""


def rows(count: int, model: str = "logistic", seed: int = 1) -> dict[str, Array]:
    """Made-up rows of so many clients: three features and the target, of 25 to 45 rows each."""
    rng, found = np.random.default_rng(seed), {}
    for k in range(count):
        n = int(rng.integers(25, 46))
        x = np.column_stack(
            [rng.normal(0.1 * k, 1, n).clip(-4, 4), rng.uniform(-1, 1, n), (rng.random(n) < 0.5).astype(float)]
        ).round(4)
        score = 0.3 + x @ np.array([1.0, -0.7, 0.5])
        if model == "linear":
            y = (score + rng.normal(0, 0.5, n)).clip(-8, 8).round(4)
        elif model == "poisson":
            y = rng.poisson(np.exp(0.3 * score)).astype(float)
        elif model == "multinomial":
            y = np.digitize(score + rng.logistic(size=n), [-0.7, 0.9]).astype(float)
        else:
            y = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(float)
        found[f"client_{k + 1:0{len(str(count))}d}"] = np.column_stack([x, y])
    return found


def write(folder: Path, data: dict[str, Array]) -> None:
    """The clients' rows as one file, in no order."""
    lines = [",".join([name, *map(repr, one.tolist())]) for name, values in data.items() for one in values]
    (folder / "rows.csv").write_text("\n".join(["who,age,dose,flag,y", *sorted(lines, key=hash_of)]) + "\n")


def hash_of(line: str) -> str:
    """An order that has nothing to do with whose a line is."""
    return derive(bytes(32), line).hex()


def scenario(
    folder: Path,
    task: str = "",
    more: str = "",
    *,
    count: int = 8,
    data: dict[str, Array] | None = None,
    most_rows: int = 60,
) -> FederatedScenario:
    """A study of the clients' rows, written to `folder` and read."""
    write(folder, data if data is not None else rows(count))
    path = folder / "study.toml"
    path.write_text(TEXT.format(count=count, task=task, more=more, most=most_rows))
    found = load_any(path)
    assert isinstance(found, FederatedScenario)
    return found
