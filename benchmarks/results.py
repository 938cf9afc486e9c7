"""What was measured: lines of plain values, kept as one JSON file; the report is written from it alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mpc.errors import InterruptedRun

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "bench"
KEPT = FOLDER / "results.json"

_started = time.monotonic()


@dataclass(frozen=True)
class Line:
    """What one contender did in one table.

    Args:
        table: the table's key (`report.TABLES`).
        who: the contender, or what was run.
        values: by the column's key: a number, or a list with one of each run.
        failure: why there are no values.
        notes: what else is to be known of it.
    """

    table: str
    who: str
    values: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    notes: str = ""


@dataclass
class Results:
    """All of one `make bench`: where, which peers in which versions (or why not), and the lines."""

    machine: dict[str, str] = field(default_factory=dict)
    peers: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def take(self, table: str, who: str, work: Callable[[], Line]) -> Line:
        """A line more, that of a failure too: one that fails must not lose those after it. Kept and told at once."""
        try:
            line = work()
        except InterruptedRun:
            raise  # Ctrl-C ends everything
        except Exception as problem:
            last = [f"{type(problem).__name__}: it said nothing", *str(problem).strip().splitlines()][-1]
            line = Line(table, who, failure=last[:200])
        self.lines.append(line)
        self.write()
        say(f"{table}: {who}: {line.failure or line.values}")
        return line

    def write(self) -> None:
        """Keep them, whole: what was kept before stays until then."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        part = KEPT.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(KEPT)


def read() -> Results:
    """What was kept."""
    data = json.loads(KEPT.read_text(encoding="utf-8"))
    return Results(data["machine"], data["peers"], [Line(**line) for line in data["lines"]])


def minutes() -> float:
    """Since the beginning."""
    return (time.monotonic() - _started) / 60


def say(text: str) -> None:
    """A line on the screen, with the seconds so far."""
    print(f"{60 * minutes():6.0f} s  {text}", flush=True)
