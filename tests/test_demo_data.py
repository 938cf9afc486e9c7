"""The demo's CSV files: exactly the source, split over two hospitals that differ."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from tools.make_clinics import write_clinics
from tools.make_demo_data import read_source, write_demo_data

DATA = Path(__file__).resolve().parent.parent / "scenarios" / "data"
FILES = ("hospital_a.csv", "hospital_b.csv")


def read(path: Path) -> pd.DataFrame:
    """The file's values exactly: Python's own float() loses no digit."""
    with path.open(newline="", encoding="utf-8") as file:
        table = pd.DataFrame(list(csv.DictReader(file)))
    features = table.drop(columns=["patient", "malignant"]).map(float)
    return features.assign(patient=table["patient"], malignant=table["malignant"].map(int))


@pytest.fixture(scope="module")
def hospitals() -> list[pd.DataFrame]:
    return [read(DATA / name) for name in FILES]


def test_the_files_are_what_the_tool_writes(tmp_path: Path) -> None:
    write_demo_data(tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_together_they_are_the_source_to_the_last_bit(hospitals: list[pd.DataFrame]) -> None:
    columns, rows, malignant = read_source()
    expected = sorted((*row, label) for row, label in zip(rows, malignant, strict=True))
    both = pd.concat(hospitals)
    found = sorted(tuple(row) for row in both[[*columns, "malignant"]].itertuples(index=False, name=None))
    assert len(found) == 569
    assert found == expected


def test_the_clinics_have_all_patients_once_each(tmp_path: Path, hospitals: list[pd.DataFrame]) -> None:
    write_clinics(tmp_path)
    assert (tmp_path / "masses.csv").read_bytes() == (DATA / "masses.csv").read_bytes()
    clinics = pd.read_csv(DATA / "masses.csv")
    columns = [*(name for name in clinics.columns if name.startswith("mean_")), "malignant"]
    expected = sorted(pd.concat(hospitals)[columns].itertuples(index=False, name=None))
    assert sorted(clinics[columns].itertuples(index=False, name=None)) == expected
    shares = clinics.groupby("clinic")["malignant"].mean()
    assert len(shares) == 20
    assert shares.iloc[0] < 0.1 < 0.9 < shares.iloc[-1]  # and so what is learnt from one of them is not what all know


def test_every_patient_has_an_id_of_its_own(hospitals: list[pd.DataFrame]) -> None:
    ids = pd.concat(hospitals)["patient"]
    assert ids.is_unique
    assert all(id_.startswith(letter) for letter, table in zip("AB", hospitals, strict=True) for id_ in table.patient)


def test_the_hospitals_differ_in_case_mix(hospitals: list[pd.DataFrame]) -> None:
    a, b = hospitals
    assert a["malignant"].mean() > 0.5 > 0.25 > b["malignant"].mean() > 0.1
    for label in (0, 1):
        radius_a = a.loc[a["malignant"] == label, "mean_radius"].mean()
        radius_b = b.loc[b["malignant"] == label, "mean_radius"].mean()
        assert radius_a > radius_b + 1, label
