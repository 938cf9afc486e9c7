"""A query of an owner's database: it reaches nothing else, and has limits of memory, time and size.

The scenario's author wrote the query. DuckDB runs it without access to any file, address, extension or variable of
this process, and without the settings that would give access again. DuckDB's own memory limit leaves out much of what
one step of a query takes (the text of `repeat('x', 4000000000)`), and DuckDB checks for an interrupt between steps
only. So the process's address space is bounded meanwhile, and a query that goes on after an interrupt is left in its
thread, which ends with the process.
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
"""The name of the thread that runs a query."""

_CLOSED: Final = (
    "enable_external_access = false",
    "python_enable_replacements = false",  # else a table's name could mean a Python variable
    "lock_configuration = true",
)
_HINT: Final = "simplify the query, or export its result as a Parquet file and name that file instead"
_BESIDE: Final = 2**29  # address space that threads and libraries take meanwhile


@dataclass(frozen=True)
class QueryLimits:
    """Limits of a query: bytes of memory, seconds (and some more to stop), and cells of its result."""

    memory: int = 2**31
    seconds: float = 60.0
    grace: float = 5.0
    cells: int = 2**28


LIMITS: Final = QueryLimits()


def configuration(database: bool, limits: QueryLimits = LIMITS) -> Mapping[str, str]:
    """Settings of a new connection: nothing is fetched from the network, and no patient's row is spilled to disk.

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
    """Confine a connection, for good, to what it has opened already."""
    for setting in _CLOSED:
        connection.execute(f"set {setting}")


def run_within_limits(connection: DuckDBPyConnection, work: Callable[[], T], where: Origin, limits: QueryLimits) -> T:
    """Do the work of a query in a thread of its own.

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
    """The error of a query that took too much memory."""
    return where.error(f"the sql needs more than {limits.memory / 2**30:g} GiB of memory", _HINT)


def rows_error(where: Origin, rows: int) -> DataError:
    """The error of a query whose result has more than so many rows."""
    return where.error(f"the sql gives more than {rows} rows", _HINT)


@contextmanager
def _limit_memory(memory: int) -> Iterator[None]:
    """Limit how much this process's address space grows, where its size can be read."""
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
