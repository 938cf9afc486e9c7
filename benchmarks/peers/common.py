"""What every peer's program shares: its order, its inputs and its report. Runs in the peer's own environment.

The order is a JSON file (see `benchmarks/peer_runs.py`); the report is written to the file that it names.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Order:
    """What one party of a peer is to do.

    Args:
        rank: which party this is.
        addresses: "host:port" of every party, as this one is to dial them; its own is where it listens.
        task: "train", or the name of a micro job.
        inputs: a .npz file with the arrays of the task; each party uses its own rows only.
        repeats: how often a micro job is repeated after a warm-up.
        options: what is particular to a peer.
        report: where the report goes.
        started: when the processes were started.
    """

    rank: int
    addresses: list[str]
    task: str
    inputs: str
    repeats: int
    options: dict[str, Any]
    report: str
    started: float

    def arrays(self) -> dict[str, Any]:
        """The task's arrays by name."""
        with np.load(self.inputs) as file:
            return {name: file[name] for name in file.files}


@dataclass
class Report:
    """What one party measured: seconds of a monotonic clock that all processes of the machine share."""

    setup_seconds: float = 0.0
    began: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    result: list[float] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def ready(self, order: Order) -> None:
        """Set-up ends here: imports, connections, compilation, sharing of the inputs."""
        self.setup_seconds = time.monotonic() - order.started

    def begin(self) -> None:
        """A timed part begins."""
        self.began.append(time.monotonic())

    def end(self) -> None:
        """A timed part ends."""
        self.ended.append(time.monotonic())

    def keep(self, order: Order, values: Any) -> None:
        """Leave a result that is too large for the report beside it."""
        np.save(Path(order.report).with_suffix(".npy"), np.asarray(values, dtype=np.float64))

    def write(self, path: str) -> None:
        """Leave the report where the order says, whole or not at all."""
        place = Path(path)
        part = place.with_suffix(".part")
        part.write_text(json.dumps(self.__dict__), encoding="utf-8")
        part.replace(place)


def read_order() -> Order:
    """The order named on the command line."""
    return Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def steps_of(arrays: dict[str, Any]) -> list[Any]:
    """The rows of every mini-batch, in order."""
    return np.split(arrays["order"], np.cumsum(arrays["sizes"])[:-1])
