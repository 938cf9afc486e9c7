"""Make up the data of scenarios/registry_statistics.toml: patients with a new hip, with nobody behind them.

python tools/make_hip_registry.py        rewrite scenarios/data/hips_*.csv
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
HEAD = ("patient", "age", "bmi", "pain_before", "pain_after", "sex", "fixation", "smoker", "months", "revised")
HOSPITALS = {"north": (420, 72.0, 0.7), "east": (310, 66.0, 0.4), "west": (180, 69.0, 0.5)}
"""Of each hospital: patients, their mean age, the share of cemented hips."""
MISSING = {"bmi": 0.06, "pain_before": 0.03, "pain_after": 0.09, "sex": 0.01, "smoker": 0.12}


def hospital(name: str, rng: np.random.Generator) -> None:
    """One hospital's file: cells that are missing are empty."""
    patients, mean_age, cemented = HOSPITALS[name]
    with open(DATA / f"hips_{name}.csv", "w", newline="", encoding="ascii") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(HEAD)
        for number in range(1, patients + 1):
            row = _patient(f"{name[0]}{number:04d}", mean_age, cemented, rng)
            rows.writerow([row[key] if rng.random() >= MISSING.get(key, 0.0) else "" for key in HEAD])


def _patient(name: str, mean_age: float, cemented: float, rng: np.random.Generator) -> dict[str, object]:
    age = int(np.clip(rng.normal(mean_age, 9), 35, 97))
    bmi = round(float(np.clip(rng.normal(28, 4.5), 16, 50)), 1)
    before = float(np.clip(rng.normal(58, 14), 0, 100))
    after = float(np.clip(0.4 * before + 0.3 * (bmi - 28) + rng.normal(-6, 11), 0, 100))
    smoker = str(rng.choice(["never", "former", "current"], p=[0.5, 0.35, 0.15]))
    fixation = str(rng.choice(["cemented", "uncemented"], p=[cemented, 1 - cemented]))
    hazard = 0.004 * (1.8 if smoker == "current" else 1.0) * (0.8 if fixation == "cemented" else 1.2)
    fails, followed = int(rng.exponential(1 / hazard)) + 1, int(rng.integers(6, 121))
    return {
        "patient": name,
        "age": age,
        "bmi": bmi,
        "pain_before": round(before),
        "pain_after": round(after),
        "sex": "f" if rng.random() < 0.58 else "m",
        "fixation": fixation,
        "smoker": smoker,
        "months": min(fails, followed),
        "revised": int(fails <= followed),
    }


if __name__ == "__main__":
    for which, seed in zip(HOSPITALS, (1, 2, 3), strict=True):
        hospital(which, np.random.default_rng(seed))
