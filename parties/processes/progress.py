"""Progress of every party on standard error: bars on a terminal, plain lines or JSON objects elsewhere.

Nothing goes to standard output, which is for the summary.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, TextIO

from mpc.errors import plain_text
from parties.base.events import Event
from parties.base.logs import LogFormat, json_line

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_INTERVAL: Final = 1.0
"""Seconds between two plain lines of one party within one stage."""

BARS_INTERVAL: Final = 0.1
"""Seconds between two drawings of the bars."""


class _View(Protocol):
    def start(self) -> None: ...

    def stage(self, name: str, stage: str, done: int | None, total: int | None) -> None: ...

    def say(self, name: str, level: str, text: str) -> None: ...

    def close(self) -> None: ...


class Progress:
    """A context manager that takes every event of a run (`launch(on_event=...)`) and shows the progress.

    Args:
        names: the parties, in the order to show them.
        stream: where to; standard error.
        terminal: whether that is a terminal; asked of the stream by itself.
        form: text, or one JSON object a line.
        quiet: shows what the parties say, and not how far they are.
        clock: seconds; for tests.
    """

    def __init__(
        self,
        names: Iterable[str],
        *,
        stream: TextIO | None = None,
        terminal: bool | None = None,
        form: LogFormat = "text",
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        is_terminal = self._stream.isatty() if terminal is None else terminal
        bars = is_terminal and form == "text" and not quiet
        self._view: _View = _Bars(names, self._stream, clock) if bars else _Lines(self._stream, clock, form)
        self._quiet = quiet
        self._open = True

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._open:
                self._view.close()
        except OSError:
            self._open = False

    def __call__(self, name: str, event: Event) -> None:
        """Shows one event of the party `name`."""
        if not self._open:
            return
        try:
            self._show(name, event)
        except OSError:
            # A closed stream does not fail the run.
            self._open = False

    def _show(self, name: str, event: Event) -> None:
        match event["event"]:
            case "started":
                self._view.start()
            case "log":
                self._view.say(name, event["level"], event["text"])
            case _ if self._quiet:
                return
            case "stage":
                self._view.stage(name, event["stage"], event.get("done"), event.get("total"))
            case "done" | "failed" as stage:
                self._view.stage(name, stage, None, None)


class _Lines:
    """One line whenever a stage changes, and about one a second in between."""

    def __init__(self, stream: TextIO, clock: Callable[[], float], form: LogFormat) -> None:
        self._stream = stream
        self._clock = clock
        self._form = form
        self._shown: dict[str, tuple[str, float]] = {}

    def start(self) -> None:
        return

    def stage(self, name: str, stage: str, done: int | None, total: int | None) -> None:
        now = self._clock()
        shown, at = self._shown.get(name, (None, 0.0))
        if shown == stage and now - at < PLAIN_INTERVAL:
            return
        self._shown[name] = stage, now
        count = f" {done}/{total}" if done is not None and total else ""
        self.say(name, "info", f"{stage}{count}")

    def say(self, name: str, level: str, text: str) -> None:
        line = json_line(level, name, text) if self._form == "json" else plain_text(f"{name}: {text}")
        print(line, file=self._stream, flush=True)

    def close(self) -> None:
        return


class _Bars:
    """One line a party: its stage, a bar, how many of how many. Drawn as events come, without a thread."""

    def __init__(self, names: Iterable[str], stream: TextIO, clock: Callable[[], float]) -> None:
        self._names = list(names)
        self._stream = stream
        self._clock = clock
        self._drawn_at = 0.0
        self._stages: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: RichProgress | None = None

    def start(self) -> None:
        # Import rich now, while the parties load their libraries: later it would slow them down.
        self._started()

    def stage(self, name: str, stage: str, done: int | None, total: int | None) -> None:
        bars = self._started()
        changed = self._stages.get(name) != stage
        self._stages[name] = stage
        finished = stage == "done"
        count = f"{done}/{total}" if done is not None and total else ""
        bars.update(
            self._tasks[name],
            completed=1 if finished else done or 0,
            total=1 if finished else total or 1,
            stage=plain_text(stage),
            count=count,
        )
        now = self._clock()
        if changed or (done is not None and done == total) or now - self._drawn_at >= BARS_INTERVAL:
            self._drawn_at = now
            bars.refresh()

    def say(self, name: str, level: str, text: str) -> None:
        text = plain_text(f"{name}: {text}")
        if self._bars is None:
            print(text, file=self._stream, flush=True)
        else:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()

    def _started(self) -> RichProgress:
        if self._bars is None:
            self._bars = _new_bars(self._stream)
            for name in self._names:
                self._tasks[name] = self._bars.add_task(name, total=1, stage="starting", count="")
            self._bars.start()
        return self._bars


def _new_bars(stream: TextIO) -> RichProgress:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    class LocalConsole(Console):
        """A console that ignores a broken pipe."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Bars(
        TextColumn("{task.description}", markup=False),
        TextColumn("{task.fields[stage]}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        console=LocalConsole(file=stream, force_terminal=True),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
