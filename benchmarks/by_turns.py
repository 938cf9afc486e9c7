"""One scenario run by turns by two checkouts: how much longer the second takes, a step, online and all in all.

Two versions that are timed one after the other differ by what else the machine did meanwhile. By turns, each pair of
runs has the same machine, and the median over the pairs says what changed. Each checkout needs its own `.venv`
(`sh tools/setup.sh dev`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

_SLOWEST = 600.0
_WARM_UP = 1

Times = dict[str, float]
"""What a run took, in seconds, by what was timed."""


def times_of(record: Mapping[str, Any], seconds: float) -> Times:
    """The times that a run's record gives.

    Args:
        record: its `result.json`.
        seconds: from the command to its end.
    """
    owners = [one["seconds"] for one in record["parties"].values() if one["role"] == "owner"]
    found = {"online": max(one["online"] for one in owners), "mpc run": seconds}
    steps = record.get("training", {}).get("steps")
    if steps:
        found = {"a step": min(one["training"] for one in owners) / steps, **found}
    return found


def run_once(checkout: Path, scenario: Path) -> Times:
    """Run `mpc run` of a checkout.

    Raises:
        SystemExit: the run failed; what it said is shown.
    """
    folder = Path(tempfile.mkdtemp(prefix="by-turns-"))
    command = [str(checkout / ".venv" / "bin" / "mpc"), "run", str(scenario), "--out", str(folder / "run")]
    try:
        began = time.monotonic()
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=_SLOWEST)
        seconds = time.monotonic() - began
        if done.returncode:
            raise SystemExit(f"{checkout}: the run failed with {done.returncode}:\n{done.stderr}")
        return times_of(json.loads((folder / "run" / "result.json").read_text(encoding="utf-8")), seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def by_turns(one: Callable[[], Times], other: Callable[[], Times], pairs: int) -> list[tuple[Times, Times]]:
    """So many pairs of runs, each pair in the other order than the one before; the first runs do not count."""
    for _ in range(_WARM_UP):
        one(), other()
    found = []
    for number in range(pairs):
        if number % 2:
            second = other()
            found.append((one(), second))
        else:
            first = one()
            found.append((first, other()))
    return found


def table(found: Sequence[tuple[Times, Times]]) -> str:
    """The medians of both, and of the pairs' quotients with their middle half."""
    lines = [f"{'':10}{'first':>12}{'second':>12}{'second / first':>16}   middle half of {len(found)} pairs"]
    for what in found[0][0]:
        one, other = ([pair[side][what] for pair in found] for side in (0, 1))
        ratios = sorted(b / a for a, b in zip(one, other, strict=True))
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        medians = statistics.median(one), statistics.median(other)
        shown = "".join(f"{1000 * median:9.3f} ms" for median in medians)
        lines.append(f"{what:10}{shown}{medians[1] / medians[0]:16.2f}   {low:.2f} to {high:.2f}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.by_turns", description=__doc__)
    parser.add_argument("first", type=Path, help="a checkout with its .venv: what is compared with")
    parser.add_argument("second", type=Path, help="another one")
    parser.add_argument("scenario", type=Path, help="a scenario file, which both run")
    parser.add_argument("--pairs", type=int, default=21, help="how many runs of each (21)")
    given = parser.parse_args(arguments)
    scenario = given.scenario.resolve()
    first, second = given.first.resolve(), given.second.resolve()
    print(table(by_turns(lambda: run_once(first, scenario), lambda: run_once(second, scenario), given.pairs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
