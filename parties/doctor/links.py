"""`mpc doctor` on its links: it contacts its peers, or their doctors, over the real transport, and measures each link.

Only probes are sent (`mpc.links.probe`): who is there, how long a round trip takes, and how long one transfer takes
each way. A pair is measured by the side that dials, all pairs at once, as a run uses them.
"""

from __future__ import annotations

import statistics
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mpc.links.network import Came, Connected, Disconnected, Event, Refused, Stranger, Unanswered, Unshaken
from mpc.links.probe import DOCTOR, TRANSFER_BYTES, Answered, Answerer, a_number, is_probe, probe, read_probe
from mpc.links.session import Frame
from mpc.links.wire import other_version
from mpc.links.zmq.transport import Transport

ECHOES: Final = 9
_TICK: Final = 0.05
_SHORTEST: Final = 1e-6


@dataclass(frozen=True)
class LinkReport:
    """Observations of one peer.

    Args:
        dialled: whether this side dials.
        connected: whether a handshake succeeded: the peer has the key that it should have, and admits this one.
        refused: whether the peer, under its right key, turned this party's key away.
        broken: how many handshakes broke off.
        about: the facts that the other side sent; empty if it sent none.
        other_version: the version of its frames, if it differs from this side's.
        round_trip: seconds, the median of `ECHOES`.
        up, down: bytes a second at which `TRANSFER_BYTES` went to the peer, and came from it.
    """

    dialled: bool
    connected: bool = False
    refused: bool = False
    broken: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    round_trip: float | None = None
    up: float | None = None
    down: float | None = None
    other_version: int | None = None


@dataclass(frozen=True)
class Meeting:
    """All peers, the unlisted keys that were turned away, and how many handshakes at this port broke off."""

    peers: Mapping[str, LinkReport]
    strangers: frozenset[str]
    broken: int


@dataclass(frozen=True)
class _Wait:
    """A step of a peer's examination: send a question, if there is one, then wait for an answer of this kind."""

    question: Frame | None
    answer: str


_Script = Generator[_Wait, dict[str, Any], None]


def probe_links(
    transport: Transport,
    dialled: Mapping[str, str],
    peers: Mapping[str, Mapping[str, Any]],
    seconds: float,
) -> Meeting:
    """Examine all links, for so many seconds at most; ends as soon as every peer was reached and measured.

    Args:
        transport: a doctor's, that listens if this party has an address.
        dialled: the endpoints of the peers to dial.
        peers: all peers, each with the facts to send to it.
    """
    answered = Answered()
    looks = {peer: _Look(transport, peer, peer in dialled, about, answered) for peer, about in peers.items()}
    room = _Room(looks)
    for peer, endpoint in dialled.items():
        transport.dial(peer, endpoint)
    end = transport.now() + seconds
    while not all(look.settled for look in looks.values()) and (now := transport.now()) < end:
        event = transport.poll(min(_TICK, end - now))
        if event is not None:
            room.take(event)
    return Meeting({peer: look.seen for peer, look in looks.items()}, frozenset(room.strangers), room.broken)


class _Room:
    """The transport's events: those of peers, and observations of strangers."""

    def __init__(self, looks: Mapping[str, _Look]) -> None:
        self._looks = looks
        self.strangers: set[str] = set()
        self.broken = 0

    def take(self, event: Event) -> None:
        match event:
            case Connected(peer):
                self._looks[peer].arrived(peer)
            case Came(address, head, body):
                look = self._looks[address.removesuffix(DOCTOR)]
                if (version := other_version(head)) is not None:
                    look.other_version = version
                if is_probe(head):
                    look.arrived(address)
                    self._probe(look, address, read_probe(head, body))
            case Disconnected(address):
                self._looks[address.removesuffix(DOCTOR)].left(address)
            case Refused(peer):
                self._looks[peer].refused = True
            case Unshaken(None):
                self.broken += 1
            case Unshaken(str(peer)):
                self._looks[peer].broken += 1
            case Stranger(key):
                self.strangers.add(key)
            case Unanswered():
                pass  # only that nobody was reached counts; the reason is examined at the end

    def _probe(self, look: _Look, address: str, fields: dict[str, Any]) -> None:
        match fields:
            case {"is": "bye"}:
                look.said_bye = True
            case {"is": "about?"} | {"is": "echo?"} | {"is": "take?"} | {"is": "send?"}:
                look.question(address, fields)
            case {"is": str()}:
                look.answer(fields)


class _Look:
    """The examination of one peer: questions in order, and answers to the peer's own."""

    def __init__(
        self, transport: Transport, peer: str, dialled: bool, about: Mapping[str, Any], answered: Answered
    ) -> None:
        self._transport = transport
        self.peer = peer
        self._dialled = dialled
        self._mine, self._answered = about, answered
        self._answerers: dict[str, Answerer] = {}  # by address
        self._address = ""
        self._script: _Script | None = None
        self._awaited = ""
        self._answers: dict[str, dict[str, Any]] = {}
        self._connected = False
        self._about: dict[str, Any] = {}
        self._round_trip: float | None = None
        self._up: float | None = None
        self._down: float | None = None
        self.other_version: int | None = None
        self.refused = False
        self.broken = 0
        self.said_bye = False
        self.finished = False

    @property
    def seen(self) -> LinkReport:
        """The observations so far."""
        return LinkReport(
            self._dialled,
            self._connected,
            self.refused,
            self.broken,
            self._about,
            self._round_trip,
            self._up,
            self._down,
            self.other_version,
        )

    @property
    def settled(self) -> bool:
        """Whether neither side has a question left."""
        return self.refused or (self.finished and (self.said_bye or not self._is_doctor))

    @property
    def _is_doctor(self) -> bool:
        return self._about.get("doing") == "doctor"

    def arrived(self, address: str) -> None:
        """Somebody with the peer's key has connected: the party, or its doctor."""
        self._connected = True
        if self._script is None and not self.finished:
            self._address = address
            self._script = self._questions()
            self._answers.clear()
            self._advance(next(self._script))

    def left(self, address: str) -> None:
        """The connection is gone. The next one is examined from the beginning."""
        if address in self._answerers:
            self._answerers[address].begin_again()
        if address == self._address:
            self._script = None
            self.other_version = None
            self.said_bye = self.said_bye or self.finished

    def question(self, address: str, fields: Mapping[str, Any]) -> None:
        """Answer the peer, within the limits for one connection."""
        if address not in self._answerers:
            self._answerers[address] = Answerer(self._mine, self._answered)
        answer = self._answerers[address].answer(fields, self._transport.now())
        if answer is not None:
            self._transport.send(address, answer)

    def answer(self, fields: dict[str, Any]) -> None:
        """Take an answer to a present or later question."""
        self._answers[str(fields["is"])] = fields
        while self._script is not None and self._awaited in self._answers:
            try:
                self._advance(self._script.send(self._answers.pop(self._awaited)))
            except StopIteration:
                self._script = None
                self.finished = True
                if self._is_doctor:
                    self._transport.send(self._address, probe({"is": "bye"}))

    def _advance(self, wait: _Wait) -> None:
        if wait.question is not None:
            self._transport.send(self._address, wait.question)
        self._awaited = wait.answer

    def _questions(self) -> _Script:
        self._about = yield _Wait(probe({"is": "about?"}), "about")
        if self._about.get("doing") == "running":
            return
        times = []
        for number in range(ECHOES):
            times.append((yield from self._timed(probe({"is": "echo?", "n": number}), "echo", number)))
        trip = self._round_trip = statistics.median(times)
        if self._is_doctor and not self._dialled:
            told = yield _Wait(None, "measured")
            # The peer's upload is this side's download.
            self._up, self._down = _rate(told.get("down")), _rate(told.get("up"))
            return
        up = yield from self._timed(probe({"is": "take?", "n": ECHOES}, TRANSFER_BYTES), "took", ECHOES)
        down = yield from self._timed(probe({"is": "send?", "n": ECHOES}), "sent", ECHOES)
        # A question and its answer take a round trip besides the transfer.
        self._up, self._down = (TRANSFER_BYTES / max(_SHORTEST, seconds - trip) for seconds in (up, down))
        if self._is_doctor:
            self._transport.send(self._address, probe({"is": "measured", "up": self._up, "down": self._down}))

    def _timed(self, question: Frame, kind: str, number: int) -> Generator[_Wait, dict[str, Any], float]:
        """Seconds from a question to the answer with its number."""
        began = self._transport.now()
        answer = yield _Wait(question, kind)
        while answer.get("n") != number:
            answer = yield _Wait(None, kind)
        return self._transport.now() - began


def _rate(value: Any) -> float | None:
    """A rate that a peer reports, if it is plausible: a transfer neither shorter than `_SHORTEST` nor endless."""
    rate = a_number(value)
    return rate if rate is not None and 1.0 <= rate <= TRANSFER_BYTES / _SHORTEST else None
