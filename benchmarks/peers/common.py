"""What every contender's program shares: its order, its inputs and its report. Runs in the contender's environment.

The order is a JSON file (see `benchmarks/running.py`); the report is written to the file that it names.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Order:
    """What one party is to do.

    Args:
        rank: which party this is.
        addresses: "host:port" of every party, as this one is to dial them; its own is where it listens.
        task: "train", or the key of an operation.
        inputs: a .npz file with the arrays of the task; each party uses its own rows only.
        repeats: how often an operation is done, one after the other.
        options: what is particular to a contender.
        report: where the report goes.
    """

    rank: int
    addresses: list[str]
    task: str
    inputs: str
    repeats: int
    options: dict[str, Any]
    report: str

    @property
    def operation(self) -> str:
        """The operation's name, without its size."""
        return self.task.rstrip("0123456789")

    def arrays(self) -> dict[str, Any]:
        """The task's arrays by name."""
        with np.load(self.inputs) as file:
            return {name: file[name] for name in file.files}


class Report:
    """When one party got how far, by the clock that all processes of a machine share, and what it found.

    "connected": all parties are there and nothing was shared yet. "steps": the first step of a training begins.
    "done": the result is there, in shares.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.marks: dict[str, float] = {}
        self.counts: dict[str, float] = {}  # what a contender counts itself

    def mark(self, what: str) -> None:
        """This party is as far as that now; the first time counts."""
        self.marks.setdefault(what, time.monotonic())

    def write(self, result: Any) -> None:
        """Leave the report where the order says, and beside it the result if this party has it."""
        place = Path(self.order.report)
        if result is not None:
            np.save(place.with_suffix(".npy"), np.asarray(result, dtype=np.float64))
        place.write_text(json.dumps({"marks": self.marks, "counts": self.counts}), encoding="utf-8")


def read_order() -> Order:
    """The order named on the command line."""
    return Order(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def steps_of(arrays: dict[str, Any]) -> list[Any]:
    """The rows of every mini-batch, in order."""
    return np.split(arrays["order"], np.cumsum(arrays["sizes"])[:-1])


def parts_of(arrays: dict[str, Any]) -> list[slice]:
    """Which rows are each owner's."""
    stops = np.cumsum(arrays["counts"])
    return [slice(stop - count, stop) for stop, count in zip(stops, arrays["counts"], strict=True)]
