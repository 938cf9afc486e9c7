"""A whole sweep: finished cells are kept, the others are run, and the table is written while they end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from mpc.errors import BeaverlodgeError
from parties.base.events import describe_error
from parties.report.record import UNFINISHED
from parties.sweep.folder import Outcome, keep_program, outcome_of, prepare, write_table
from parties.sweep.local import EndCallback
from parties.sweep.study import Cell, Study

if TYPE_CHECKING:
    from parties.processes.progress import Progress

WRITING_INTERVAL: Final = 1.0
"""Seconds between two writes of the table while runs end; after a crash it is made again from their records."""

_BAR: Final = "runs"


class Runner(Protocol):
    """A function that runs cells, on this machine or on a cluster."""

    def __call__(self, cells: Sequence[Cell], on_end: EndCallback) -> None:
        """Run all cells; each writes its record into its folder. Call `on_end` as each ends."""


def conduct(study: Study, folder: Path, run: Runner, side_by_side: int, progress: Progress) -> list[Outcome]:
    """Run the cells without a record; return the outcome of every cell, in the order of the study.

    Args:
        side_by_side: the number of cells that run at a time, for the estimate of the remaining time.

    Raises:
        BeaverlodgeError: the sweep was interrupted, or cannot go on. Finished cells are kept.
    """
    keep_program(folder, study)
    outcomes = {cell.name: prepare(folder, cell) for cell in study.cells}
    remaining = [one.cell for one in outcomes.values() if one.figures is None]
    watch = _Watch(study, folder, outcomes, side_by_side, progress)
    write_table(folder, study, list(outcomes.values()), "unfinished")
    if remaining:
        watch.show()
        try:
            run(remaining, watch.record_end)
        finally:
            write_table(folder, study, list(outcomes.values()), watch.status())
    else:
        write_table(folder, study, list(outcomes.values()), watch.status())
    return list(outcomes.values())


class _Watch:
    """Records the outcome of each cell, and shows how long the others will take."""

    def __init__(
        self, study: Study, folder: Path, outcomes: dict[str, Outcome], side_by_side: int, progress: Progress
    ) -> None:
        self._study = study
        self._folder = folder
        self._outcomes = outcomes
        self._side_by_side = side_by_side
        self._progress = progress
        self._durations: dict[str, list[float]] = {}
        self._warnings: set[str] = set()
        self._written_at = time.monotonic()

    def record_end(
        self, name: str, error: BeaverlodgeError | None, warnings: Sequence[str], seconds: float | None
    ) -> None:
        """Record the outcome of a cell that ended, from its record if it has one."""
        now, cell = time.monotonic(), self._outcomes[name].cell
        if seconds is not None:
            self._durations.setdefault(_combination(cell.values), []).append(seconds)
        outcome = outcome_of(self._folder, cell)
        if error is not None and outcome.figures is None:
            # The record still says that the run did not finish: its process was killed, and the error says how.
            unfinished = outcome.error is None or outcome.error.get("message") == UNFINISHED
            outcome = Outcome(cell, error=describe_error(error) if unfinished else outcome.error)
        self._outcomes[name] = outcome
        for text in warnings:
            if text not in self._warnings:  # mostly the same in every cell
                self._warnings.add(text)
                self._progress(name, {"event": "log", "level": "warning", "text": text})
        if outcome.error is not None:
            text = f"failed ({cell.words}): {outcome.error['message']}"
            self._progress(name, {"event": "log", "level": "warning", "text": text})
        self.show()
        if now - self._written_at >= WRITING_INTERVAL:
            self._written_at = now
            write_table(self._folder, self._study, list(self._outcomes.values()), "unfinished", sync=False)

    def show(self) -> None:
        """Show how many cells ended, and how long the others will take: as long as those with the same settings did."""
        finished = sum(one.figures is not None or one.error is not None for one in self._outcomes.values())
        stage = f"about {_duration_text(self._seconds_left())} left" if self._durations else "running"
        self._progress(_BAR, {"event": "stage", "stage": stage, "done": finished, "total": len(self._outcomes)})

    def status(self) -> str:
        """`ok`, `failed` or `unfinished`."""
        outcomes = self._outcomes.values()
        if any(one.figures is None and one.error is None for one in outcomes):
            return "unfinished"
        return "ok" if all(one.error is None for one in outcomes) else "failed"

    def _seconds_left(self) -> float:
        all_durations = [seconds for durations in self._durations.values() for seconds in durations]
        mean = sum(all_durations) / len(all_durations)
        left = 0.0
        for one in self._outcomes.values():
            if one.figures is None and one.error is None:
                durations = self._durations.get(_combination(one.cell.values))
                left += sum(durations) / len(durations) if durations else mean
        return left / self._side_by_side


def _duration_text(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _combination(values: Mapping[str, object]) -> str:
    return repr(list(values.values()))
