"""A query reaches its own database alone, and takes bounded memory and time: attempts at more."""

from __future__ import annotations

import os
import re
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import duckdb
import pytest

from mpc.errors import DataError
from parties.data.cells import TextForm
from parties.data.header import Origin
from parties.data.query import LIMITS, QUERY, QueryLimits, configuration, run_within_limits
from parties.data.read import open_source
from parties.scenario.models import SqlSource
from tests.run.command import mpc
from tests.run.scenarios import write_scenario

KEY = "bl1-this-is-the-private-key-of-hospital_a"
SMALL = QueryLimits(memory=2**27, seconds=0.5, grace=10.0, cells=10_000)
"""128 MiB, half a second, and so many cells."""

secret_rows = [(KEY,)]
"""A table's name may not be that of a Python variable."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database and things around it that a query might want."""
    here = tmp_path_factory.mktemp("made")
    with duckdb.connect(str(here / "x.duckdb")) as connection:
        connection.execute("create table p as select i as a, i % 2 as y from range(6) t(i)")
        connection.execute(f"create view v as select content from read_text('{here}/a.key')")
        connection.execute(f"create macro m(x) as table select * from read_text('{here}/a.key')")
        connection.execute(f"attach '{here}/other.duckdb'; create table other.p as select 1 as a")
        connection.execute(f"copy (select 1 as a) to '{here}/b.parquet'")
    (here / "a.key").write_text(KEY)
    (here / "b.csv").write_text("a,y\n8,1\n")
    return here


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The same for a test of its own."""
    return copytree(made, tmp_path, dirs_exist_ok=True)


def refusal(folder: Path, sql: str, limits: QueryLimits = LIMITS) -> DataError:
    source = SqlSource(database="x.duckdb", sql=sql)
    with pytest.raises(DataError) as caught, open_source(source, "clinic", folder, TextForm(), limits) as raw:
        pytest.fail(f"it gave {raw.rows} rows")
    assert caught.value.exit_code == 3 and caught.value.party == "clinic"
    assert caught.value.message.startswith("clinic, x.duckdb: the sql ") and caught.value.hint
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('{}/a.key')",
        "select * from read_blob('{}/a.key')",
        "select * from read_csv('{}/b.csv')",
        "select * from read_csv_auto('{}/*.csv')",
        "select * from read_json('{}/a.key')",
        "select * from read_parquet('{}/b.parquet')",
        "select * from parquet_metadata('{}/b.parquet')",
        "select * from sniff_csv('{}/b.csv')",
        "select * from glob('{}/*')",
        "select * from '{}/b.csv'",
        "from '{}/b.parquet'",
        "select * from '/etc/passwd'",
        "select * from read_text('/proc/self/environ')",
        "select * from 'http://127.0.0.1:9/x.csv'",
        "select * from read_csv('https://127.0.0.1:9/x.csv')",
        "select * from read_parquet('s3://bucket/x.parquet')",
        "select * from query('select * from read_text(''{}/a.key'')')",
        "select (select content from read_text('{}/a.key')) as a, 1 as y",
        "select * from v",
        "select * from m(1)",
        "select * from secret_rows",
        "select getenv('HOME') as a",
        "select * from sqlite_scan('{}/x.db', 't')",
        "select * from postgres_scan('host=127.0.0.1', 'public', 't')",
    ],
)
def test_a_query_sees_its_database_alone(folder: Path, sql: str) -> None:
    before = {path.name for path in folder.iterdir()}
    error = refusal(folder, sql.format(folder))
    assert re.search("outside its database|the sql failed", error.message)
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "sql",
    [
        "copy p to '{}/out.csv'",
        "copy (select * from read_text('{}/a.key')) to '{}/out.csv'",
        "export database '{}/out'",
        "attach '{}/other.duckdb' as o",
        "attach '{}/new.duckdb' as o",
        "install httpfs",
        "load httpfs",
        "load '{}/x.duckdb_extension'",
        "pragma enable_external_access=true",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "reset lock_configuration",
        "select 1 as a; select 2 as a",
        "set enable_external_access = true; select * from read_text('{}/a.key')",
        "drop table p; select 1 as a",
        "insert into p values (1, 1)",
        "call pragma_version()",
        "checkpoint",
        "prepare q as select 1",
        "create secret (type s3)",
        "use memory",
        "explain analyze select 1",
        "",
        "-- nothing",
    ],
)
def test_a_query_is_one_select(folder: Path, sql: str) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "is not one select statement" in refusal(folder, sql.replace("{}", str(folder)) or ";").message
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_no_setting_opens_again_what_is_closed(folder: Path) -> None:
    with open_source(SqlSource(database="x.duckdb", sql="from p"), "clinic", folder, TextForm()) as raw:
        for setting in ("enable_external_access = true", "lock_configuration = false", "memory_limit = '9GB'"):
            with pytest.raises(duckdb.Error):
                raw.connection.execute(f"set {setting}")
        with pytest.raises(duckdb.Error):
            raw.connection.execute("load httpfs")
    assert {configuration(database)["autoload_known_extensions"] for database in (True, False)} == {"false"}


def test_after_a_file_was_read_nothing_else_is(folder: Path) -> None:
    for name in ("b.csv", "b.parquet"):
        with open_source(name, "clinic", folder, TextForm()) as raw:
            for sql in (f"from read_text('{folder}/a.key')", f"from '{folder}/b.csv'", "set memory_limit = '1GB'"):
                with pytest.raises(duckdb.Error):
                    raw.connection.execute(sql)


@pytest.fixture
def peak() -> Iterator[None]:
    """Bounds by how much the memory of this process grew at any time, of a query that may take 134 MB."""
    before = _resident()
    highest = [before]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.01):
            highest[0] = max(highest[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    yield
    over.set()
    watcher.join()
    assert highest[0] - before < 750e6


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


ROOM = QueryLimits(memory=2**27, seconds=60.0, grace=10.0)


@pytest.mark.parametrize(
    "sql",
    [
        "select random() as a from range(3000000000)",
        "select range(3000000000) as a",
        "select repeat('x', 4000000000) as a",
        "select hash(repeat('x', 1000000000)) as a from range(100)",
        "select list(i) as a from range(1000000000) t(i)",
        "select string_agg(repeat('x', 100000), '') as a from range(1000000)",
        "select map_from_entries([(i, i) for i in range(100000000)]) as a",
        "select i as a from range(1000000000) t(i) order by random()",
        "select count(distinct i) as a from range(1000000000) t(i)",
    ],
)
@pytest.mark.usefixtures("peak")
def test_a_query_takes_bounded_memory(folder: Path, sql: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    assert "the sql needs more than 0.125 GiB of memory" in refusal(folder, sql, ROOM).message
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive t(i) as (select 1 union all select i + 1 from t) select count(*) as a from t",
        "with recursive t(i) as (select 1 union all select 1 from t) select i as a from t where i > 1",
        "select count(*) as a from range(100000) b, range(100000) c, range(1000) d",
        "select sum(i) as a from range(300000000000) t(i)",
    ],
)
@pytest.mark.usefixtures("peak")
def test_a_query_takes_bounded_time(folder: Path, sql: str) -> None:
    assert "the sql takes longer than 0.5 s" in refusal(folder, sql, SMALL).message


def test_a_query_that_hears_no_interrupt_is_left_behind() -> None:
    """As one step of DuckDB's over 2,048 rows, each of them a search through a long text."""
    over, ended = threading.Event(), threading.Event()
    before = resource.getrlimit(resource.RLIMIT_AS)

    def work() -> None:
        over.wait()
        ended.set()

    with duckdb.connect() as connection, pytest.raises(DataError, match=r"the sql takes longer than 0\.05 s"):
        run_within_limits(connection, work, Origin("clinic", "x.duckdb"), QueryLimits(seconds=0.05, grace=0.05))
    assert not ended.is_set()
    over.set()
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == QUERY:
            thread.join()
    assert resource.getrlimit(resource.RLIMIT_AS) == before


@pytest.mark.parametrize(
    ("sql", "most"), [("from range(10001) t(a)", 10_000), ("select i as a, i as b from range(5001) t(i)", 5_000)]
)
def test_a_query_gives_so_many_cells_at_most(folder: Path, sql: str, most: int) -> None:
    limits = QueryLimits(cells=10_000)
    assert f"the sql gives more than {most} rows" in refusal(folder, sql, limits).message
    fits = sql.replace("001", "000")
    with open_source(SqlSource(database="x.duckdb", sql=fits), "clinic", folder, TextForm(), limits) as raw:
        assert raw.rows == most


def test_a_database_is_a_file_whatever_its_name_begins_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("md:x", "sqlite:x", "postgres:x", "http:x", ":memory:"):
        with duckdb.connect(str(tmp_path / name)) as connection:
            connection.execute("create table p as select 3 as a")
        with open_source(SqlSource(database=name, sql="from p"), "clinic", Path(), TextForm()) as raw:
            assert raw.rows == 1


def test_mpc_run_and_plan_close_queries_in_the_same_way(folder: Path) -> None:
    """The attack: a key's letters as numbers, of which the joint statistics would have told each."""
    scenario = write_scenario(folder)
    numbers = "ascii(content) as years, 1 as dose, 1 as marker, 0 as outcome, 'x' as patient"
    query = f'{{ database = "x.duckdb", sql = "select {numbers} from read_text(\'{folder}/a.key\')" }}'
    scenario.write_text(scenario.read_text().replace('"hospital_a.csv"', query))
    for words in (("run", scenario, "--out", folder / "out"), ("plan", scenario)):
        ran = mpc(*words)
        assert ran.code == 3 and "Traceback" not in ran.err, ran.err
        said = " ".join(ran.err.split())
        assert "hospital_a, x.duckdb: the sql reaches for something outside its database" in said
