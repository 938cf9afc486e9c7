"""Which rows are used: missing values, duplicates, too few rows, one class; and what their owner is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from mpc.errors import DataError
from parties.data.table import Table, load_owner_table, load_table
from parties.tasks.logistic.settings.shape import warnings_after, warnings_before
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.registry import load_scenario

Missing = Literal["refuse", "drop", "mean"]


def load(
    folder: Path,
    text: str,
    missing: Missing = "refuse",
    features: tuple[str, ...] | None = None,
    id: str | None = None,
    categories: Mapping[str, tuple[str, ...]] | None = None,
) -> Table:
    (folder / "a.csv").write_text(text)
    task = LogisticTask(
        kind="logistic_regression",
        target="y",
        features=features,
        id=id,
        missing=missing,
        categories=dict(categories or {}),
    )
    return load_table("a.csv", task, "clinic", folder)


def refusal(folder: Path, text: str, missing: Missing, features: tuple[str, ...] | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, text, missing, features)
    assert str(caught.value).startswith("clinic, a.csv: ")
    return str(caught.value)


def warnings(table: Table) -> list[str]:
    return [note.text for note in table.notes if note.level == "warning"]


GAPS = "a,b,c,y\n1,,x,0\n2,4,x,1\n,NA,x,1\n6,8,x,\n3,5,x,0\n"


@pytest.mark.parametrize("how", ["drop", "mean"])
def test_missing_values_are_counted_by_column_first(tmp_path: Path, how: Missing) -> None:
    text = GAPS if how == "drop" else GAPS.replace("6,8,x,", "6,8,x,1")
    table = load(tmp_path, text, how)
    assert (table.columns, table.missing) == (("a", "b"), (1, 2, 1 if how == "drop" else 0))
    assert table.select(("b",)).missing == (2, table.missing[-1])
    assert load(tmp_path, "a,b,y\n1,2,0\n3,4,1\n").missing == (0, 0, 0)


def test_rows_with_a_missing_value_are_dropped(tmp_path: Path) -> None:
    table = load(tmp_path, GAPS, "drop")
    assert table.values.tolist() == [[2.0, 4.0], [3.0, 5.0]]
    assert table.target.tolist() == [1.0, 0.0]
    assert warnings(table) == [
        "3 rows dropped, as values are missing: 1 in column 'y', 1 in column 'a', 2 in column 'b'; "
        "2 of 5 rows were complete"
    ]


def test_only_columns_that_are_used_matter(tmp_path: Path) -> None:
    assert load(tmp_path, GAPS, "drop", ("a",)).values.tolist() == [[1.0], [2.0], [3.0]]
    whole = load(tmp_path, "a,b,y\n1,,0\n2,3,1\n", "drop", ("a",))
    assert whole.rows == 2
    assert warnings(whole) == []


def test_the_columns_mean_fills_the_gaps(tmp_path: Path) -> None:
    table = load(tmp_path, "a,b,y\n1,,0\n2,4,1\n,NA,1\n6,8,0\n", "mean")
    assert table.values.tolist() == [[1.0, 6.0], [2.0, 4.0], [3.0, 6.0], [6.0, 8.0]]
    (note,) = warnings(table)
    assert "1 in column 'a', 2 in column 'b'; 2 of 4 rows were complete" in note


def test_a_categorys_gaps(tmp_path: Path) -> None:
    levels = {"s": ("I", "II", "III")}
    text = "s,y\nI,0\nII,1\n,1\nII,0\n"
    table = load(tmp_path, text, "mean", categories=levels)
    assert table.values[2].tolist() == [pytest.approx(2 / 3), 0.0]
    assert "1 in column 's';" in warnings(table)[0]
    assert load(tmp_path, text, "drop", categories=levels).values.tolist() == [[0, 0], [1, 0], [1, 0]]


def test_what_cannot_be_filled_or_dropped(tmp_path: Path) -> None:
    assert "target is missing in 1 row (column 'y')" in refusal(tmp_path, GAPS, "mean")
    assert "column 'b' is empty" in refusal(tmp_path, "a,b,y\n1,,0\n2,,1\n", "mean", ("a", "b"))
    assert "no row is complete" in refusal(tmp_path, "a,b,y\n1,,0\n2,,1\n", "drop", ("a", "b"))
    said = refusal(tmp_path, GAPS, "refuse")
    assert 'missing = "drop"' in said
    assert "1 in column 'y', 1 in column 'a', 2 in column 'b'" in said
    # A column without a single value, and that nobody asked for, says nothing.
    assert load(tmp_path, "a,b,y\n1,,0\n2,,1\n", "drop").columns == ("a",)


def test_an_extreme_is_refused_wherever_the_gaps_are(tmp_path: Path) -> None:
    for missing in ("drop", "mean"):
        assert "2^40 (about 1.1e12) in data row 3" in refusal(tmp_path, "a,b,y\n,1,0\n1,2,1\n1e300,,1\n", missing)
        assert "infinite value in data row 2" in refusal(tmp_path, "a,y\n,0\n-inf,1\n", missing)


def test_the_digest_is_of_what_is_used(tmp_path: Path) -> None:
    whole = load(tmp_path, "a,b,y\n2,4,1\n3,5,0\n")
    assert load(tmp_path, GAPS, "drop").digest == whole.digest


def test_repeated_rows_are_told(tmp_path: Path) -> None:
    assert warnings(load(tmp_path, "a,n,y\n1,x,0\n1,x,0\n1,x,0\n2,,1\n2,,1\n1,z,0\n")) == [
        "duplicates: 3 rows the same as an earlier one in every column"
    ]
    table = load(tmp_path, "p,a,y\n1,5,0\n2,5,0\n3,5,1\n", id="p")
    assert warnings(table) == ["duplicates: 1 row the same as an earlier one in every column but the id"]
    assert warnings(load(tmp_path, ",a,y\n0,5,0\n1,5,0\n2,5,1\n")) == [
        "duplicates: 1 row the same as an earlier one in every column"
    ]


def test_one_class_is_told(tmp_path: Path) -> None:
    assert warnings(load(tmp_path, "a,y\n1,0\n2,0\n")) == ["the target is 0 in all of this owner's rows"]
    assert warnings(load(tmp_path, "a,y\n1,1\n2,1\n")) == ["the target is 1 in all of this owner's rows"]
    dropped = load(tmp_path, "a,y\n1,1\n2,1\n,0\n", "drop")
    assert "the target is 1 in all of this owner's rows" in warnings(dropped)


SCENARIO = """
schema = 1
name = "s"
parties.a = { role = "owner", data = "a.csv" }
parties.b = { role = "owner", data = "a.csv", rows = 6 }
parties.h = { role = "helper" }
task = { kind = "logistic_regression", target = "y", missing = "drop" }
"""


def owners_table(folder: Path, rows: int, owner: str = "a", more: str = "", **changes: str) -> Table:
    text = SCENARIO
    for old, new in changes.items():
        text = text.replace(f"{old} =", new)
    (folder / "s.toml").write_text(text)
    (folder / "a.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(rows)) + more)
    return load_owner_table(load_scenario(folder / "s.toml"), owner)


def test_too_few_rows(tmp_path: Path) -> None:
    assert owners_table(tmp_path, 5).rows == 5
    with pytest.raises(DataError, match=r"a, a\.csv: 4 rows of data, but an owner needs at least 5"):
        owners_table(tmp_path, 4, more=",1\n,0\n")
    with pytest.raises(DataError, match="only 0 rows of 5 would be left to train on"):
        owners_table(tmp_path, 5, missing="test_fraction = 0.9, missing =")


def test_stated_rows_are_those_that_are_used(tmp_path: Path) -> None:
    assert owners_table(tmp_path, 6, "b", more=",1\n").rows == 6
    with pytest.raises(DataError, match="rows = 6, but there are 5 complete ones"):
        owners_table(tmp_path, 5, "b", more=",1\n")


def test_warnings_about_all_owners_rows() -> None:
    assert warnings_before([(3, 1), (4, 1)], 5) == []
    (few,) = warnings_before([(3, 9), (3, 9)], 5)
    assert few.startswith("6 training rows of all owners for 5 features")
    assert warnings_after(None) == []
    assert warnings_after({"train": {"rows": 9, "positives": 4}, "test": {"rows": 3, "positives": 1}}) == []
    both = warnings_after({"train": {"rows": 9, "positives": 9}, "test": {"rows": 3, "positives": 0}})
    assert [text.split(":")[0] for text in both] == [
        "the target is 1 in all training rows of all owners",
        "the target is 0 in all held-out rows of all owners",
    ]
