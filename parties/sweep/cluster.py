"""Run cells on a Dask cluster: each is a task of one worker, which runs all the cell's parties and returns the record.

The client sends a worker the cell's scenario; the worker returns the files of the record. The data stay where they are:
their absolute paths must be valid on every worker, as on a shared file system. Dask sends its messages as pickles.
See `parties.processes.party.cluster`.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.errors import BeaverlodgeError, InternalError, PeerLostError
from parties.base.events import describe_error, error_from
from parties.base.private_files import make_folder, replace_file
from parties.base.record_files import RESULT
from parties.processes.child import Program
from parties.scenario.program import ProgramFile
from parties.sweep.folder import record_folder
from parties.sweep.local import EndCallback, Order, run_local
from parties.sweep.study import Cell, Study

if TYPE_CHECKING:
    from distributed import Client

_RECORD_FILE: Final = re.compile(r"[A-Za-z0-9_-]+\.(json|html|log|stderr)")
"""The files of a record that a worker returns; it deletes the shares of a model."""


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
