"""The emulated WAN in front of any program's TCP ports: `python -m benchmarks.wan --latency 0.01 NAME=host:port ...`.

It is the relay that `mpc run` uses for a scenario's [network], and so the same emulation for everybody. It prints
where to dial each name instead, and carries bytes until its standard input ends.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
from time import monotonic
from typing import Any

from parties.processes.network.delay_line import Conditions
from parties.processes.network.relay import Relay

_TURN_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wan", description=__doc__)
    parser.add_argument("--latency", type=float, required=True, help="seconds, one way")
    parser.add_argument("--bandwidth", type=float, help="bytes a second, each way of each link; no limit without it")
    parser.add_argument("target", nargs="+", help="NAME=host:port")
    given: Any = parser.parse_args(arguments)
    targets = dict(target.split("=", 1) for target in given.target)
    conditions = Conditions(given.latency, given.bandwidth)
    links = Relay()
    endpoints = {
        name: links.lay(f"tcp://{target}", conditions, (name, "")).removeprefix("tcp://")
        for name, target in targets.items()
    }
    print(json.dumps(endpoints), flush=True)
    next_look = monotonic() + _TURN_SECONDS
    while True:
        links.turn(_TURN_SECONDS)
        # Only now and then: a look at the standard input at every packet would cost latency.
        if monotonic() >= next_look:
            next_look = monotonic() + _TURN_SECONDS
            if select.select([sys.stdin], [], [], 0)[0] and not os.read(0, 4096):
                break
    links.close()


if __name__ == "__main__":
    main()
