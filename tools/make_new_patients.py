"""Write the data of scenarios/predict.toml and split_predict.toml: patients who took no part in the trainings before.

    python tools/make_new_patients.py [FOLDER]          default: scenarios/data

They are the first ten that scenarios/shared_model.toml holds out of hospital_a.csv, and the first ten that
split_model.toml holds out of all three departments' tables; none has a diagnosis.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from protocols.rows.own_rows import SAME_ROWS
from protocols.training.batches import split

SOURCE = Path(__file__).resolve().parent.parent / "scenarios" / "data"
SEED, TEST_FRACTION = 7, 0.2  # as in those scenarios
COUNT = 10
TARGET = "malignant"
DEPARTMENTS = ("imaging", "laboratory", "pathology")


def write_new_patients(folder: Path) -> None:
    """Write new_patients.csv, and new_imaging.csv and so on, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    patients = _read("hospital_a")
    _, held_out = split(SEED, "hospital_a", len(patients), TEST_FRACTION)
    _write(folder / "new_patients.csv", [patients[place] for place in held_out[:COUNT]])
    tables = {name: _read(name) for name in DEPARTMENTS}
    ids = sorted((row["patient"] for row in tables["imaging"]), key=str.lower)  # as all owners order split rows
    _, held_out = split(SEED, SAME_ROWS, len(ids), TEST_FRACTION)
    chosen = {ids[place] for place in held_out[:COUNT]}
    for name, rows in tables.items():
        _write(folder / f"new_{name}.csv", [row for row in rows if row["patient"] in chosen])


def _read(name: str) -> list[dict[str, str]]:
    with (SOURCE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """These rows without their diagnoses, each with the digits that it has in the source."""
    told = [{column: cell for column, cell in row.items() if column != TARGET} for row in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(told[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(told)


if __name__ == "__main__":
    write_new_patients(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
