"""Write scenarios/data/masses.csv, for scenarios/federated.toml: the patients of both hospitals, at twenty clinics.

    python -m tools.make_clinics [FOLDER]          default: scenarios/data

The patients are those of hospital_a.csv and hospital_b.csv, with the ten `mean_` columns. Which clinic a patient is at
is made up: clinics of a higher number see larger masses. Who is where depends on nothing but the files and SEED.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

from tools.make_three_hospitals import FEATURES, SOURCE, Patient, read_patients

SEED = 23
CLINICS = 20
SPREAD = 3.0
"""Deviation, in clinics, of where a mass of a given size is seen."""


def deal_out() -> list[tuple[str, Patient]]:
    """Each patient's clinic, in the order of the clinics."""
    patients = sorted(read_patients("a") + read_patients("b"), key=lambda one: float(one[0]["mean_radius"]))
    chance = random.Random(SEED)
    dealt = []
    for place, patient in enumerate(patients):
        near = CLINICS * place / len(patients) + SPREAD * (sum(chance.random() for _ in range(12)) - 6)
        dealt.append((f"client_{min(max(int(near), 0), CLINICS - 1) + 1:02d}", patient))
    return sorted(dealt, key=lambda one: one[0])


def write_clinics(folder: Path) -> None:
    """Write masses.csv into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "masses.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["clinic", *FEATURES, "malignant"])
        for clinic, (measured, malignant) in deal_out():
            writer.writerow([clinic, *measured.values(), int(malignant)])


if __name__ == "__main__":
    write_clinics(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
