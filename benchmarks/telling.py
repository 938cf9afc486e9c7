"""What is kept, and told on the screen, while the benchmarks run: a run that is broken off loses nothing of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from benchmarks.jobs import ROOT
from benchmarks.report import report
from benchmarks.results import BesidePlan, Micro, Results, Training
from mpc.errors import InterruptedRun

FOLDER = ROOT / "build" / "bench"
KEPT = FOLDER / "results.json"
"""What was measured so far, written after every line as the report is."""

T = TypeVar("T")

_started = time.monotonic()


def minutes() -> float:
    """Since the beginning."""
    return (time.monotonic() - _started) / 60


def keep(results: Results) -> None:
    """Leave what there is so far, as a record and as the report."""
    results.machine["took"] = f"{minutes():.0f} minutes so far; not yet done"
    results.write(KEPT)
    if results.document:
        attempt(lambda: Path(results.document).write_text(report(results), encoding="utf-8"), said)


def attempt(work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """What `work` gives, or `otherwise` of why it failed: one line's failure must not lose the lines after it."""
    try:
        return work()
    except InterruptedRun:
        raise  # Ctrl-C ends everything
    except Exception as problem:
        lines = str(problem).strip().splitlines()
        return otherwise(f"{type(problem).__name__}: {lines[-1] if lines else 'it said nothing'}")


def said(why: str) -> None:
    """For what has no line of its own in the records: the report then says that it was not measured."""
    say(f"  no figures: {why}")


def told(results: Results, one: Training) -> None:
    """Keep a training's line."""
    results.trainings.append(one)
    kept(results, one)


def kept(results: Results, one: Training) -> None:
    """Tell of a training's line, which is among the results already."""
    keep(results)
    text = one.failure or f"{(one.step_seconds or 0) * 1e3:.3f} ms a step, max |dw| {one.difference:.1e}"
    say(f"  {one.who}{_secured(one)}, {one.network}: {text}")


def told_micro(results: Results, one: Micro) -> None:
    """Keep an operation's line."""
    results.micros.append(one)
    keep(results)
    say(f"  {one.who}{_secured(one)}: {one.failure or f'{(one.seconds or 0) * 1e3:.2f} ms'}")


def told_beside(results: Results, lines: list[BesidePlan], one: BesidePlan) -> None:
    """Keep a line of what is measured beside its plan, among `lines`."""
    lines.append(one)
    keep(results)
    text = one.failure or f"{(one.seconds or 0) * 1e3:.2f} ms, {one.rounds:g} rounds ({one.planned_rounds:g} planned)"
    say(f"  {one.key}, {one.network}: {text}")


def _secured(one: Training | Micro) -> str:
    return "" if one.encrypted is None else ", encrypted" if one.encrypted else ", not encrypted"


def say(text: str) -> None:
    """A line on the screen, with the seconds so far."""
    print(f"{time.monotonic() - _started:6.0f} s  {text}", flush=True)
