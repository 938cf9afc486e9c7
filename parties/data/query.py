"""A query of an owner's database, kept to that database, and within bounds of memory, time and size.

Whoever wrote the scenario wrote the query. DuckDB runs it with everything outside closed to it: no file, address,
extension or variable of this process, and no setting that opens them again. DuckDB's own limit of memory leaves out
much of what one step of a query takes (the text of `repeat('x', 4000000000)`), and it looks for an interrupt between
steps only. So the process's address space is bounded meanwhile, and a query that goes on after an interrupt is left
behind in its thread, which ends with the process.
"""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as StillRunning
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from mpc.errors import DataError
from parties.data.header import Origin

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")

QUERY: Final = "query"
"""The name of the thread in which one runs."""

_CLOSED: Final = (
    "enable_external_access = false",
    "python_enable_replacements = false",  # else a table's name may be that of a variable here
    "lock_configuration = true",
)
_HINT: Final = "simplify the query, or export its result as a Parquet file and name that file instead"
_BESIDE: Final = 2**29  # address space that threads and libraries take meanwhile


@dataclass(frozen=True)
class QueryLimits:
    """What a query may take: bytes of memory, seconds (and then some, to stop), and cells of its result."""

    memory: int = 2**31
    seconds: float = 60.0
    grace: float = 5.0
    cells: int = 2**28


LIMITS: Final = QueryLimits()


def configuration(database: bool, limits: QueryLimits = LIMITS) -> Mapping[str, str]:
    """How a connection is opened: nothing is fetched from the network, and no patient's row is spilled to disk.

    Args:
        database: whether a query will run.
        limits: of that query.
    """
    always = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "temp_directory": "",
    }
    # One thread: a query without `order by` then gives its rows in the same order every time.
    return {**always, "threads": "1", "memory_limit": f"{limits.memory}B"} if database else always


def close_outside(connection: DuckDBPyConnection) -> None:
    """From here on a connection reaches what it has opened already, and nothing else; and that stays so."""
    for setting in _CLOSED:
        connection.execute(f"set {setting}")


def run_within_limits(connection: DuckDBPyConnection, work: Callable[[], T], where: Origin, limits: QueryLimits) -> T:
    """Do what runs a query, in a thread of its own.

    Raises:
        DataError: it takes too long.
        duckdb.OutOfMemoryException, MemoryError: it takes too much memory.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            with _limit_memory(limits.memory):
                found = work()
        except BaseException as problem:
            future.set_exception(problem)
        else:
            future.set_result(found)

    threading.Thread(target=run, name=QUERY, daemon=True).start()
    try:
        return future.result(limits.seconds)
    except StillRunning:
        raise where.error(f"the sql takes longer than {limits.seconds:g} s", _HINT) from None
    finally:
        if not future.done():
            connection.interrupt()
            wait([future], limits.grace)


def memory_error(where: Origin, limits: QueryLimits) -> DataError:
    """Of a query that took too much memory."""
    return where.error(f"the sql needs more than {limits.memory / 2**30:g} GiB of memory", _HINT)


def rows_error(where: Origin, rows: int) -> DataError:
    """Of a query with a result of more than so many rows."""
    return where.error(f"the sql gives more than {rows} rows", _HINT)


@contextmanager
def _limit_memory(memory: int) -> Iterator[None]:
    """Bounds how much this process's address space grows, where that can be read."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        yield
        return
    bound = pages * resource.getpagesize() + memory + _BESIDE
    if soft != resource.RLIM_INFINITY:
        bound = min(bound, soft)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
