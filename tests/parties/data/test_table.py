"""An owner's data: every table that should be read is read exactly, every other one is refused in words."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError, plain_text
from parties.data.read import RawTable
from parties.data.table import MAX_MAGNITUDE, Table, load_table
from parties.scenario.file import SqlSource
from parties.tasks.logistic.settings.task import LogisticTask
from tests.examples import steady


def task(target: str = "y", features: tuple[str, ...] | None = None, id: str | None = None) -> LogisticTask:
    return LogisticTask(kind="logistic_regression", target=target, features=features, id=id)


def from_text(folder: Path, content: str | bytes, what: LogisticTask | None = None, name: str = "a.csv") -> Table:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return load_table(name, what or task(), "clinic", folder)


def from_arrow(folder: Path, columns: Mapping[str, object], what: LogisticTask | None = None) -> Table:
    pq.write_table(pa.table(dict(columns)), folder / "a.parquet")
    return load_table("a.parquet", what or task(), "clinic", folder)


def from_query(folder: Path, sql: str, what: LogisticTask | None = None) -> Table:
    database = folder / "x.duckdb"
    if not database.exists():
        with duckdb.connect(str(database)) as connection:
            connection.execute("create table p as select range as a, range % 2 as y from range(6)")
    return load_table(SqlSource(database="x.duckdb", sql=sql), what or task(), "clinic", folder)


# ------------------------------------------------------------------ what is read


def test_a_plain_csv(tmp_path: Path) -> None:
    table = from_text(tmp_path, "y,age,size\n1,40,1.5\n0,50,-2e3\n")
    assert table.columns == ("age", "size")
    assert table.values.tolist() == [[40.0, 1.5], [50.0, -2000.0]]
    assert table.target.tolist() == [1.0, 0.0]
    assert (table.rows, table.owner, table.source, table.ignored) == (2, "clinic", "a.csv", ())
    assert table.values.dtype == table.target.dtype == np.float64
    assert table.values.flags.c_contiguous
    with pytest.raises(ValueError):
        table.values[0, 0] = 1.0


READ = {
    "byte order mark": b"\xef\xbb\xbfa,b,y\n1,2,0\n3,4,1\n",
    "semicolons": "a;b;y\n1;2;0\n3;4;1\n",
    "tabs": "a\tb\ty\n1\t2\t0\n3\t4\t1\n",
    "bars": "a|b|y\n1|2|0\n3|4|1\n",
    "windows line ends": "a,b,y\r\n1,2,0\r\n3,4,1\r\n",
    "old line ends": "a,b,y\r1,2,0\r3,4,1\r",
    "no last line end": "a,b,y\n1,2,0\n3,4,1",
    "blank lines at the end": "a,b,y\n1,2,0\n3,4,1\n\n\n",
    "quoted numbers": '"a","b","y"\n"1","2","0"\n"3","4","1"\n',
    "spaces around": "a, b, y\n1, 2, 0\n3, 4, 1\n",
    "floats in the target": "a,b,y\n1,2,0.0\n3,4,1.0\n",
    "yes and no": "a,b,y\n1,2,No\n3,4,YES\n",
    "true and false": "a,b,y\n1,2,False\n3,4,TRUE\n",
    "leading zeros": "a,b,y\n001,02,0\n3.0,4.,1\n",
    "an index without a name": ",a,b,y\n0,1,2,0\n1,3,4,1\n",
    "text and dates besides": "a,name,b,day,y\n1,x,2,2020-01-02,0\n3,z,4,2021-01-02,1\n",
    "a text with delimiters": 'a,name,b,y\n1,"x, ""y""\nz",2,0\n3,z,4,1\n',
    "an empty column": "a,b,none,y\n1,2,,0\n3,4,NA,1\n",
    "a code that is sometimes a number": "a,b,icd,y\n1,2,E11,0\n3,4,E12,1\n",
}


@pytest.mark.parametrize("content", READ.values(), ids=READ.keys())
def test_text_files_as_people_have_them(tmp_path: Path, content: str | bytes) -> None:
    table = from_text(tmp_path, content)
    assert table.columns == ("a", "b")
    assert table.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert table.target.tolist() == [0.0, 1.0]


def test_the_ending_may_be_in_capitals_and_the_path_absolute(tmp_path: Path) -> None:
    assert from_text(tmp_path, "a,y\n1,0\n", name="A.CSV").rows == 1
    assert from_text(tmp_path, "a\ty\n1\t0\n", name="a.Tsv").rows == 1
    assert load_table(str(tmp_path / "A.CSV"), task(), "clinic", Path("elsewhere")).rows == 1


@pytest.mark.parametrize("name", ["a*.csv", "a[1].csv", "a?.csv", "it's.csv", "ä b.csv"])
def test_a_path_is_a_name_and_not_a_pattern(tmp_path: Path, name: str) -> None:
    from_text(tmp_path, "a,y\n9,1\n", name="a1.csv")
    from_text(tmp_path, "a,y\n9,1\n", name="ab.csv")
    assert from_text(tmp_path, "a,y\n1,0\n", name=name).values.tolist() == [[1.0]]


@pytest.mark.parametrize(
    "name", ["select", 'se"l ect', "it's", "group by", "größe", "c0", "row", "s", "1st", "a;b", "x\u2028y"]
)
def test_any_column_name_works(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    table = from_text(tmp_path, f'{quoted},"the y",x\n7,1,2\n', task("the y", features=("x", name)))
    assert table.columns == ("x", name)
    assert table.values.tolist() == [[2.0, 7.0]]
    assert from_arrow(tmp_path, {name: [7.0], "y": [1]}).columns == (name,)
    sql = f"select 7 as {quoted}, 1 as y"
    assert from_query(tmp_path, sql).columns == (name,)


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    for table in (
        from_text(tmp_path, "Age,age,AGE,y\n1,2,3,1\n"),
        from_arrow(tmp_path, {"Age": [1], "age": [2], "AGE": [3], "y": [1]}),
        from_query(tmp_path, 'select 1 as "Age", 2 as "age", 3 as "AGE", 1 as y'),
    ):
        assert table.columns == ("Age", "age", "AGE")
        assert table.values.tolist() == [[1.0, 2.0, 3.0]]


def test_nested_columns_are_ignored(tmp_path: Path) -> None:
    nested = [{"p": {"q": [1, 2]}, "r": 3}]
    table = from_arrow(tmp_path, {"a": [1], "n": nested, "l": [[1]], "b": [2], "y": [1]})
    assert table.columns == ("a", "b")
    assert table.values.tolist() == [[1.0, 2.0]]
    assert table.ignored == ("n", "l")


def test_a_repeated_name_in_parquet(tmp_path: Path) -> None:
    columns = pa.Table.from_arrays([pa.array([1.0])] * 3, names=["a", "a", "y"])
    pq.write_table(columns, tmp_path / "a.parquet")
    with pytest.raises(DataError, match="the file names more than one column 'a'"):
        load_table("a.parquet", task(), "clinic", tmp_path)


def test_a_folders_name_is_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "year=2024"
    folder.mkdir()
    assert from_text(folder, "a,y\n1,0\n").columns == ("a",)
    assert from_arrow(folder, {"a": [1], "y": [0]}).columns == ("a",)


def test_features_in_the_order_that_the_task_gives(tmp_path: Path) -> None:
    text = "a,b,c,y,id\n1,2,3,0,p1\n4,5,6,1,p2\n"
    table = from_text(tmp_path, text, task(features=("c", "a"), id="id"))
    assert table.columns == ("c", "a")
    assert table.values.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert table.ignored == ("b",)


def test_what_was_ignored_is_told(tmp_path: Path) -> None:
    table = from_text(tmp_path, ",a,name,y,empty\n0,1,x,0,\n1,3,z,1,\n")
    assert table.ignored == ("(column 1, without a name)", "name", "empty")


def test_booleans_are_features(tmp_path: Path) -> None:
    table = from_text(tmp_path, "smoker,y\ntrue,0\nFALSE,1\n")
    assert table.values.tolist() == [[1.0], [0.0]]
    table = from_arrow(tmp_path, {"smoker": [True, False], "y": [True, False]})
    assert table.values.tolist() == [[1.0], [0.0]]
    assert table.target.tolist() == [1.0, 0.0]


SIGNED = ("tinyint", "smallint", "integer", "bigint", "hugeint")


def test_every_numeric_type_of_a_database(tmp_path: Path) -> None:
    types = [*SIGNED, *(f"u{name}" for name in SIGNED), "float", "double"]
    cells = ", ".join(f"3::{name} as c_{name}" for name in types)
    table = from_query(tmp_path, f"select {cells}, 1.25::decimal(9, 4) as d, true as b, 'x' as t, 1 as y")
    assert table.columns == (*(f"c_{name}" for name in types), "d", "b")
    assert table.values.tolist() == [[3.0] * len(types) + [1.25, 1.0]]
    assert table.ignored == ("t",)


@pytest.mark.parametrize("target", [["yes", "No"], [1.0, 0.0], [1, 0], [True, False], ["1", "0"]])
def test_the_target_in_every_form(tmp_path: Path, target: list[object]) -> None:
    assert from_arrow(tmp_path, {"a": [1, 2], "y": target}).target.tolist() == [1.0, 0.0]
    if isinstance(target[0], str):
        category = pd.Series(target, dtype="category")
        assert from_arrow(tmp_path, {"a": [1, 2], "y": category}).target.tolist() == [1.0, 0.0]


def test_queries(tmp_path: Path) -> None:
    assert from_query(tmp_path, "select a, y from p").values[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    table = from_query(tmp_path, "-- newest first\nselect a, y from p order by a desc; -- all\n")
    assert table.values[:, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert table.source == "x.duckdb"
    assert from_query(tmp_path, "with q as (from p) select * from q where a < 3").rows == 3


def test_the_order_of_many_rows_is_the_files(tmp_path: Path) -> None:
    rows = 300_000
    text = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(rows))
    assert np.array_equal(from_text(tmp_path, text).values[:, 0], np.arange(rows))
    columns = {"a": np.arange(rows), "y": np.arange(rows) % 2}
    assert np.array_equal(from_arrow(tmp_path, columns).values[:, 0], np.arange(rows))


def test_a_tables_repr_shows_no_data(tmp_path: Path) -> None:
    table = from_text(tmp_path, "secretcolumn,y\n424242,1\n")
    for text in (repr(table), str(table), f"{table}"):
        assert text == "Table(owner='clinic', rows=1, columns=1)"


def test_the_digest_is_of_the_values(tmp_path: Path) -> None:
    one = from_text(tmp_path, "a,b,y\n1,2,0\n3,4,1\n")
    assert len(one.digest) == 64
    assert one.digest == from_arrow(tmp_path, {"a": [1, 3], "b": [2.0, 4.0], "y": [0, 1]}).digest
    changes = ("a,b,y\n1,2,0\n3,4.5,1\n", "a,b,y\n1,2,1\n3,4,1\n", "a,c,y\n1,2,0\n3,4,1\n", "a,b,y\n1,2,0\n")
    digests = {from_text(tmp_path, text).digest for text in changes}
    assert len(digests | {one.digest}) == 5


def test_select(tmp_path: Path) -> None:
    table = from_text(tmp_path, "a,b,c,y\n1,2,3,0\n4,5,6,1\n")
    chosen = table.select(["c", "a"])
    assert chosen.columns == ("c", "a")
    assert chosen.values.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert chosen.values.flags.c_contiguous
    assert chosen.ignored == ("b",)
    assert chosen.digest == from_text(tmp_path, "c,a,y\n3,1,0\n6,4,1\n").digest
    with pytest.raises(DataError, match="no numeric column 'd'"):
        table.select(["a", "d"])


# ------------------------------------------------------------------ what is refused

SECRET = "424242"  # stands in cells of the bad tables: no message may hold it

BAD_TEXT: dict[str, tuple[str | bytes, LogisticTask, list[str]]] = {
    "empty": (b"", task(), ["is empty"]),
    "only blank lines": (b"\n\n", task(), ["is empty"]),
    "header only": ("a,y\n", task(), ["header but no row"]),
    "header only, no line end": ("a,y", task(), ["header but no row"]),
    "begins with an empty line": ("\na,y\n1,0\n", task(), ["begins with an empty line"]),
    "no header": ("1.5,0\n424242,1\n", task(), ["no column 'y'", "looks like data"]),
    "names no column": (",,\n1,2,3\n", task(), ["names no column"]),
    "repeated name": ("a,y,a\n1,0,424242\n", task(), ["more than one column 'a'"]),
    "target missing": ("a,Malignnt\n1,0\n", task("malignant"), ["'malignant' (the target)", "'Malignnt'"]),
    "target missing, none near": ("a,b\n1,0\n", task("zzz"), ["'zzz' (the target)", "'a', 'b'"]),
    "feature missing": ("age,y\n1,0\n", task(features=("agee",)), ["'agee' (features)", "mean 'age'"]),
    "features missing": ("age,y\n1,0\n", task(features=("u", "v")), ["no columns 'u' and 'v' (features)"]),
    "id missing": ("a,y\n1,0\n", task(id="patient"), ["'patient' (the id)"]),
    "text late in a column": ("a,y\n" + "1,0\n" * 30_000 + "x424242,0\n", task(), ["'a'", "data row 30001"]),
    "text in a feature asked for": ("a,y\nx424242,0\n", task(features=("a",)), ["'a' is not numeric", "row 1"]),
    "date as a feature": ("d,y\n2020-01-02,0\n", task(features=("d",)), ["'d' holds dates", 'dates = "days"']),
    "thousands separator": ('a,y\n5,0\n"424,242",1\n', task(), ["'a'", "thousands", "data row 2"]),
    "thousands with dots": ("a,y\n1.424.242,0\n", task(), ["'a'", "thousands", "data row 1"]),
    "thousands with apostrophes": ("a,y\n424'242,0\n", task(), ["'a'", "thousands"]),
    "decimal comma": ("a;y\n424242,5;0\n", task(), ["'a'", "decimal comma", "data row 1"]),
    "underscores": ("a,y\n424_242,0\n", task(), ["'a'", "thousands"]),
    "hexadecimal": ("a,y\n1,0\n2,1\n0x424242,1\n", task(), ["'a' is not numeric", "data row 3"]),
    "missing cells": ("a,b,y\n,1,0\n424242,NA,1\nNaN,2,0\n", task(), ["2 in column 'a'", "1 in column 'b'"]),
    "missing target": ("a,y\n424242,\n1,1\n", task(), ["1 in column 'y'"]),
    "target all missing": ("a,y\n424242,\n1,NA\n", task(), ["2 in column 'y'"]),
    "feature all missing": ("a,b,y\n,1,0\n,2,1\n", task(features=("a",)), ["2 in column 'a'"]),
    "infinite": ("a,y\n1,0\n-inf,1\n", task(), ["'a'", "infinite", "data row 2"]),
    "too large for a float": ("a,y\n1,0\n1e400,1\n", task(), ["'a'", "infinite", "data row 2"]),
    "1e300": ("a,y\n1,0\n1e300,1\n", task(), ["'a'", "2^40", "data row 2", "unit"]),
    "an identifier": ("a,y\n9007199254740993,0\n", task(), ["'a'", "2^40", "identifier"]),
    "target 1 and 2": ("a,y\n1,1\n2,424242\n", task(), ["target column 'y'", "0 and 1", "data row 2"]),
    "target of words": ("a,y\n1,benign424242\n", task(), ["target column 'y'", "data row 1"]),
    "target of two codings": ("a,y\n1,yes\n2,no\n3,true\n", task(), ["target column 'y'", "data row 3"]),
    "target of 0.5": ("a,y\n1,0\n2,0.5\n", task(), ["target column 'y'", "data row 2"]),
    "repeated ids": ("p,a,y\nx424242,1,0\nx424242,1,0\nz,1,1\n", task(id="p"), ["id column 'p'", "1 row "]),
    "missing ids": ("p,a,y\n,1,0\n,1,0\nz,1,1\n", task(id="p"), ["id column 'p'", "empty in 2 rows"]),
    "no numeric column": ("name,y\nx424242,0\n", task(), ["no numeric column besides the target 'y'"]),
    "no column but target": ("y\n0\n1\n", task(), ["no numeric column"]),
    "what separates cells": ("sep=,\na,y\n1,0\n", task(), ["a spreadsheet's note of what separates"]),
    "a title": ("Export 2024\n\na,y\n1,0\n", task(), ["line 3 has 2 cells", "remove a title"]),
    "letters that look alike": ("gro\u0308ße,y\n1,0\n", task(features=("größe",)), ["other Unicode characters"]),
    "a row too short": ("a,b,y\n1,2,0\n424242\n", task(), ["line 3 has 1 cell where", "names 3 columns"]),
    "a row too long": ("a,y\n1,0\n1,0,424242\n", task(), ["line 3 has 3 cells", "names 2 columns"]),
    "an open quote": ('a,y\n1,"0\n424242,1\n' + "1,0\n" * 9, task(), ["line 2", "quote", "not closed"]),
    "binary": (bytes(range(256)) * 9, task(), ["not a text file"]),
    "a spreadsheet": (b"PK\x03\x04\x14\x00\x06\x00" + bytes(100), task(), ["not a text file"]),
    "compressed": (gzip.compress(b"a,y\n1,0\n", mtime=0), task(), ["not a text file"]),
    "utf-16 without its mark": ("a,y\n1,0\n".encode("utf-16-le"), task(), ["not a text file"]),
    "latin-1 header": ("größe,y\n1,0\n".encode("latin-1"), task(), ["not UTF-8", "line 1"]),
    "latin-1 cell": ("a,b,y\n1,x,0\n2,größe,1\n".encode("latin-1"), task(), ["not UTF-8", "line 3"]),
}  # fmt: skip


@pytest.mark.parametrize(("content", "what", "must_say"), BAD_TEXT.values(), ids=BAD_TEXT.keys())
def test_a_bad_text_file(tmp_path: Path, content: str | bytes, what: LogisticTask, must_say: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        from_text(tmp_path, content, what)
    check_message(caught.value, "a.csv", must_say)


BAD_COLUMNS: dict[str, tuple[dict[str, object], LogisticTask, list[str]]] = {
    "no rows": ({"a": pa.array([], "double"), "y": pa.array([], "int8")}, task(), ["no row of data"]),
    "null": ({"a": [1.0, None], "y": [1, 0]}, task(), ["1 in column 'a'"]),
    "nan": ({"a": [1.0, float("nan")], "y": [1, 0]}, task(), ["1 in column 'a'"]),
    "infinite": ({"a": [1.0, float("inf")], "y": [1, 0]}, task(), ["'a'", "infinite", "row 2"]),
    "beyond 2^53": ({"a": [2**53 + 1], "y": [1]}, task(), ["'a'", "2^40", "row 1"]),
    "text asked for": ({"a": ["424242"], "y": [1]}, task(features=("a",)), ["'a' is not numeric", "VARCHAR"]),
    "list asked for": ({"a": [[424242]], "y": [1]}, task(features=("a",)), ["'a' is not numeric", "[]"]),
    "target null": ({"a": [1, 2], "y": [None, True]}, task(), ["1 in column 'y'"]),
    "target 424242": ({"a": [1, 2], "y": [0, 424242]}, task(), ["target column 'y'", "row 2"]),
    "repeated ids": ({"a": [1, 2], "y": [0, 1], "p": [424242, 424242]}, task(id="p"), ["id column 'p'", "1 row"]),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "what", "must_say"), BAD_COLUMNS.values(), ids=BAD_COLUMNS.keys())
def test_a_bad_parquet_file(
    tmp_path: Path, columns: dict[str, object], what: LogisticTask, must_say: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        from_arrow(tmp_path, columns, what)
    check_message(caught.value, "a.parquet", must_say)


BAD_SQL = [
    ("selec 1", ["the sql failed", "syntax error"]),
    ("select nope from p", ["the sql failed", "nope"]),
    ("select * from nope", ["the sql failed", "nope"]),
    ("select a, y, a from p", ["the query names more than one column 'a'"]),
    ("select * from p where a > 100", ["no row of data"]),
    ("select ('x424242' || a)::int as a, y from p", ["the sql failed", "does not have the form"]),
    ("select a, y + 424242 as y from p", ["target column 'y'", "row 1"]),
]


@pytest.mark.parametrize(("sql", "must_say"), BAD_SQL, ids=[sql for sql, _ in BAD_SQL])
def test_a_bad_query(tmp_path: Path, sql: str, must_say: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        from_query(tmp_path, sql)
    check_message(caught.value, "x.duckdb", must_say)


def test_a_wide_table_is_looked_at_some_columns_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB takes time for a query by the square of its columns: 3,000 in one took half a minute."""
    asked: list[int] = []
    one_row = RawTable.one_row

    def counted(raw: RawTable, expressions: Sequence[str], *rest: str) -> tuple[object, ...]:
        asked.append(len(expressions))
        return one_row(raw, expressions, *rest)

    monkeypatch.setattr(RawTable, "one_row", counted)
    names = [f"g{k}" for k in range(250)]
    lines = [",".join([*names, "y"]), *(",".join([str(k / 8)] * 250 + [str(k % 2)]) for k in range(6))]
    table = from_text(tmp_path, "\n".join(lines))
    assert table.columns == tuple(names)
    assert 100 <= max(asked) < 250


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_too_little_memory_is_not_taken_for_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def full(*_: object) -> None:
        raise duckdb.OutOfMemoryException("Out of Memory Error: 1,0 is too much")

    pq.write_table(pa.table({"a": [1.0], "y": [0]}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("a,y\n1,0\n")
    monkeypatch.setattr("parties.data.read._store", full)
    with pytest.raises(DataError) as caught:
        load_table(name, task(), "clinic", tmp_path)
    check_message(caught.value, name, ["not enough memory", "ulimit -v"])


def test_files_that_are_not_there_or_not_files(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    (tmp_path / "x.xlsx").write_bytes(b"PK\x03\x04")
    (tmp_path / "bare").write_text("a,y\n1,0\n")
    (tmp_path / "x.db").write_bytes(b"not a database" * 1000)
    (tmp_path / "empty.parquet").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.csv")  # with nobody who writes to it
    sources: list[tuple[str | SqlSource, str, list[str]]] = [
        ("none.csv", "none.csv", ["there is no file", "`data`"]),
        ("folder.csv", "folder.csv", ["a folder"]),
        ("x.parquet", "x.parquet", ["not a Parquet file, or one cut short"]),
        ("empty.parquet", "empty.parquet", ["is empty"]),
        ("x.xlsx", "x.xlsx", ["'.xlsx'", ".parquet"]),
        ("bare", "bare", ["a file without an ending", ".csv, .tsv or .parquet"]),
        ("pipe.csv", "pipe.csv", ["a pipe or a device", "save the table in a file"]),
        ("~/a.csv", "a.csv", ["there is no file", "write the whole path"]),
        ("https://example.org/a.csv", "a.csv", ["there is no file", "nothing is fetched from the network"]),
        ("a\0.csv", "a\0.csv", ["cannot be read"]),
        (SqlSource(database="none.duckdb", sql="select 1"), "none.duckdb", ["there is no file"]),
        (SqlSource(database="x.db", sql="select 1"), "x.db", ["cannot be opened"]),
    ]
    for source, name, must_say in sources:
        with pytest.raises(DataError) as caught:
            load_table(source, task(), "clinic", tmp_path)
        check_message(caught.value, name, must_say)
    assert not (tmp_path / "none.duckdb").exists()


def check_message(error: DataError, source: str, must_say: list[str]) -> None:
    assert error.exit_code == 3
    assert error.party == "clinic"
    assert error.message.startswith(f"clinic, {plain_text(source)}: ")
    said = str(error)
    assert "\n" not in said
    assert SECRET not in said.replace(",", "").replace("_", "")
    for words in must_say:
        assert words in said


# ------------------------------------------------------------------ the same bits

numbers = st.floats(-MAX_MAGNITUDE, MAX_MAGNITUDE, allow_nan=False)
tables = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=12)
)


@steady(25)
@given(rows=tables, delimiter=st.sampled_from([",", ";", "\t", "|"]), quote=st.sampled_from(["", '"']))
def test_text_gives_back_the_same_bits(rows: list[list[float]], delimiter: str, quote: str) -> None:
    width = len(rows[0])
    lines = [[*(f"c{i}" for i in range(width)), "y"], *([*map(repr, row), "1"] for row in rows)]
    text = "\n".join(delimiter.join(f"{quote}{cell}{quote}" for cell in line) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        table = from_text(Path(folder), text)
    assert table.values.tobytes() == np.array(rows).tobytes()


@steady(25)
@given(rows=tables)
def test_parquet_gives_back_the_same_bits(rows: list[list[float]]) -> None:
    values = np.array(rows)
    columns: dict[str, object] = {f"c{i}": values[:, i] for i in range(values.shape[1])}
    with tempfile.TemporaryDirectory() as folder:
        table = from_arrow(Path(folder), {**columns, "y": np.ones(len(rows))})
    assert table.values.tobytes() == values.tobytes()


@steady(25)
@given(content=st.binary(max_size=200) | st.text(alphabet='ay01,;"\n\r\t .-', max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            table = from_text(Path(folder), content)
        except DataError:
            return
    assert table.rows == table.values.shape[0] == table.target.shape[0] > 0
    assert np.isfinite(table.values).all()
    assert set(table.target.tolist()) <= {0.0, 1.0}


def test_importing_it_is_light() -> None:
    heavy = "{'duckdb', 'pandas', 'pyarrow', 'zmq'}"
    code = f"import sys, parties.data.table; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_query_that_fails_on_a_value_does_not_show_it(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("create table t as select 'Mrs Secret' as a, 1 as y")
    sql = "select y, strptime(a, '%Y') as b from t"
    with pytest.raises(DataError) as caught:
        load_table(SqlSource(database="x.duckdb", sql=sql), task(), "clinic", tmp_path)
    assert "Secret" not in str(caught.value)
    assert "the sql failed" in caught.value.message
