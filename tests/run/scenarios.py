"""Small scenarios and data for tests of the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

FEATURES = ("years", "dose", "marker")


def write_csv(path: Path, rows: int, seed: int, *, features: tuple[str, ...] = FEATURES) -> None:
    """Rows with an id, features of very different sizes and a 0/1 outcome that depends on them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(features))) * np.geomspace(10, 0.1, len(features)) + 3
    z = (x - 3) / np.geomspace(10, 0.1, len(features)) @ np.linspace(1.5, -1, len(features))
    y = rng.uniform(size=rows) < 1 / (1 + np.exp(-z))
    lines = [",".join(("patient", *features, "outcome"))]
    lines += [
        ",".join((f"{path.stem}{i}", *(repr(float(v)) for v in row), str(int(label))))
        for i, (row, label) in enumerate(zip(x, y, strict=True))
    ]
    path.write_text("\n".join(lines) + "\n")


def write_scenario(folder: Path, owners: int = 2, *, rows: int = 60, extra: str = "", **task: Any) -> Path:
    """A scenario with `owners` hospitals and a helper, and their data."""
    other = task.get("solver", "sgd") != "sgd" or "inference" in task.get("reveal", ())
    mini_batch = {} if other else {"epochs": 3, "batch_size": 32, "learning_rate": 0.5}
    few = {"min_rows": 1, "min_rows_per_feature": 0, "min_cell": 1} if rows < 40 else {}
    settings = {**few, **mini_batch, **task}
    text = ['schema = 1\nname = "small"\nseed = 3\n']
    for k in range(owners):
        name = f"hospital_{chr(ord('a') + k)}"
        write_csv(folder / f"{name}.csv", rows + 7 * k, k)
        text.append(f'[parties.{name}]\nrole = "owner"\ndata = "{name}.csv"\n')
    text.append('[parties.helper]\nrole = "helper"\n')
    text.append('[task]\nkind = "logistic_regression"\ntarget = "outcome"\nid = "patient"')
    text += [f"{key} = {_toml(value)}" for key, value in settings.items()]
    path = folder / "small.toml"
    path.write_text("\n".join(text) + "\n" + extra)
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
