"""Scenarios of logistic regressions with [privacy], and their data: of rows alone, and of rows or columns split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parties.scenario.file import Scenario
from parties.tasks.registry import load_scenario
from tests.scenario_texts import two_owners
from tests.studies import study_of_two

TASK = """target = "ill"
iterations = 20
[task.categories]
sex = ["f", "m"]
[privacy]
epsilon = 8
[privacy.clip]
age = [20, 100]
bmi = [15, 45]
"""
SEED = "[testing]\ninsecure_seed = 5\n"


def csv(seed: int, rows: int = 900) -> str:
    rng = np.random.default_rng(seed)
    lines = ["age,bmi,sex,ill"]
    for _ in range(rows):
        age, bmi, sex = rng.normal(60, 15), rng.normal(28, 5), int(rng.integers(2))
        ill = int(rng.random() < 1 / (1 + np.exp(-((age - 60) / 10 - (bmi - 28) / 10 + sex - 1))))
        lines.append(f"{age:.1f},{bmi:.2f},{'fm'[sex]},{ill}")
    return "\n".join(lines) + "\n"


def scenario(folder: Path, more: str = "", rows: int = 900, task: str = TASK) -> Scenario:
    return study_of_two(folder, "logistic_regression", task + more, *(csv(k, rows) for k in range(2)))


PRIVACY = """[privacy]
method = "output"
epsilon = 20
most_rows = 700
[privacy.clip]
age = [20, 100]
bmi = [15, 45]
dose = [0, 10]
"""
SPLIT = """target = "ill"
partition = "vertical"
id = "p"
test_fraction = 0.2
[task.categories]
sex = ["f", "m"]
"""
ROWS_SPLIT = 'target = "ill"\nfeatures = ["age", "bmi", "dose", "sex"]\n[task.categories]\nsex = ["f", "m"]\n'


def table(seed: int, rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    age, bmi, dose, sex = rng.normal(60, 15, rows), rng.normal(28, 5, rows), rng.uniform(0, 10, rows), rng.random(rows)
    z = (age - 60) / 8 - (bmi - 28) / 8 + (dose - 5) / 2
    names = np.array([f"p{k:04d}" for k in range(rows)])
    sexes = np.where(sex < 0.5, "f", "m")
    labels = (rng.random(rows) < 1 / (1 + np.exp(-z))).astype(int)
    return {"p": names, "age": age.round(1), "bmi": bmi.round(2), "dose": dose.round(2), "sex": sexes, "ill": labels}


def write(path: Path, columns: dict[str, np.ndarray]) -> None:
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")


def split_columns(folder: Path, rows: int = 600, privacy: str = PRIVACY + SEED, task: str = SPLIT) -> Scenario:
    """Owner a has age and bmi, b the rest; in another order."""
    everything = table(3, rows)
    write(folder / "a.csv", {key: everything[key] for key in ("p", "age", "bmi")})
    write(folder / "b.csv", {key: everything[key][::-1] for key in ("p", "dose", "sex", "ill")})
    text = two_owners("logistic_regression")
    text = text.replace('data = "a.csv"', 'data = "a.csv"\nfeatures = ["age", "bmi"]')
    text = text.replace('data = "b.csv"', 'data = "b.csv"\nfeatures = ["dose", "sex"]')
    return loaded(folder, text + task + privacy)


def split_rows(folder: Path, rows: int = 600, privacy: str = PRIVACY, task: str = ROWS_SPLIT) -> Scenario:
    for k, name in enumerate("ab"):
        write(folder / f"{name}.csv", table(k, rows))
    return loaded(folder, two_owners("logistic_regression") + task + privacy + SEED)


def loaded(folder: Path, text: str) -> Scenario:
    path = folder / "output.toml"
    path.write_text(text)
    return load_scenario(path)
