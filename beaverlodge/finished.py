"""What a simulation by owners and one by clients have in common: the record of rounds, and what a notebook reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from beaverlodge.traces import Trace
from mpc.errors import UsageError
from mpc.runtime.round_tracer import RoundTracer
from parties.trace.lanes import Lane, lanes_in


@dataclass(frozen=True)
class StaysShared:
    """A result that no party knows: the owners have shares of it."""

    shape: tuple[int, ...]
    scale: int
    bits: int


class Finished:
    """Base of finished simulations.

    Attributes:
        name: of the protocol.
        results: as a record has them: of each its name, kind, shape and values.
        comparison: with the reference: its name, and how far each result is from it; empty where there is none.
    """

    name: str
    results: Sequence[Mapping[str, Any]]
    comparison: Mapping[str, Any]
    _lanes: Sequence[Lane]
    _recorded: ClassVar[str]
    """What a trace has of each party."""

    @property
    def result(self) -> Any:
        """What the protocol returned, as arrays: one, or a dict by their names.

        What each owner was told alone is a dict by owners; a share is a `StaysShared`.

        Raises:
            UsageError: a result is too long for a record.
        """
        found = {str(one["name"]): _numbers(one) for one in self.results}
        return found["result"] if list(found) == ["result"] else found

    @property
    def difference(self) -> float | None:
        """The largest difference from the reference; None where nothing was compared."""
        known = [one["difference"] for one in self.comparison.get("results", ()) if "difference" in one]
        return max(known, default=None)

    @cached_property
    def trace(self) -> Trace:
        """What every party did in each round, or of a server and clients in each stage.

        Raises:
            UsageError: they were not recorded.
        """
        if not self._lanes:
            raise UsageError(f"the {self._recorded} were not recorded", "simulate(..., trace=True) records them")
        return Trace(self._lanes, {"scenario": {"name": self.name}, "comparison": dict(self.comparison)})


def _numbers(one: Mapping[str, Any]) -> Any:
    if one["kind"] == "share":
        return StaysShared(tuple(one["shape"]), int(one["scale"]), int(one["bits"]))
    if "by_owner" in one:
        return {owner: _array(its) for owner, its in one["by_owner"].items()}
    return _array(one)


def _array(one: Mapping[str, Any]) -> Any:
    if one["values"] is None:
        hint = "return less; of owners in this thread, `parts` has all that each returned"
        raise UsageError(f"a result of shape {tuple(one['shape'])} is too long for a record", hint)
    return np.asarray(one["values"])


@dataclass
class Recording:
    """The tracers of a simulation in this thread, by party; `lanes` has what they wrote, once they are closed."""

    tracers: dict[str, RoundTracer]
    lanes: list[Lane] = field(default_factory=list)


@contextmanager
def recording(names: Iterable[str], *, values: bool) -> Iterator[Recording]:
    """Record the rounds of these parties.

    Args:
        values: whether values are recorded, too: under a test seed.
    """
    written: dict[str, bytearray] = {name: bytearray() for name in names}
    found = Recording({name: RoundTracer(name, lines.extend, values=values) for name, lines in written.items()})
    try:
        yield found
    finally:
        for tracer in found.tracers.values():
            tracer.close()
    found.lanes.extend(lanes_in((name, bytes(lines)) for name, lines in written.items()))


def reference_beside(function: Any, name: str) -> Callable[..., Any] | None:
    """The plain function `name`_reference in the file of an author's function, if there is one."""
    found = function.__globals__.get(f"{name}_reference") if inspect.isfunction(function) else None
    return found if inspect.isfunction(found) else None
