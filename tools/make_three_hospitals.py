"""Write the data of scenarios/three_hospitals.toml: a CSV file, a Parquet file and a DuckDB database.

    python tools/make_three_hospitals.py [FOLDER]          default: scenarios/data

The patients are those of hospital_a.csv and hospital_b.csv, dealt out anew to three hospitals, each of which keeps its
table in its own way. Who is where depends on nothing but the files and SEED.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SOURCE = Path(__file__).resolve().parent.parent / "scenarios" / "data"
SEED = 2024
NORTH = 200  # of the 300 patients of hospital_a.csv; EAST gets the others
EAST = 90  # of the 269 patients of hospital_b.csv; WEST gets the others
FEATURES = tuple(
    f"mean_{what}"
    for what in (
        "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity", "concave_points",
        "symmetry", "fractal_dimension",
    )
)  # fmt: skip

Patient = tuple[dict[str, str], bool]
"""A patient's measurements, each with the digits that it has in the source, and whether the mass is malignant."""


def read_patients(letter: str) -> list[Patient]:
    """The patients of one of the demo's files, in another order."""
    with (SOURCE / f"hospital_{letter}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # random.Random().random() gives the same numbers in every version of Python; shuffle() promises less.
    chance = random.Random(f"{SEED} {letter}")
    keys = [chance.random() for _ in rows]
    return [
        ({name: rows[place][name] for name in FEATURES}, rows[place]["malignant"] == "1")
        for place in sorted(range(len(rows)), key=keys.__getitem__)
    ]


def deal_out() -> dict[str, list[Patient]]:
    """Each hospital's patients."""
    referred, screened = read_patients("a"), read_patients("b")
    east = referred[NORTH:] + screened[:EAST]
    return {"north": referred[:NORTH], "east": east, "west": screened[EAST:]}


def write_csv(path: Path, patients: list[Patient]) -> None:
    """North: a spreadsheet's export, with the target as 0 and 1."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", *FEATURES, "malignant"])
        for number, (measured, malignant) in enumerate(patients, start=1):
            writer.writerow([f"N{number:04d}", *measured.values(), int(malignant)])


def write_parquet(path: Path, patients: list[Patient]) -> None:
    """East: a data lake's table, with the columns in another order and the target true or false."""
    import duckdb

    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} double" for name in reversed(FEATURES))
        connection.execute(f"create table masses (malignant boolean, patient varchar, {columns})")
        rows = [
            [malignant, f"E{number:04d}", *(float(measured[name]) for name in reversed(FEATURES))]
            for number, (measured, malignant) in enumerate(patients, start=1)
        ]
        _insert(connection, "masses", rows)
        connection.execute(f"copy masses to {_quoted(path)} (format parquet)")


def write_database(path: Path, patients: list[Patient]) -> None:
    """West: a database with the measurements in one table and the diagnosis, in words, in another."""
    import duckdb

    path.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        # Small blocks, as the tables are small; the storage that every DuckDB since 1.1 can read.
        version = tuple(map(int, duckdb.__version__.split(".")[:2]))
        oldest = "" if version < (1, 2) else ", storage_version 'v1.0.0'"  # the only one there was before
        connection.execute(f"attach {_quoted(path)} as west (block_size 16384{oldest})")
        columns = ", ".join(f"{name} double" for name in FEATURES)
        connection.execute(f"create table west.images (patient varchar, {columns})")
        connection.execute("create table west.diagnoses (patient varchar, diagnosis varchar)")
        numbered = [(f"W{number:04d}", one) for number, one in enumerate(patients, start=1)]
        images = [[name, *map(float, measured.values())] for name, (measured, _) in numbered]
        _insert(connection, "west.images", images)
        words = {True: "malignant", False: "benign"}
        _insert(connection, "west.diagnoses", [[name, words[malignant]] for name, (_, malignant) in numbered])
        connection.execute("detach west")


def write_three_hospitals(folder: Path) -> None:
    """Write hospital_north.csv, hospital_east.parquet and hospital_west.duckdb into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    dealt = deal_out()
    write_csv(folder / "hospital_north.csv", dealt["north"])
    write_parquet(folder / "hospital_east.parquet", dealt["east"])
    write_database(folder / "hospital_west.duckdb", dealt["west"])


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _insert(connection: DuckDBPyConnection, table: str, rows: list[list[object]]) -> None:
    places = ", ".join("?" for _ in rows[0])
    connection.execute("begin")
    connection.executemany(f"insert into {table} values ({places})", rows)
    connection.execute("commit")


if __name__ == "__main__":
    write_three_hospitals(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
