"""Write the demo's two CSV files from the breast-cancer data that scikit-learn ships.

    python tools/make_demo_data.py [FOLDER]          default: scenarios/data

Hospital A is a referral centre: the larger a mass, the likelier its patient was sent there. Hospital B runs a
screening programme: mostly small and benign findings. Every patient goes to exactly one of them, by a rule
that depends on nothing but the data and SEED, so that the files are the same bytes on every machine.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

SEED = 1995
ROWS_A = {1: 165, 0: 135}  # of the 212 malignant and 357 benign masses; hospital B has the others
NOISE = 1.0  # how much chance there is in a referral, in standard deviations of the mass's radius

Row = tuple[float, ...]


def read_source() -> tuple[list[str], list[Row], list[int]]:
    """Column names in snake_case, rows, and 1 for each malignant mass, in the order of the source."""
    from sklearn.datasets import load_breast_cancer

    source = load_breast_cancer()
    columns = [str(name).replace(" ", "_") for name in source.feature_names]
    rows = [tuple(row) for row in source.data.tolist()]
    malignant = [1 - int(label) for label in source.target]  # the source has 0 for malignant
    return columns, rows, malignant


def referred(rows: list[Row], malignant: list[int], radius: int) -> set[int]:
    """The indices of the patients who went to hospital A; `radius` is the column of the mean radius."""
    # random.Random().random() gives the same numbers in every version of Python; numpy does not promise that.
    chance = random.Random(SEED)
    noise = [chance.random() + chance.random() + chance.random() + chance.random() - 2.0 for _ in rows]
    chosen: set[int] = set()
    for label, wanted in ROWS_A.items():
        patients = [index for index, value in enumerate(malignant) if value == label]
        middle = sum(rows[index][radius] for index in patients) / len(patients)
        spread = (sum((rows[index][radius] - middle) ** 2 for index in patients) / len(patients)) ** 0.5
        # The sum of four uniform numbers has variance 1/3.
        urgency = {i: (rows[i][radius] - middle) / spread + NOISE * 3**0.5 * noise[i] for i in patients}
        chosen.update(sorted(patients, key=lambda i: -urgency[i])[:wanted])
    return chosen


def write_hospital(path: Path, letter: str, columns: list[str], patients: list[tuple[Row, int]]) -> None:
    """One hospital's file: `patient`, the features with every digit they have, `malignant`."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", *columns, "malignant"])
        for number, (row, label) in enumerate(patients, start=1):
            writer.writerow([f"{letter}{number:04d}", *(repr(value) for value in row), label])


def write_demo_data(folder: Path) -> None:
    """Write hospital_a.csv and hospital_b.csv into `folder`."""
    columns, rows, malignant = read_source()
    at_a = referred(rows, malignant, columns.index("mean_radius"))
    patients = list(zip(rows, malignant, strict=True))
    split = {
        "a": [patient for index, patient in enumerate(patients) if index in at_a],
        "b": [patient for index, patient in enumerate(patients) if index not in at_a],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for letter, chosen in split.items():
        write_hospital(folder / f"hospital_{letter}.csv", letter.upper(), columns, chosen)


if __name__ == "__main__":
    default = Path(__file__).resolve().parent.parent / "scenarios" / "data"
    write_demo_data(Path(sys.argv[1]) if len(sys.argv) > 1 else default)
