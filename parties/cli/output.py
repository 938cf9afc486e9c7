"""What a command prints: text for people, or one JSON object a line, on both streams."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import click

from mpc.errors import BeaverlodgeError, RecordError

if TYPE_CHECKING:
    from parties.base.events import Event
    from parties.base.logs import LogFormat
    from parties.processes.progress import Progress
    from parties.report.recorded_run import FinishedRun
    from parties.show.blocks import Block


class Shown(Protocol):
    """A receiver of the events of a run's parties."""

    def progress(self, names: Iterable[str]) -> AbstractContextManager[Callable[[str, Event], None]]:
        """The function that takes each party's events."""


@dataclass(frozen=True)
class Output:
    """The form in which a command prints.

    Args:
        party: the party that it runs, where it runs one.
        form: text, or one JSON object a line.
        quiet: tells how a run ended and where its record is, and nothing of what it gave.
    """

    party: str = ""
    form: LogFormat = "text"
    quiet: bool = False

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Prints lines and tables; as JSON, an object each."""
        from parties.show.blocks import print_blocks, write_text

        if self.form == "text":
            print_blocks(blocks)
        else:
            write_text("".join(map(self._block, blocks)), sys.stdout, "ascii")

    def error(self, error: BeaverlodgeError) -> None:
        """Prints on standard error what went wrong and what to do."""
        with suppress(OSError):  # only the exit code can report it now
            if self.form == "json":
                more = {"code": error.code, "hint": error.hint, "points": error.points}
                click.echo(self._json("error", error.message, more), err=True)
                return
            click.echo(f"mpc: {error.message}{':' if error.points else ''}", err=True)
            for point in error.points:
                click.echo(f"  - {point}", err=True)
            if error.hint:
                click.echo(f"     {error.hint}", err=True)

    def progress(self, names: Iterable[str]) -> Progress:
        """The display of a run's progress."""
        from parties.processes.progress import Progress

        return Progress(names, form=self.form, quiet=self.quiet)

    def finished(self, run: FinishedRun, *, trace: bool = False) -> None:
        """Prints how a run ended; with `trace` also how its recorded rounds are looked at.

        Raises:
            RecordError: its record could not be written; what it gave was told as far as it may be.
        """
        from parties.report.summary import ending_blocks, summary_blocks

        show = ending_blocks if self.quiet else summary_blocks
        try:
            self.blocks(show(run.record, run.folder, recorded=run.unwritten is None))
        except OSError as problem:
            from parties.base.bugs import reason_of

            reason = reason_of(problem)
            raise run.unwritten or RecordError(
                f"the run is done and its record is in {run.folder}, but its summary could not be printed: {reason}",
                f"`mpc report {run.folder}` prints it",
            ) from None
        if run.unwritten is not None:
            raise run.unwritten
        if trace:
            click.echo(f"Rounds: mpc trace {run.folder}")

    def _block(self, block: Block) -> str:
        from parties.show.blocks import Grid

        if isinstance(block, Grid):
            return self._json("info", block.title, {"columns": block.columns, "rows": block.rows}) + "\n"
        return self._json("info", block.text) + "\n" if block.text else ""

    def _json(self, level: str, text: str, more: Mapping[str, object] | None = None) -> str:
        from parties.base.logs import json_line

        return json_line(level, self.party, text, more)
