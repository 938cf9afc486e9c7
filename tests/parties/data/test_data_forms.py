"""How cells are written: decimal commas, thousands, encodings, dates, categories and codings of the target."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from parties.data.recode import open_as_utf8
from parties.data.table import Table, TextForm, load_table
from parties.scenario.file import SqlSource
from parties.tasks.logistic.settings.task import LogisticTask
from tests.examples import steady

STAGES = {"stage": ("I", "II", "III")}


def task(
    features: tuple[str, ...] | None = None,
    *,
    positive: str | None = None,
    categories: Mapping[str, tuple[str, ...]] | None = None,
    dates: bool = False,
) -> LogisticTask:
    return LogisticTask(
        kind="logistic_regression",
        target="y",
        features=features,
        positive=positive,
        categories=dict(categories or {}),
        dates="days" if dates else "refuse",
    )


def load(
    folder: Path,
    content: str | bytes,
    what: LogisticTask | None = None,
    form: TextForm | None = None,
    ending: str = "csv",
) -> Table:
    path = folder / f"a.{ending}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return load_table(path.name, what or task(), "clinic", folder, form)


def refusal(folder: Path, content: str | bytes, what: LogisticTask | None = None, form: TextForm | None = None) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, content, what, form)
    said = str(caught.value)
    assert said.startswith("clinic, a.csv: ")
    assert "\n" not in said
    assert caught.value.exit_code == 3
    return said


# ------------------------------------------------------------------ numbers

COMMA = TextForm(decimal=",")
GERMAN = TextForm(decimal=",", thousands=".")
FRENCH = TextForm(decimal=",", thousands=" ")
SWISS = TextForm(thousands="'")
ENGLISH = TextForm(thousands=",")

NUMBERS = [
    (COMMA, "3,14", 3.14),
    (COMMA, "-0,5", -0.5),
    (COMMA, ",5", 0.5),
    (COMMA, "7", 7.0),
    (COMMA, "1,5E-3", 0.0015),
    (GERMAN, "1.234,5", 1234.5),
    (GERMAN, "1.234", 1234.0),
    (GERMAN, "+12.345.678", 12345678.0),
    (GERMAN, "1234,5", 1234.5),
    (FRENCH, "1 234,5", 1234.5),
    (FRENCH, "1\u00a0234,5", 1234.5),
    (FRENCH, "1\u202f234", 1234.0),
    (SWISS, "1'234.5", 1234.5),
    (SWISS, "1\u2019234.5", 1234.5),
    (ENGLISH, "1,234.5", 1234.5),
    (ENGLISH, "1,234,567", 1234567.0),
    (ENGLISH, "0.25", 0.25),
]


@pytest.mark.parametrize(("form", "cell", "value"), NUMBERS, ids=[repr(cell) for _, cell, _ in NUMBERS])
def test_a_number_in_its_form(tmp_path: Path, form: TextForm, cell: str, value: float) -> None:
    table = load(tmp_path, f'a;y\n"{cell}";0\n2;1\n', form=form)
    assert table.values.tolist() == [[value], [2.0]]


NOT_NUMBERS = [
    (COMMA, "3.14"),  # with a decimal comma, this may be 3.14 or 314
    (COMMA, "1.234"),
    (GERMAN, "1,234.5"),
    (GERMAN, "12.34,5"),
    (GERMAN, "1.2345"),
    (ENGLISH, "1,5"),
    (ENGLISH, "1.234,5"),
    (SWISS, "1,234"),
]


@pytest.mark.parametrize(("form", "cell"), NOT_NUMBERS, ids=[f"{f.decimal}{f.thousands} {c}" for f, c in NOT_NUMBERS])
def test_a_number_in_another_form_is_refused(tmp_path: Path, form: TextForm, cell: str) -> None:
    said = refusal(tmp_path, f'a;y\n2;0\n"{cell}";1\n', task(("a",)), form)
    assert "column 'a'" in said
    assert "data row 2" in said
    assert cell not in said


def test_the_hint_names_the_settings(tmp_path: Path) -> None:
    said = refusal(tmp_path, "a;y\n3,14;0\n2;1\n")
    assert "`decimal` or `thousands` in [parties.clinic]" in said
    said = refusal(tmp_path, "a;y\n3.14;0\n2;1\n", form=GERMAN)
    assert 'another form than decimal = "," and thousands = "."' in said


def test_what_is_no_number_stays_what_it_is(tmp_path: Path) -> None:
    text = "a;flag;name;y\n1,5;true;x;1,0\n2,5;false;y;0,0\n"
    table = load(tmp_path, text, form=COMMA)
    assert table.columns == ("a", "flag")
    assert table.values.tolist() == [[1.5, 1.0], [2.5, 0.0]]
    assert table.target.tolist() == [1.0, 0.0]
    for cell, words in (("inf", "infinite"), ("1,0e300", "2^40"), ("NA", "missing")):
        assert words in refusal(tmp_path, f"a;y\n{cell};0\n2;1\n", form=COMMA)


values = st.floats(-1e11, 1e11, allow_nan=False)


@steady(25)
@given(column=st.lists(values, min_size=1, max_size=8), form=st.sampled_from([COMMA, GERMAN, FRENCH, SWISS, ENGLISH]))
def test_a_form_gives_back_the_same_bits(
    tmp_path_factory: pytest.TempPathFactory, column: list[float], form: TextForm
) -> None:
    def written(value: float) -> str:
        text = f"{value:,}" if form.thousands and "e" not in repr(value) else repr(value)
        signs = str.maketrans({",": form.thousands or "", ".": form.decimal})
        return text.translate(signs)

    rows = "".join(f'"{written(value)}"\t1\n' for value in column)
    table = load(tmp_path_factory.mktemp("form"), "a\ty\n" + rows, form=form, ending="tsv")
    assert table.values[:, 0].tobytes() == np.array(column).tobytes()


# ------------------------------------------------------------------ encodings

TEXT = "größe,y\n1,0\n2,1\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode("latin-1"), "latin-1"),
        (TEXT.replace("größe", "größe €").encode("cp1252"), "windows-1252"),
        (TEXT.encode("utf-16"), "utf-8"),  # its mark says so
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-8"),
        (TEXT.encode("utf-16-le"), "utf-16"),
        (TEXT.replace("\n", "\r\n").encode("utf-16"), "utf-16"),
        (TEXT.replace("\n", "\r").encode("latin-1"), "latin-1"),
        (b"\xef\xbb\xbf" + TEXT.encode("utf-8"), "latin-1"),  # the mark says more than the setting
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str) -> None:
    table = load(tmp_path, content, form=TextForm(encoding=encoding))
    assert table.columns[0].startswith("größe")
    assert table.values.tolist() == [[1.0], [2.0]]


def test_large_files_in_another_encoding(tmp_path: Path) -> None:
    rows = 200_000
    text = "größe,y\n" + "".join(f"{i},{i % 2}\n" for i in range(rows))
    table = load(tmp_path, text.encode("utf-16"))
    assert np.array_equal(table.values[:, 0], np.arange(rows))
    # What is wrong far behind is still named by its line, and nothing hangs.
    said = refusal(tmp_path, (text + "1,2,3\n" + text).encode("utf-16"))
    assert f"line {rows + 2} has 3 cells" in said
    said = refusal(tmp_path, text.encode("utf-16") + b"\x00\xd8")
    assert "not UTF-16 text" in said


def test_wrong_encodings(tmp_path: Path) -> None:
    said = refusal(tmp_path, TEXT.encode("latin-1"))
    assert "not UTF-8 text (line 1)" in said
    assert 'encoding = "latin-1"' in said
    said = refusal(tmp_path, b"a\x81,y\n1,0\n", form=TextForm(encoding="windows-1252"))
    assert "not windows-1252 text" in said
    assert "not a text file" in refusal(tmp_path, bytes(range(256)), form=TextForm(encoding="latin-1"))


def test_a_file_that_goes_away_while_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_as_utf8(tmp_path / "none.csv", "latin-1") as pipe:
        assert pipe.read_bytes() == b""


# ------------------------------------------------------------------ dates

DAYS = (dt.date(2024, 1, 31) - dt.date(1970, 1, 1)).days


def test_dates_as_days(tmp_path: Path) -> None:
    text = "day,a,y\n2024-01-31,1,0\n1969-12-31,2,1\n1970-01-02 12:00,3,1\n"
    table = load(tmp_path, text, task(dates=True))
    assert table.columns == ("day", "a")
    assert table.values[:, 0].tolist() == [DAYS, -1.0, 1.5]
    table = load(tmp_path, text, task())
    assert table.columns == ("a",)
    assert table.ignored == ("day",)


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz", "timestamp_s", "timestamp_ms", "timestamp_ns"])
def test_dates_of_a_database(tmp_path: Path, kind: str) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"create table t as select '2024-01-31'::{kind} as day, 1 as a, 1 as y")
    source = SqlSource(database="x.duckdb", sql="select * from t")
    assert load_table(source, task(dates=True), "clinic", tmp_path).values.tolist() == [[DAYS, 1.0]]
    assert load_table(source, task(), "clinic", tmp_path).columns == ("a",)
    with pytest.raises(DataError, match="'day' holds dates"):
        load_table(source, task(("day",)), "clinic", tmp_path)


def test_dates_of_a_parquet_file(tmp_path: Path) -> None:
    table = pa.table({"day": [dt.date(2024, 1, 31), None], "a": [1, 2], "y": [0, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="1 in column 'day'"):
        load_table("a.parquet", task(dates=True), "clinic", tmp_path)


def test_dates_that_are_none(tmp_path: Path) -> None:
    said = refusal(tmp_path, "day,y\n2024-01-31,0\n2024-02-30,1\n", task(dates=True))
    assert "'day' holds dates, but data row 2" in said
    said = refusal(tmp_path, "day,y\n31/01/2024,0\n", task(("day",), dates=True))
    assert "'day' is not numeric: data row 1" in said
    assert 'dates = "days"' in refusal(tmp_path, "day,y\n2024-01-31,0\n", task(("day",)))


# ------------------------------------------------------------------ categories


def test_a_category_becomes_indicators(tmp_path: Path) -> None:
    text = "a,stage,b,y\n1,II,5,0\n2,i,6,1\n3, III ,7,1\n"
    table = load(tmp_path, text, task(categories=STAGES))
    assert table.columns == ("a", "stage=II", "stage=III", "b")
    assert table.values.tolist() == [[1, 1, 0, 5], [2, 0, 0, 6], [3, 0, 1, 7]]
    assert table.ignored == ()
    table = load(tmp_path, text, task(("b", "stage"), categories=STAGES))
    assert table.columns == ("b", "stage=II", "stage=III")


def test_a_category_has_all_its_levels_whatever_occurs(tmp_path: Path) -> None:
    table = load(tmp_path, "stage,y\nI,0\nI,1\n", task(categories=STAGES))
    assert table.columns == ("stage=II", "stage=III")
    assert table.values.tolist() == [[0, 0], [0, 0]]


def test_levels_that_are_numbers_or_look_like_nothing(tmp_path: Path) -> None:
    levels = {"grade": ("1", "2"), "severity": ("none", "mild")}
    text = "grade,severity,y\n1,none,0\n2.0,mild,1\n01,None,1\n"
    table = load(tmp_path, text, task(categories=levels))
    assert table.values.tolist() == [[0, 0], [1, 1], [0, 0]]
    columns = {"grade": [1.0, 2.0], "severity": ["none", "mild"], "y": [0, 1]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = load_table("a.parquet", task(categories=levels), "clinic", tmp_path)
    assert table.values.tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("level", ["it's", 'say "x"', "a;b", "größer", "100%", "\\"])
def test_any_level_works(tmp_path: Path, level: str) -> None:
    cell = level.replace('"', '""')
    table = load(tmp_path, f'c,y\n"{cell}",0\nother,1\n', task(categories={"c": ("other", level)}))
    assert table.columns == (f"c={level}",)
    assert table.values.tolist() == [[1.0], [0.0]]


def test_a_level_that_is_not_listed(tmp_path: Path) -> None:
    said = refusal(tmp_path, "stage,y\nI,0\nSECRET,1\nSECRET,1\nIV,0\n", task(categories=STAGES))
    assert "column 'stage' holds 2 values that [task.categories] does not list, in 3 rows (first in data row 2)" in said
    assert "SECRET" not in said
    assert "1 in column 'stage'" in refusal(tmp_path, "stage,y\nI,0\nNA,1\n", task(categories=STAGES))


def test_categories_that_cannot_be(tmp_path: Path) -> None:
    said = refusal(tmp_path, "a,stag,y\n1,I,0\n", task(categories=STAGES))
    assert "no column 'stage' (a category)" in said
    assert "'stag'" in said
    said = refusal(tmp_path, "stage,stage=II,y\nI,1,0\n", task(categories=STAGES))
    assert "'stage=II'" in said
    said = refusal(tmp_path, "stage,y\nI,0\nII,1\n", task(("stage",)))
    assert "[task.categories]" in said


# ------------------------------------------------------------------ the target


@pytest.mark.parametrize(
    ("positive", "cells", "target"),
    [
        ("malignant", ["malignant", "benign"], [1.0, 0.0]),
        ("Malignant ", ["benign", " MALIGNANT"], [0.0, 1.0]),
        ("M", ["M", "M"], [1.0, 1.0]),
        ("M", ["B", "B"], [0.0, 0.0]),
        ("2", ["1", "2.0"], [0.0, 1.0]),
        ("0", ["1", "0"], [0.0, 1.0]),
        ("none", ["none", "some"], [1.0, 0.0]),
        ("yes", ["no", "yes"], [0.0, 1.0]),
        ("it's", ["it's", "not"], [1.0, 0.0]),
    ],
)
def test_a_coding_of_the_target(tmp_path: Path, positive: str, cells: list[str], target: list[float]) -> None:
    text = "a,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    assert load(tmp_path, text, task(positive=positive)).target.tolist() == target


def test_a_target_of_more_than_two_values(tmp_path: Path) -> None:
    said = refusal(tmp_path, "a,y\n1,malignant\n2,benign\n3,SECRET\n", task(positive="malignant"))
    assert "'y'" in said
    assert "holds 2 others" in said
    assert "SECRET" not in said
    assert "1 in column 'y'" in refusal(tmp_path, "a,y\n1,malignant\n2,\n", task(positive="malignant"))
    assert 'positive = "..."' in refusal(tmp_path, "a,y\n1,malignant\n2,benign\n")


# ------------------------------------------------------------------ anything at all

cells = st.text(alphabet="ay01,;.'\"\n\r\t é\u00a0-:NaInf", max_size=80)
codecs = st.sampled_from(["utf-8", "utf-16", "utf-16-le", "latin-1", "cp1252"])
encodings = st.sampled_from(["utf-8", "utf-16", "latin-1", "windows-1252"])


@steady(60)
@given(
    content=st.binary(max_size=120) | st.builds(lambda text, codec: ("a;b;y\n" + text).encode(codec), cells, codecs),
    encoding=encodings,
    form=st.sampled_from([COMMA, GERMAN, FRENCH, SWISS, ENGLISH]),
    missing=st.sampled_from(["refuse", "drop", "mean"]),
    positive=st.sampled_from([None, "1", "a"]),
    levels=st.sampled_from([{}, {"b": ("0", "1")}, {"b": ("a", "-")}]),
)
def test_any_file_in_any_form_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    encoding: str,
    form: TextForm,
    missing: str,
    positive: str | None,
    levels: dict[str, tuple[str, ...]],
) -> None:
    what = task(positive=positive, categories=levels, dates=True).model_copy(update={"missing": missing})
    try:
        table = load(tmp_path_factory.mktemp("any"), content, what, replace(form, encoding=encoding))
    except DataError:
        return
    assert np.isfinite(table.values).all()
    assert set(table.target.tolist()) <= {0.0, 1.0}
    assert table.values.shape == (table.rows, len(table.columns))


# ------------------------------------------------------------------ interactions

INTERACTING = "y,age,male,stage\n0,40,0,I\n1,50,1,II\n1,60,0,III\n0,30,1,II\n1,70,1,I\n"


def test_products_of_columns_are_features(tmp_path: Path) -> None:
    table = load(tmp_path, INTERACTING, task(("age", "age:male")))
    assert table.columns == ("age", "age:male")
    np.testing.assert_array_equal(table.values[:, 1], [0, 50, 0, 30, 70])


def test_products_with_a_category_are_one_a_level_but_the_first(tmp_path: Path) -> None:
    asked = task(("male", "stage:age", "age:male:stage"), categories=STAGES)
    table = load(tmp_path, INTERACTING, asked)
    assert table.columns == asked.feature_names
    assert table.columns[:3] == ("male", "stage=II:age", "stage=III:age")
    assert table.columns[3:] == ("age:male:stage=II", "age:male:stage=III")
    np.testing.assert_array_equal(table.values[:, 1], [0, 50, 0, 30, 0])
    np.testing.assert_array_equal(table.values[:, 2], [0, 0, 60, 0, 0])
    np.testing.assert_array_equal(table.values[:, 3], [0, 50, 0, 30, 0])


def test_a_table_knows_what_its_columns_are_made_of(tmp_path: Path) -> None:
    """So that each level's rows can be counted, the first's too, and each combination's of a product."""
    made = load(tmp_path, INTERACTING, task(("stage:age", "stage", "male"), categories=STAGES)).made
    assert made is not None and made.values is not None
    assert made.factors == ((0, 1),)  # of stage, age and male, as they were read
    assert made.products == ((0, 2), (1, 2), (0,), (1,), (3,))
    np.testing.assert_array_equal(made.values[:, 2], [40, 50, 60, 30, 70])
    few = load(tmp_path, INTERACTING, task(("age:male", "age"))).select(["age"]).made
    assert few is not None and few.products == ((0,),)
    plain = load(tmp_path, INTERACTING, task(("male", "stage"), categories=STAGES)).made
    assert plain is not None and plain.values is None and plain.factors == ((1, 2),)
    # Of columns that all owners share, some of the table's: what they are made of stays.
    some = load(tmp_path, INTERACTING, task(("male", "stage"), categories=STAGES)).select(["stage=II", "stage=III"])
    assert some.made is not None and some.made.products == ((1,), (2,)) and some.made.values is not None


def test_gaps_are_filled_before_columns_are_multiplied(tmp_path: Path) -> None:
    holes = INTERACTING.replace("60,0", ",1")
    asked = task(("age:male", "age")).model_copy(update={"missing": "mean"})
    table = load(tmp_path, holes, asked)
    np.testing.assert_allclose(table.values[2], [47.5, 47.5])
    assert table.missing == (1, 1, 0)
    assert "values are missing: 1 in column 'age'" in refusal(tmp_path, holes, task(("age:male",)))


def test_a_column_with_a_colon_in_its_name_is_a_column(tmp_path: Path) -> None:
    table = load(tmp_path, "y,a:b,a,b\n0,7,1,2\n1,8,3,4\n0,1,1,1\n1,2,2,2\n0,3,3,3\n", task(("a:b",)))
    np.testing.assert_array_equal(table.values[:2, 0], [7, 8])


def test_an_interaction_with_a_column_that_is_not_there(tmp_path: Path) -> None:
    assert "there is no column 'mle' (features); did you mean 'male'?" in refusal(
        tmp_path, INTERACTING, task(("age:mle",))
    )
