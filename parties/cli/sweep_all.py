"""Run the study of `mpc sweep`, on this machine or on a cluster, and print its results."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mpc.errors import InterruptedRun, RunsFailed, UsageError
from parties.cli import sweep_member
from parties.cli.output import Output
from parties.processes.child import Program
from parties.show.blocks import PLAIN_WIDTH, Line, plural
from parties.sweep.conduct import Runner, conduct
from parties.sweep.folder import Outcome, lock_sweep, record_folder, scenario_path, sweep_folder
from parties.sweep.local import EndCallback, Order, run_local
from parties.sweep.page import write_page
from parties.sweep.study import Cell, Study
from parties.sweep.tables import ending_text, sweep_blocks

if TYPE_CHECKING:
    from parties.processes.progress import Progress

_MEMBER = Program("parties.cli.sweep_member", sweep_member.main)


def sweep_all(study: Study, out: Path | None, *, jobs: int | None, dask: str | None, output: Output) -> None:
    """Run a study's cells and print their results.

    Raises:
        UsageError: the folder holds something else, or no cluster answers; nothing was run.
        RunsFailed: all cells were run, and some failed.
        InterruptedRun: the sweep was interrupted; finished runs are kept.
    """
    if dask is not None and jobs is not None:
        raise UsageError("--jobs is for this machine", "on a cluster its workers' threads say how many run at a time")
    with _runner(jobs, dask, study) as (run_in, side_by_side), output.progress(["runs"]) as progress:
        folder = sweep_folder(out, study)
        run = partial(run_in, study, folder)
        outcomes = _conduct(study, folder, run, side_by_side, progress)
    failed = sum(one.error is not None for one in outcomes)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PLAIN_WIDTH
    blocks = sweep_blocks(study, outcomes, folder, width)
    output.blocks([Line(ending_text(study.name, outcomes))] if output.quiet else blocks)
    if failed:
        hint = f"with the same settings and --out {folder} they are tried again"
        raise RunsFailed(f"{plural(failed, 'run')} of {len(outcomes)} failed", hint)


def _conduct(study: Study, folder: Path, run: Runner, side_by_side: int, progress: Progress) -> list[Outcome]:
    with lock_sweep(folder):
        try:
            outcomes = conduct(study, folder, run, side_by_side, progress)
        except (InterruptedRun, KeyboardInterrupt):
            raise InterruptedRun("interrupted", f"it goes on with the same settings and --out {folder}") from None
        write_page(study, outcomes, folder)
    return outcomes


@contextmanager
def _runner(jobs: int | None, dask: str | None, study: Study) -> Iterator[tuple[Callable[..., None], int]]:
    """Yield the function that runs a study's cells in a folder, and the number of cells that it runs at a time."""
    if dask is None:
        count = jobs or max(1, len(os.sched_getaffinity(0)) // study.processes)
        yield partial(_run_local, count), count
        return
    from parties.processes.party.cluster import connect
    from parties.sweep.cluster import run_on_cluster

    with connect(dask) as (client, count):
        yield partial(run_on_cluster, client, _MEMBER), count


def _run_local(jobs: int, study: Study, folder: Path, cells: Sequence[Cell], on_end: EndCallback) -> None:
    _load_libraries(scenario_path(folder, cells[0]))
    orders = [
        Order(one.name, scenario_path(folder, one), record_folder(folder, one), study.compare, study.program)
        for one in cells
    ]
    run_local(orders, jobs, _MEMBER, on_end)


def _load_libraries(path: Path) -> None:
    """Import the libraries of every cell, whose processes are copies of this one."""
    import parties.report.page  # noqa: F401
    from parties.processes.party.member import load_libraries
    from parties.tasks.registry import load_any

    load_libraries(load_any(path))
