"""A record of one party's rounds, for `--trace`: what it awaited where, when, with whom, how many bytes, and what for.

It holds no value, unless it is made with `values`, for runs under a test seed: see `traced_party`. What is written are
lines of JSON, each with its `party`. The first is a party's head; a later one has `events`: lists, whose first item is
the kind:

    ["place", number, [[file, line, function], ...]]    where a protocol awaits, the outermost call first
    ["start" or "end", time]                            the protocol began, or ended: rounds outside are no part of it
    ["stage", time, name]
    ["round", place, label, began, asked, handed, ready, ended, {peer: bytes}, {peer: [bytes, time]}, {kind: count}]
        computing until `asked`, sending until `handed`, work beside the messages until `ready`, waiting until `ended`,
        or null where the run ended first; what was sent to whom, and what came from whom when; how many correlations of
        each kind were drawn since the round before
    ["push", label, peer, bytes, began, asked, handed]  a message outside the rounds: the helper's windows, and credits
    ["pull", label, peer, bytes, asked, ended]          the same at the one that waits for it
    ["plan", {...}]                                     what was planned
    ["failed", time, code, party]
    ["closed", time]                                    the record is whole
    ["dropped", {label: [rounds, computing, sending, waiting, bytes sent, bytes received]}]
    ["value", ...]                                      see `traced_party`

Times are microseconds of the machine's monotonic clock, the same for all processes of a machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import PurePath
from time import monotonic_ns
from types import CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, Final

from mpc.errors import BeaverlodgeError
from mpc.runtime.round import HEADER_BYTES, Blob, Round
from mpc.runtime.trace import Tracer
from mpc.runtime.watched import Watched

SCHEMA: Final = 1
MOST_BYTES: Final = 64 << 20
"""The bytes that one party's record takes at most. Beyond them, rounds are added up by label."""

_BATCH: Final = 256  # events that are written at once
_SOON: Final = 1_000_000  # microseconds after which they are written, if they are fewer
_HOME: Final = PurePath(__file__).parents[2]
_OURS: Final = ("mpc", "protocols", "parties", "beaverlodge")
_RUNTIME: Final = ("mpc/runtime/", "mpc/links/", "mpc/testing/", "parties/tasks/program/")

Place = tuple[tuple[CodeType, int], ...]
Write = Callable[[bytes], object]


def now() -> int:
    """Microseconds of the monotonic clock."""
    return monotonic_ns() // 1000


class RoundTracer(Tracer):
    """Records one party's rounds.

    Args:
        me: the party.
        write: takes whole lines.
        values: whether values may be recorded, too: only under a test seed.
        most: bytes, of all that is written but the last lines.
    """

    def __init__(self, me: str, write: Write, *, values: bool = False, most: int = MOST_BYTES) -> None:
        self.me = me
        self.values = values
        self.rounds = 0
        """Of the protocol, that have ended."""
        self._write = write
        self._left = most
        self._events: list[Any] = []
        self._places: dict[tuple[int, ...], int] = {}
        self._kept: list[Place] = []  # so that no other code comes to have the id of one of theirs
        self._told = 0  # of these
        self._program: Any = None  # that awaits the next round
        self._asked: tuple[Round, int] | None = None  # a round whose messages are being handed over
        self._due: dict[str, int | None] = {}  # bytes, where they are known
        self._draws: dict[str, int] = {}
        self._since = self._written = now()
        self._round: list[Any] | None = None  # that has not ended
        self._pull: list[Any] | None = None
        self._pushing = 0
        self._running = False
        self._dropped: dict[str, list[int]] = {}
        self._line({"trace": SCHEMA, "values": values, "time": self._since})

    def started(self) -> None:
        self._running = True
        self._since = now()
        self._events.append(["start", self._since])

    def finished(self) -> None:
        self._running = False
        self._since = now()
        self._events.append(["end", self._since])

    def planned(self, plan: Mapping[str, Any]) -> None:
        self._events.append(["plan", plan])

    def stage(self, name: str) -> None:
        self._events.append(["stage", now(), name])

    def resumes(self) -> None:
        self._since = now()

    def awaits(self, program: Any) -> None:
        self._program = program

    def drew(self, kind: str) -> None:
        self._draws[kind] = self._draws.get(kind, 0) + 1

    def asked(self, one: Round) -> None:
        self._end_open()
        self._asked = one, now()

    def begins(self, label: str, sent: Mapping[str, int]) -> None:
        self._end_open()
        self._begin(label, now(), sent)

    def handed(self) -> None:
        handed = now()
        self._write_down()
        assert self._round is not None
        self._round[5] = handed

    def _write_down(self) -> None:
        """Begin the round that was asked for: once its messages are on their way, so that they do not wait for this."""
        if self._asked is None:
            return
        (one, asked), self._asked = self._asked, None
        sizes: dict[int, int] = {}
        sent = {}
        for peer, arrays in one.send.items():
            size = sizes.get(id(arrays))
            if size is None:
                nbytes = len(arrays) if isinstance(arrays, bytes) else sum([array.nbytes for array in arrays])
                size = sizes[id(arrays)] = HEADER_BYTES + nbytes
            sent[peer] = size
        self._begin(one.label, asked, sent)
        self._due = {
            peer: None if isinstance(specs, Blob) else HEADER_BYTES + sum([spec.nbytes for spec in specs])
            for peer, specs in one.recv.items()
        }

    def _begin(self, label: str, asked: int, sent: Mapping[str, int]) -> None:
        place = -1 if self._program is None else self._find_place(self._program)
        self._round = ["round", place, label, self._since, asked, None, None, None, sent, {}, self._draws]
        self._draws = {}
        self._program = None

    def ready(self) -> None:
        assert self._round is not None
        self._round[6] = now()

    def came(self, peer: str, one: Round, answer: Any) -> None:
        assert self._round is not None
        size = self._due[peer]
        self._round[9][peer] = [HEADER_BYTES + len(answer) if size is None else size, now()]

    def arrived(self, peer: str, size: int) -> None:
        assert self._round is not None
        self._round[9][peer] = [HEADER_BYTES + size, now()]

    def ended(self) -> None:
        one, self._round = self._round, None
        assert one is not None
        self._since = one[7] = now()
        self.rounds += self._running
        self._note(one)

    def pushes(self) -> None:
        self._pushing = now()

    def pushed(self, label: str, peer: str, size: int) -> None:
        self._note(["push", label, peer, HEADER_BYTES + size, self._since, self._pushing, now()])
        if label == "deal":
            self._since = now()

    def pulls(self, label: str, peer: str) -> None:
        self._pull = ["pull", label, peer, None, now(), None]

    def pulled(self, size: int) -> None:
        one, self._pull = self._pull, None
        assert one is not None
        one[3], one[5] = HEADER_BYTES + size, now()
        self._note(one)

    def _find_place(self, program: Any) -> int:
        """The number of the place where a program awaits its round: all its calls down to the runtime's answer."""
        frames: list[FrameType] = []
        key: list[int] = []  # of numbers alone: the hash of a code object takes microseconds
        step = program
        while step is not None:
            kind = type(step)
            if kind is CoroutineType:
                frame, step = step.cr_frame, step.cr_await
            elif kind is GeneratorType:
                frame, step = step.gi_frame, step.gi_yieldfrom
            elif kind is Watched:
                step = step.program
                continue
            else:
                break
            if frame is not None:
                frames.append(frame)
                key += (id(frame.f_code), frame.f_lasti)
        at = tuple(key)
        number = self._places.get(at)
        if number is None:
            number = self._places[at] = len(self._places)
            self._kept.append(tuple([(frame.f_code, frame.f_lineno) for frame in frames]))
        return number

    def note(self, event: list[Any]) -> None:
        """An event of a kind that others describe."""
        self._note(event)

    def failed(self, error: BeaverlodgeError) -> None:
        self._end_open()
        self._events.append(["failed", now(), error.code, error.party])

    def close(self) -> None:
        self._end_open()
        if self._dropped:
            self._events.append(["dropped", self._dropped])
        self._events.append(["closed", now()])
        self._flush()

    def _end_open(self) -> None:
        """Record what the party waits for in vain."""
        self._write_down()
        for one in (self._round, self._pull):
            if one is not None:
                self._note(one)
        self._round = self._pull = None

    def _note(self, event: list[Any]) -> None:
        if self._left <= 0:
            self._drop(event)
            return
        self._events.append(event)
        if len(self._events) >= _BATCH or self._since - self._written > _SOON:
            self._flush()

    def _flush(self) -> None:
        if not self._events:
            return
        new = range(self._told, len(self._kept))  # described only now: it takes longer than a round
        places = [["place", number, described(self._kept[number])] for number in new]
        self._told += len(places)
        events, self._events = places + self._events, []
        self._written = now()
        self._left -= self._line({"events": events})

    def _line(self, content: Mapping[str, Any]) -> int:
        line = json.dumps({"party": self.me, **content}, separators=(",", ":")).encode() + b"\n"
        self._write(line)
        return len(line)

    def _drop(self, event: list[Any]) -> None:
        """Add a round up by its label; of other events nothing is kept."""
        if event[0] != "round" or event[7] is None:
            return
        _, _, label, began, asked, handed, ready, ended, sent, came, _ = event
        row = self._dropped.setdefault(label, [0] * 6)
        sizes = sum(sent.values()), sum(size for size, _ in came.values())
        more = (1, asked - began + ready - handed, handed - asked, ended - ready, *sizes)
        row[:] = [a + b for a, b in zip(row, more, strict=True)]


def described(place: Place) -> list[list[Any]]:
    """The calls of a place outside the runtime, the outermost first: file, line, function."""
    found = [(short_path(code.co_filename), line, code.co_qualname) for code, line in place]
    return [[*one] for one in found if not one[0].startswith(_RUNTIME)] or [[*one] for one in found[:1]]


@lru_cache
def short_path(path: str) -> str:
    """A source file as it is called below this project; of any other, its name alone."""
    file = PurePath(path)
    below = file.relative_to(_HOME).parts if file.is_relative_to(_HOME) else ()
    return "/".join(below) if below and below[0] in _OURS else file.name or path
