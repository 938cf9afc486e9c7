"""Write the data of scenarios/predict.toml: ten patients who took no part in the training, without their diagnoses.

    python tools/make_new_patients.py [FOLDER]          default: scenarios/data

They are the first ten that scenarios/shared_model.toml holds out of hospital_a.csv.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from protocols.batches import split

SOURCE = Path(__file__).resolve().parent.parent / "scenarios" / "data"
SEED, TEST_FRACTION = 7, 0.2  # as in that scenario
COUNT = 10
TARGET = "malignant"


def write_new_patients(folder: Path) -> None:
    """Write new_patients.csv into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (SOURCE / "hospital_a.csv").open(newline="", encoding="utf-8") as file:
        patients = list(csv.DictReader(file))
    _, held_out = split(SEED, "hospital_a", len(patients), TEST_FRACTION)
    columns = [column for column in patients[0] if column != TARGET]
    with (folder / "new_patients.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([patients[place][column] for column in columns] for place in held_out[:COUNT])


if __name__ == "__main__":
    write_new_patients(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
