"""Run cells on a Dask cluster: each is a task of one worker, which runs all the cell's parties and returns the record.

The client sends a worker the cell's scenario; the worker returns the files of the record. The data stay where they are:
their absolute paths must be valid on every worker, as on a shared file system. Dask sends its messages as pickles.
Whoever can reach the scheduler can run code on every worker, so the scheduler belongs into a private network.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.errors import BeaverlodgeError, InternalError, PeerLostError, UsageError
from parties.base.events import describe_error, error_from
from parties.base.private_files import make_folder, replace_file
from parties.base.record_files import RESULT
from parties.base.version import VERSION
from parties.processes.child import Program
from parties.scenario.program import ProgramFile
from parties.sweep.folder import record_folder
from parties.sweep.local import EndCallback, Order, run_local
from parties.sweep.study import Cell, Study

if TYPE_CHECKING:
    from distributed import Client

CONNECT_TIMEOUT: Final = 20
"""Seconds to find the scheduler, and then a worker."""

_RECORD_FILE: Final = re.compile(r"[A-Za-z0-9_-]+\.(json|html|log|stderr)")
"""The files of a record that a worker returns; it deletes the shares of a model."""


@contextmanager
def connect(address: str) -> Iterator[tuple[Client, int]]:
    """Connect to a cluster; yield the client and the number of cells that run at a time: one for each worker thread.

    Raises:
        UsageError: Dask is not installed, no scheduler or worker answers, or a worker has another version.
    """
    try:
        from distributed import Client
    except ImportError:
        hint = "pip install 'beaverlodge[dask]'"
        raise UsageError("--dask needs the package distributed, which is not installed", hint) from None
    try:
        client = Client(address, timeout=CONNECT_TIMEOUT)
    except (OSError, ValueError) as problem:
        raise UsageError(
            f"no Dask scheduler answers at {address}: {str(problem).splitlines()[0]}",
            "start one with `dask scheduler`, and name the address that it prints",
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        except TimeoutError:
            raise UsageError(f"the scheduler at {address} has no worker", "start some with `dask worker`") from None
        _check_versions(client)
        yield client, max(1, sum(client.nthreads().values()))


def _check_versions(client: Client) -> None:
    hint = f"install version {VERSION} of beaverlodge on every worker"
    try:
        versions = client.run(installed_version)
    except Exception as problem:  # whatever the import of our code raised on a worker
        raise UsageError(f"a worker cannot run beaverlodge: {type(problem).__name__}", hint) from None
    for worker, version in versions.items():
        if version != VERSION:
            raise UsageError(f"the worker {worker} has version {version} of beaverlodge, and here is {VERSION}", hint)


def installed_version() -> str:
    """The version of this software on the machine that runs this function."""
    return VERSION


def run_on_cluster(
    client: Client,
    program: Program,
    study: Study,
    folder: Path,
    cells: Sequence[Cell],
    on_end: EndCallback,
) -> None:
    """Run cells on the cluster, and write the record of each as it arrives."""
    from distributed import as_completed

    fields = None if study.program is None else study.program.model_dump(mode="json")
    cells_by_task = {}
    for cell in cells:
        task = client.submit(_run_cell, cell.name, cell.text, study.compare, fields, program.module, pure=False)
        cells_by_task[task] = cell
    for task in as_completed(list(cells_by_task)):
        cell = cells_by_task.pop(task)
        problem = task.exception()
        if problem is not None:
            lost = PeerLostError(f"its worker did not finish it: {type(problem).__name__}", "see the worker's log")
            on_end(cell.name, lost, (), None)
            continue
        result = task.result()
        _write(record_folder(folder, cell), result["files"])
        error = result["error"]
        why = None if error is None else error_from(error, reporter=cell.name)
        on_end(cell.name, why, result["warnings"], result["seconds"])


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files of a record that a worker returned, `result.json` last: a record with that file is complete."""
    make_folder(folder)
    for name in sorted(files, key=lambda name: name == RESULT):
        if not _RECORD_FILE.fullmatch(name):
            raise InternalError("a worker sent a file of another name than a record's", "please report this as a bug")
        replace_file(folder / name, files[name].encode(), sync=name == RESULT)


def _run_cell(name: str, text: str, compare: bool, fields: dict[str, Any] | None, module: str) -> dict[str, Any]:
    """Run a cell on a worker; return the files of its record, its error, warnings and seconds.

    Args:
        fields: the fields of the protocol's `ProgramFile`, if it has one.
    """
    result: dict[str, Any] = {}

    def on_end(name: str, error: BeaverlodgeError | None, warnings: Sequence[str], seconds: float | None) -> None:
        result["error"] = None if error is None else describe_error(error)
        result["warnings"], result["seconds"] = list(warnings), seconds

    with tempfile.TemporaryDirectory(prefix="beaverlodge-") as place:
        out, scenario = Path(place) / name, Path(place) / f"{name}.toml"
        scenario.write_text(text, encoding="utf-8")
        protocol = None if fields is None else ProgramFile.model_validate(fields)
        run_local([Order(name, scenario, out, compare, protocol)], 1, Program(module), on_end)
        files = sorted(out.iterdir()) if out.is_dir() else []
        record_files = [file for file in files if _RECORD_FILE.fullmatch(file.name)]
        result["files"] = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in record_files}
    return result
