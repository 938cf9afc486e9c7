"""The emulated WAN in front of any program's TCP ports: `python -m benchmarks.wan --latency 0.01 NAME=host:port ...`.

It is the same relay that `mpc run` uses for a scenario's [network], and so the same emulation for everybody. It
prints where to dial each name instead, carries bytes until its standard input ends, and then leaves in the file
`--traffic` when it carried how many.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from parties import relay
from parties.delay_line import Conditions, DelayLine

_TURN_SECONDS = 0.5


class Meter:
    """How many bytes were carried when."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, int]] = []

    def counting(self, conditions: Conditions) -> DelayLine:
        """A delay line that tells this meter of what it takes."""
        return _CountingLine(conditions, self)


class _CountingLine(DelayLine):
    def __init__(self, conditions: Conditions, meter: Meter) -> None:
        super().__init__(conditions)
        self._meter = meter

    def put(self, now: float, data: bytes) -> None:
        self._meter.entries.append((now, len(data)))
        super().put(now, data)


def carried(entries: list[tuple[float, int]], began: float, ended: float) -> int:
    """The bytes that were written between two times."""
    return sum(size for when, size in entries if began <= when <= ended)


def run(targets: dict[str, str], conditions: Conditions, output: TextIO, stop: int, traffic: Path | None) -> None:
    """Carry what is dialled here to the targets until the descriptor `stop` can be read to its end."""
    meter = Meter()
    # The relay makes its lines itself; in this process it is made to take those that count.
    relay.DelayLine = meter.counting  # type: ignore[attr-defined,assignment]
    links = relay.Relay({name: f"tcp://{target}" for name, target in targets.items()}, conditions)
    endpoints = {name: (where or "").removeprefix("tcp://") for name, where in links.endpoints.items()}
    print(json.dumps(endpoints), file=output, flush=True)
    next_look = monotonic() + _TURN_SECONDS
    while True:
        links.turn(_TURN_SECONDS)
        # Only now and then: a look at the standard input at every packet would cost latency.
        if monotonic() >= next_look:
            next_look = monotonic() + _TURN_SECONDS
            if select.select([stop], [], [], 0)[0] and not os.read(stop, 4096):
                break
    if traffic is not None:
        traffic.write_text(json.dumps(meter.entries), encoding="utf-8")
    links.close()


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wan", description=__doc__)
    parser.add_argument("--latency", type=float, required=True, help="seconds, one way")
    parser.add_argument("--traffic", type=Path, help="where to leave what was carried")
    parser.add_argument("target", nargs="+", help="NAME=host:port")
    given: Any = parser.parse_args(arguments)
    targets = dict(target.split("=", 1) for target in given.target)
    run(targets, Conditions(given.latency, None), sys.stdout, 0, given.traffic)


if __name__ == "__main__":
    main()
