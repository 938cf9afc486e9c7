"""Write the data of scenarios/vertical.toml: three departments' columns of the same patients.

    python tools/make_split_columns.py [FOLDER]          default: scenarios/data

The patients are those of hospital_a.csv and hospital_b.csv. Each department has its table in an order of its own, as
tables of separate systems are. The order depends on nothing but the files and SEED.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "scenarios" / "data"
SEED = 2025
TABLES = {"imaging": ("mean_",), "laboratory": ("worst_",), "pathology": ()}
"""Which columns each department has, by how they begin; pathology has the diagnoses and the columns that are left."""


def read_patients() -> list[dict[str, str]]:
    """All patients' cells, each with the digits that it has in the source."""
    rows = []
    for letter in "ab":
        with (SOURCE / f"hospital_{letter}.csv").open(newline="", encoding="utf-8") as file:
            rows += list(csv.DictReader(file))
    return rows


def write_split_columns(folder: Path) -> None:
    """Write imaging.csv, laboratory.csv and pathology.csv into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    patients = read_patients()
    starts = tuple(start for begin in TABLES.values() for start in begin)
    for name, begin in TABLES.items():
        columns = [column for column in patients[0] if column.startswith(begin)] if begin else []
        if not begin:
            columns = [column for column in patients[0] if not column.startswith(starts) and column != "patient"]
        # random.Random().random() gives the same numbers in every version of Python; shuffle() promises less.
        chance = random.Random(f"{SEED} {name}")
        keys = [chance.random() for _ in patients]
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["patient", *columns])
            for place in sorted(range(len(patients)), key=keys.__getitem__):
                writer.writerow([patients[place]["patient"], *(patients[place][column] for column in columns)])


if __name__ == "__main__":
    write_split_columns(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
