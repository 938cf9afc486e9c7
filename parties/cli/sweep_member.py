"""A cell of `mpc sweep`: a process that does what `mpc run` does, and reports its end to the sweep's process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from mpc.errors import PeerLostError
from parties.base.bugs import as_error
from parties.base.ending import end_process
from parties.base.events import Event
from parties.base.reporter import Reporter
from parties.processes.party.lifeline import die_with_parent


def main() -> int:
    """Execute the order on standard input; return the exit code.

    The parties are copies of this process, so it has no thread that watches the sweep's process: the kernel ends it
    with the sweep.
    """
    die_with_parent()
    reporter = Reporter.to_launcher()
    try:
        _execute(_read_order(), reporter)
    except Exception as problem:
        error = as_error(problem)
        reporter.failed(error, first_hand=True)
        return error.exit_code
    reporter.done({})
    return 0


class _WarningForwarder:
    """An output that forwards the warnings of a run's parties to the sweep; their logs have the other events."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def progress(self, names: Iterable[str]) -> AbstractContextManager[Callable[[str, Event], None]]:
        """The function that receives each party's events."""
        return nullcontext(self._forward)

    def _forward(self, name: str, event: Event) -> None:
        if event["event"] == "log" and event["level"] == "warning":
            self._reporter.log("warning", event["text"] if name == "warning" else f"{name}: {event['text']}")


def _execute(order: dict[str, Any], reporter: Reporter) -> None:
    from parties.cli.run import run_all
    from parties.scenario.program import ProgramFile
    from parties.tasks.registry import load_any

    if order["cores"] is not None:
        os.sched_setaffinity(0, order["cores"])
    scenario, out, output = load_any(Path(order["scenario"])), Path(order["out"]), _WarningForwarder(reporter)
    if order["program"] is not None:
        scenario = scenario.model_copy(update={"program": ProgramFile.model_validate(order["program"])})
    finished = run_all(scenario, out, output, compare=order["compare"])
    if finished.unwritten is not None:
        raise finished.unwritten


def _read_order() -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(0, 65536)
        if not chunk:
            raise PeerLostError("the sweep ended before it sent the order")
        line += chunk
    order: dict[str, Any] = json.loads(line)
    return order


if __name__ == "__main__":
    end_process(main())
