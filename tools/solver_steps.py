"""How far each solver's loss is from its least value after so many steps, on the demo's and on made-up data.

    .venv/bin/python -m tools.solver_steps

It is what `parties/tasks/logistic/solver_choice.STEPS` goes by. All in the clear, by the references of the trainings.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mpc.ring.array import Array
from parties.tasks.logistic.settings.solver_choice import STEPS, candidates
from protocols.plain.logistic import pooled
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings

_DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
_MANY = 3000  # steps of the preconditioned solver, for the least value


def demo() -> tuple[Array, Array]:
    """The rows of both hospitals of the demo."""
    texts = [(_DATA / f"hospital_{name}.csv").read_text(encoding="utf-8") for name in "ab"]
    rows = [row for text in texts for row in list(csv.reader(text.splitlines()))[1:]]
    return np.array([[float(v) for v in row[1:-1]] for row in rows]), np.array([float(row[-1]) for row in rows])


def example_rows(rows: int, features: int, steep: float) -> tuple[Array, Array]:
    """Correlated features and labels that follow a logistic model."""
    draw = np.random.default_rng(features)
    x = draw.normal(size=(rows, features)) @ draw.normal(size=(features, features))
    z = x @ draw.normal(size=features)
    return x, (draw.uniform(size=rows) < 1 / (1 + np.exp(-steep * z / z.std()))).astype(float)


def settings_of(x: Array, l2: float) -> TrainingSettings:
    """A training on all rows in one place, to be completed by a solver."""
    return TrainingSettings(
        ("all",), "helper", (len(x),), (0,), x.shape[1], 7, 1, 128, 0.5, l2, None, standardise=True, metrics=False
    )


def loss(x: Array, y: Array, how: TrainingSettings) -> float:
    """The penalised log-loss of the model that a training in the clear gives."""
    model = pooled([OwnRows(tuple("x" * x.shape[1]), x, y, x[:0], y[:0])], how)
    z = model.scores(x)
    return float(np.mean(np.logaddexp(0, z) - y * z) + how.l2 / 2 * np.sum(model.weights[:-1] ** 2))


def main() -> None:
    """Print the table."""
    from dataclasses import replace

    sets = {
        "demo, 30 features": demo(),
        "made up, 5": example_rows(500, 5, 2.0),
        "made up, 12": example_rows(900, 12, 1.0),
    }
    print("loss above its least value, of that value, after", STEPS, "steps")
    for name, (x, y) in sets.items():
        for l2 in (0.001, 0.01, 0.1):
            by = candidates(settings_of(x, l2))
            least = loss(x, y, replace(by["newton"], iterations=_MANY))
            each = "  ".join(f"{solver} {loss(x, y, how) / least - 1:8.1e}" for solver, how in by.items())
            print(f"{name:18} l2 {l2:<5g}  {each}")


if __name__ == "__main__":
    main()
