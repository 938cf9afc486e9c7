"""What the parties of a run recorded of their rounds, read from its folder: a lane a party.

Times are microseconds of the machine's clock. A file is cut off where its party was killed: what came before counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.base.bugs import reason_of

SCHEMA: Final = 1
DEAL: Final = "deal"
"""The label of the helper's windows."""

Place = tuple[tuple[str, int, str], ...]
"""Calls outside the runtime down to an `await`, the outermost first: file, line, function."""


@dataclass(frozen=True)
class RoundSeen:
    """One round of a party.

    It computed from `began` to `asked`, sent until `handed`, worked beside the messages until `ready`, and waited until
    `ended`; None from where the run ended first. `number` is None outside the protocol; `came` has bytes and time.
    """

    number: int | None
    label: str
    place: Place
    began: int
    asked: int
    handed: int | None
    ready: int | None
    ended: int | None
    sent: Mapping[str, int]
    came: Mapping[str, tuple[int, int]]
    draws: Mapping[str, int]
    fetched: tuple[int, int] = (0, 0)
    """Microseconds of waiting for the helper's windows: before it asked, and beside the messages."""

    @property
    def last(self) -> str | None:
        """The peer whose message came last, for which it waited."""
        return max(self.came, key=lambda peer: self.came[peer][1], default=None)


@dataclass(frozen=True)
class Push:
    """A message outside the rounds: it was made from `began` to `asked`, and sent until `handed`."""

    label: str
    peer: str
    size: int
    began: int
    asked: int
    handed: int


@dataclass(frozen=True)
class Pull:
    """The wait for a message outside the rounds; None where it did not come."""

    label: str
    peer: str
    size: int | None
    asked: int
    ended: int | None


@dataclass
class Lane:
    """All that one party recorded.

    Attributes:
        values: whether the run was under a test seed.
        started, finished: when the protocol began and ended; None if it did not.
        closed: whether the record is whole, not cut off.
        told: its values, as `mpc.runtime.traced_party` writes them.
        dropped: by label, what was added up beyond the bound of a record.
    """

    party: str
    values: bool
    began: int
    rounds: list[RoundSeen] = field(default_factory=list)
    pushes: list[Push] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    stages: list[tuple[int, str]] = field(default_factory=list)
    started: int | None = None
    finished: int | None = None
    plan: Mapping[str, Any] | None = None
    failed: tuple[int, str, str | None] | None = None
    closed: bool = False
    dropped: Mapping[str, list[int]] = field(default_factory=dict)
    told: list[tuple[str, str, int, Mapping[str, Any]]] = field(default_factory=list)

    @property
    def protocol(self) -> list[RoundSeen]:
        """The protocol's rounds."""
        return [one for one in self.rounds if one.number is not None]

    @property
    def unfinished(self) -> RoundSeen | None:
        """The round that it was in when its record ended."""
        return self.rounds[-1] if self.rounds and self.rounds[-1].ended is None else None

    @property
    def peers(self) -> int:
        """How many others it exchanged messages of rounds with."""
        return len({peer for one in self.protocol for peer in (*one.sent, *one.came)})

    @property
    def last(self) -> int:
        """The time of the last thing that it recorded."""
        times = [self.began, *(time for time, _ in self.stages)]
        for one in self.rounds[-1:]:
            times += [time for time in (one.asked, one.handed, one.ready, one.ended) if time is not None]
        times += [one.handed for one in self.pushes[-1:]]
        times += [one.ended or one.asked for one in self.pulls[-1:]]
        times += [time for time in (self.finished, self.failed and self.failed[0]) if time is not None]
        return max(times)


def read_lanes(folder: Path) -> list[Lane]:
    """The records of the parties of the run in a folder: those with rounds and most peers first, then by name.

    Raises:
        UsageError: there is no record of rounds, or it was damaged.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "name the folder of a run that was recorded with --trace")
    from parties.base.trace_file import SUFFIX  # whose locks only some systems have

    lanes = lanes_in((str(path), _content(path)) for path in sorted(folder.glob(f"*{SUFFIX}")))
    if not lanes:
        raise UsageError(
            f"{folder} holds no record of rounds (NAME{SUFFIX})", "run it with --trace: `mpc run SCENARIO --trace`"
        )
    return lanes


def lanes_in(written: Iterable[tuple[str, bytes]]) -> list[Lane]:
    """The records of parties from what each wrote, in the order of `read_lanes`.

    Args:
        written: where each stands, for errors, and its bytes.

    Raises:
        UsageError: some of it was damaged.
    """
    lanes: dict[str, Lane] = {}
    readers: dict[str, _Reader] = {}
    for where, data in written:
        for party, content in _lines(where, data):
            if "trace" in content:
                if content["trace"] != SCHEMA:
                    raise UsageError(f"{where} was written by another version", "use the version that wrote it")
                lanes[party] = Lane(party, bool(content["values"]), int(content["time"]))
                readers[party] = _Reader(lanes[party], where)
            elif party in readers:
                readers[party].take(content.get("events", ()))
    return sorted(lanes.values(), key=lambda lane: (not lane.protocol, -lane.peers, lane.party))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}") from None


def _lines(where: str, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a file, and whose each is; a last one that was cut off is left out."""
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            content = json.loads(line)
            yield content["party"], content
        except (ValueError, KeyError, TypeError, RecursionError):
            raise UsageError(
                f"line {number} of {where} is no record of rounds", "it was changed: run it again"
            ) from None


class _Reader:
    """Takes a lane's events."""

    def __init__(self, lane: Lane, where: str) -> None:
        self._lane = lane
        self._where = where
        self._places: list[Place] = []
        self._fetched: list[Pull] = []  # since the last round
        self._number = 0
        self._running = False

    def take(self, events: list[Any]) -> None:
        """Take them in their order."""
        for event in events:
            try:
                self._take(event)
            except (ValueError, TypeError, KeyError, IndexError):
                raise UsageError(f"{self._where} is damaged", "it was changed: run it again") from None

    def _take(self, event: list[Any]) -> None:
        lane = self._lane
        match event:
            case ["place", _, calls]:
                self._places.append(tuple((str(file), int(line), str(name)) for file, line, name in calls))
            case ["round", *parts]:
                lane.rounds.append(self._round(*parts))
            case ["push", label, peer, size, began, asked, handed]:
                lane.pushes.append(Push(label, peer, size, began, asked, handed))
            case ["pull", label, peer, size, asked, ended]:
                lane.pulls.append(Pull(label, peer, size, asked, ended))
                if label == DEAL:
                    self._fetched.append(lane.pulls[-1])
            case ["stage", time, name]:
                lane.stages.append((int(time), str(name)))
            case ["start", time]:  # of a sum, at each attempt
                lane.started, lane.finished, self._running = lane.started or int(time), None, True
            case ["end", time]:
                lane.finished, self._running = int(time), False
            case ["plan", plan]:
                lane.plan = dict(plan)
            case ["failed", time, code, party]:
                lane.failed = int(time), str(code), party
            case ["closed", _]:
                lane.closed = True
            case ["dropped", rows]:
                lane.dropped = dict(rows)
            case ["value", what, label, number, content]:
                lane.told.append((what, label, int(number), content))

    def _round(
        self,
        place: int,
        label: str,
        began: int,
        asked: int,
        handed: int | None,
        ready: int | None,
        ended: int | None,
        sent: dict[str, int],
        came: dict[str, list[int]],
        draws: dict[str, int],
    ) -> RoundSeen:
        number = None
        if self._running:
            number, self._number = self._number, self._number + 1
        took = [(one.asked, one.ended - one.asked) for one in self._fetched if one.ended is not None]
        self._fetched.clear()
        before, beside = (sum(time for at, time in took if (at < asked) is early) for early in (True, False))
        arrived = {peer: (int(size), int(time)) for peer, (size, time) in came.items()}
        calls = self._places[place] if place >= 0 else ()
        return RoundSeen(
            number, label, calls, began, asked, handed, ready, ended, sent, arrived, draws, (before, beside)
        )
