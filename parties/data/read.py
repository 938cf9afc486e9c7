"""Reading an owner's file or query into a table of DuckDB, once, without guessing.

A CSV file is read as text: types are determined from all its rows (see checks.py), never from a sample
of them, and every row must have as many cells as the header. Parquet files and queries keep their own types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from parties.base.bugs import reason_of
from parties.data.cells import TextForm, literal
from parties.data.header import HEAD_BYTES, Origin, csv_error, encoding_error, read_header, refuse_repeated
from parties.data.query import (
    LIMITS,
    QueryLimits,
    close_outside,
    configuration,
    memory_error,
    rows_error,
    run_within_limits,
)
from parties.data.recode import codec_of, open_as_utf8
from parties.scenario.models import SqlSource

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

TEXT_ENDINGS = (".csv", ".tsv")
PARQUET_ENDING = ".parquet"

_TABLE = "owner_data"
_MEMORY_HINT = "end other programs, or see what limits this one's memory (ulimit -v, a container's limit)"


@contextmanager
def open_source(
    source: str | SqlSource, owner: str, base: Path, form: TextForm, limits: QueryLimits = LIMITS
) -> Iterator[RawTable]:
    """The owner's rows as a table of a DuckDB connection that lives as long as the `with`.

    Args:
        source: a file's path, or a database and a query.
        owner: whose data they are; errors name this party.
        base: the folder that a relative path starts from.
        form: how the file is written, if it is a text file.
        limits: what a query may take.

    Raises:
        DataError: the data are missing, cannot be read, or hold no rows.
    """
    where = Origin(owner, Path(source.database if isinstance(source, SqlSource) else source).name)
    path = _find_file(source.database if isinstance(source, SqlSource) else source, base, where)
    if isinstance(source, SqlSource):
        with _connection(path, where, limits) as connection:
            yield _read_query(connection, source.sql, where, limits)
        return
    ending = path.suffix.lower()
    if ending not in (*TEXT_ENDINGS, PARQUET_ENDING):
        what = f"a file ending in '{path.suffix}'" if path.suffix else "a file without an ending"
        raise where.error(f"{what} cannot be read", "give a .csv, .tsv or .parquet file")
    head = _head(path, where)
    with _connection(None, where, limits) as connection:
        if ending == PARQUET_ENDING:
            yield _read_parquet(connection, path, where)
        else:
            yield _read_text(connection, path, head, where, form)


@dataclass(frozen=True)
class Column:
    """A column: its place, its name in the file ('' if it has none) and its DuckDB type."""

    index: int
    name: str
    type: str

    @property
    def sql(self) -> str:
        """Its name in a query, which is never the file's name for it."""
        return f"c{self.index}"

    @property
    def text(self) -> str:
        """The SQL expression for its cells' text: small letters, no space or tab around."""
        return f"lower(trim(cast({self.sql} as varchar), ' ' || chr(9)))"


@dataclass(frozen=True)
class RawTable:
    """An owner's rows in DuckDB, in their order. `is_text`: every cell is the text of a CSV file, in this `form`."""

    connection: DuckDBPyConnection
    where: Origin
    columns: tuple[Column, ...]
    rows: int
    is_text: bool
    form: TextForm

    def one_row(self, expressions: Sequence[str], source: str = _TABLE) -> tuple[object, ...]:
        """The single row that aggregate expressions over the table give."""
        row = self.connection.execute(f"select {', '.join(expressions)} from {source}").fetchone()
        return tuple(row or ())

    def view_of(self, column: Column) -> str:
        """A subquery of one column: its row number `row`, `s`, its text, and `n`, the number that this is."""
        texts = f"(select rowid + 1 as row, {column.text} as s from {_TABLE})"
        return f"(select row, s, {self.form.number('s')} as n from {texts})"

    def repeated(self, columns: Sequence[Column]) -> int:
        """The number of rows that equal an earlier one in these columns."""
        found = self.one_row([f"count(*) - count(distinct hash({', '.join(column.sql for column in columns)}))"])
        return int(str(found[0]))

    def arrays(self, expressions: Sequence[str], source: str = _TABLE) -> Mapping[str, object]:
        """One numpy array an expression, in the order of the rows, under the names v0, v1, ..."""
        columns = ", ".join(f"{expression} as v{i}" for i, expression in enumerate(expressions))
        found: Mapping[str, object] = self.connection.execute(f"select {columns} from {source}").fetchnumpy()
        return found


def _find_file(name: str, base: Path, where: Origin) -> Path:
    path = base.absolute() / name  # DuckDB takes an absolute path for a file, whatever the file's name begins with
    try:
        if path.is_dir():
            raise where.error("this is a folder, not a file", "name the file in it")
        if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
            raise where.error("this is a pipe or a device, not a file", "save the table in a file")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise where.error(f"there is no file {path}", _missing_file_hint(name)) from None
    except (OSError, ValueError) as error:
        raise where.error(f"the file cannot be read ({reason_of(error)})", "check its permissions") from None
    return path


def _missing_file_hint(name: str) -> str:
    if name.startswith("~"):
        return "~ is not read as a home folder here: write the whole path"
    if "://" in name:
        return "nothing is fetched from the network: save the table in a file first"
    return "check `data` in the scenario file"


def _head(path: Path, where: Origin) -> bytes:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head.strip():
        raise where.error("the file is empty", "check that it was exported completely")
    return head


@contextmanager
def _connection(database: Path | None, where: Origin, limits: QueryLimits) -> Iterator[DuckDBPyConnection]:
    import duckdb

    if database is not None and _starts_with(database, b"SQLite format 3\0"):
        raise where.error("this is an SQLite database, not one of DuckDB", "export the table as CSV or Parquet")
    config: dict[str, str | bool | int | float | list[str]] = {**configuration(database is not None, limits)}
    try:
        connection = duckdb.connect(
            ":memory:" if database is None else str(database), read_only=database is not None, config=config
        )
    except duckdb.Error as error:
        raise where.error(f"the database cannot be opened ({_first_line(error)})") from None
    try:
        connection.execute("set enable_progress_bar = false")
        if database is not None:
            close_outside(connection)
        yield connection
    except (duckdb.OutOfMemoryException, MemoryError):
        raise where.error("there is not enough memory to read the data", _MEMORY_HINT) from None
    except duckdb.Error as error:
        raise where.error(f"the data cannot be read ({_first_line(error)})") from None
    finally:
        with suppress(duckdb.Error):  # raised for a query that an interrupt did not stop
            connection.close()


def _starts_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _read_query(connection: DuckDBPyConnection, sql: str, where: Origin, limits: QueryLimits) -> RawTable:
    import duckdb

    def run() -> list[str]:
        query = _one_select(sql, where)
        described = connection.execute(f"describe\n{query}").fetchall()
        names = [str(row[0]) for row in described]
        refuse_repeated(names, "the query", where)
        most = limits.cells // len(names)
        _store(connection, f"(\n{query}\n)", len(names), {}, most + 1)
        found = connection.execute(f"select count(*) from {_TABLE}").fetchone()
        if found is None or found[0] > most:
            raise rows_error(where, most)
        return names

    try:
        names = run_within_limits(connection, run, where, limits)
    except (duckdb.OutOfMemoryException, MemoryError):
        raise memory_error(where, limits) from None
    except duckdb.PermissionException:
        hint = "a query sees the tables of its own database: put what it needs there, or name the file as `data`"
        raise where.error("the sql reaches for something outside its database", hint) from None
    except duckdb.Error as error:
        raise where.error(f"the sql failed ({_first_line(error)})", "correct `sql`") from None
    return _raw_table(connection, names, where)


def _one_select(sql: str, where: Origin) -> str:
    """The single select statement of a query, without a semicolon or comment after it."""
    import duckdb

    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise where.error("the sql is not one select statement", "write a single query")
    return _strip_end(statements[0].query)


def _read_parquet(connection: DuckDBPyConnection, path: Path, where: Origin) -> RawTable:
    import duckdb

    parameters = {"path": _escape_wildcards(path)}
    try:
        schema = connection.execute("select name, num_children from parquet_schema($path)", parameters)
        names = _top_names(schema.fetchall())
        refuse_repeated(names, "the file", where)
        # Without hive_partitioning = false, a folder called "year=2024" would become a column.
        _store(connection, "read_parquet($path, hive_partitioning = false)", len(names), parameters)
        close_outside(connection)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.InvalidInputException:  # not in Parquet's format
        raise where.error("this is not a Parquet file, or one cut short", "export it again") from None
    except duckdb.Error as error:
        raise where.error(f"this is not a readable Parquet file ({_first_line(error)})", "export it again") from None
    return _raw_table(connection, names, where)


def _read_text(connection: DuckDBPyConnection, path: Path, head: bytes, where: Origin, form: TextForm) -> RawTable:
    import duckdb

    codec = codec_of(head, form.encoding)
    names, delimiter = read_header(head, codec, where)
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(names)))
    # auto_detect would skip rows that do not fit, and take a later one for the header.
    read = (
        f"read_csv($path, auto_detect = false, header = true, delim = {literal(delimiter)}, quote = '\"', "
        f"escape = '\"', nullstr = '', hive_partitioning = false, columns = {{{columns}}})"
    )
    try:
        with open_as_utf8(path, codec) as readable:
            _store(connection, read, len(names), {"path": _escape_wildcards(readable)})
        close_outside(connection)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise csv_error(str(error), where) from None
    except UnicodeDecodeError:
        raise encoding_error(codec, where) from None
    except OSError as error:
        raise where.error(f"the file cannot be read to its end ({reason_of(error)})") from None
    return _raw_table(connection, names, where, form)


def _store(
    connection: DuckDBPyConnection, source: str, width: int, parameters: Mapping[str, str], most: int | None = None
) -> None:
    columns = ", ".join(f"c{i}" for i in range(width))
    query = f"create temp table {_TABLE} as select * from {source} as source({columns})"
    connection.execute(query if most is None else f"{query} limit {most}", parameters)


def _raw_table(
    connection: DuckDBPyConnection, names: Sequence[str], where: Origin, form: TextForm | None = None
) -> RawTable:
    """The stored table; `form` says how its cells are written, if they are text."""
    types = [str(row[1]) for row in connection.execute(f"describe {_TABLE}").fetchall()]
    columns = tuple(Column(i, name, kind) for i, (name, kind) in enumerate(zip(names, types, strict=True)))
    count = connection.execute(f"select count(*) from {_TABLE}").fetchone()
    rows = int(count[0]) if count else 0
    if not rows:
        message = "there is a header but no row of data" if form else "there is no row of data"
        raise where.error(message, "check that the data were exported completely")
    return RawTable(connection, where, columns, rows, form is not None, form or TextForm())


def _strip_end(query: str) -> str:
    """A statement without the semicolons and comments at its end, so that it can stand in brackets."""
    import duckdb

    encoded = query.encode("utf-8")
    end = len(encoded)
    for offset, _ in reversed(duckdb.tokenize(query)):
        if encoded[offset : offset + 1] != b";" and encoded[offset : offset + 2] not in (b"--", b"/*"):
            break
        end = offset
    return encoded[:end].decode("utf-8").strip()


def _top_names(schema: Sequence[tuple[str, int | None]]) -> list[str]:
    """The columns' names in a Parquet schema: the root's children, without theirs.

    DuckDB's own list of columns renames the second of two names that are equal, upper and lower case aside.
    """
    names: list[str] = []
    nested = 0
    for name, children in schema[1:]:
        if nested:
            nested -= 1
        else:
            names.append(name)
        nested += children or 0
    return names


def _first_line(error: duckdb.Error) -> str:
    """The first line of DuckDB's report; of one about a value, its kind only."""
    import duckdb

    line = str(error).strip().partition("\n")[0]
    about_a_value = (duckdb.ConversionException, duckdb.OutOfRangeException, duckdb.InvalidInputException)
    if isinstance(error, about_a_value):
        return f"{line.partition(':')[0]}: a value does not have the form that the query expects"
    return line


def _escape_wildcards(path: Path) -> str:
    """The path with *, ? and [ escaped: DuckDB would read all files that match."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", str(path))
