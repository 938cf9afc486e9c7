"""Who takes part as a server's clients: which processes are let in, turned away, dropped or gone. No stages, no clock.

A client may send anything at any time: it is taken for nobody else, and it can make the server keep, log and send only
a bounded amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mpc.errors import AlreadyHereError, BeaverlodgeError, DisagreementError, ProtocolError
from mpc.links.network import Came, Connected, Disconnected, Network, Overfull, Overlong, Stranger, Unshaken
from mpc.links.probe import DOCTOR, Doctors
from mpc.links.refusals import Refusals
from mpc.links.session import Frame
from mpc.star.roll import Roll
from mpc.star.wire import ABORT, JOIN, QUIT, WORD_BYTES, StarHeader, frame, read_header


class Word(NamedTuple):
    """A frame of a client's process that takes part, about rounds."""

    client: int
    header: StarHeader
    body: memoryview


class Gone(NamedTuple):
    """Nothing more is to come of a client now."""

    client: int


class Back(NamedTuple):
    """A client is heard again, whose connection was closed at that time."""

    client: int
    since: float


class Anew(NamedTuple):
    """Another process of a client takes part from now on."""

    client: int


News = Word | Gone | Back | Anew


@dataclass
class StarCounts:
    """The bytes on the links in one attempt, headers included: by client, and those discarded."""

    received: dict[int, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    resent: int = 0
    discarded: int = 0
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All bytes that were sent and received."""
        return sum(self.sent.values()) + sum(self.received.values())


class Admission:
    """The clients of a server and their processes, by number.

    Args:
        network, names, digest, say, gone, about: as of a `StarServer`.

    Attributes:
        roll: who is there.
        counts: what was discarded and refused, among others.
    """

    def __init__(
        self,
        network: Network,
        names: Sequence[str],
        digest: bytes,
        say: Callable[[str], None],
        gone: Callable[[], Iterable[int]],
        about: Mapping[str, Any],
    ) -> None:
        self.network = network
        self.names = names
        self.roll = Roll()
        self.counts = StarCounts()
        self._numbers = {name: i for i, name in enumerate(names)}
        self._digest = digest
        self._say = say
        self._gone = gone
        self._doctors = Doctors(say, about, "its link")
        self._refusals = Refusals()
        self._longest = 0
        self.allow(WORD_BYTES)

    def allow(self, limit: int) -> None:
        """Take messages as long as this stage's, or an earlier one's, of which some may still be on their way."""
        if limit > self._longest:
            self._longest = limit
            for name in self.names:
                self.network.allow(name, limit)

    def send(self, i: int, one: Frame) -> None:
        """Hand a frame over to a client."""
        self.network.send(self.names[i], one)

    def listen(self, seconds: float, *, idle: bool) -> Iterator[News]:
        """Wait for one event of the network; what it means for the clients.

        Args:
            idle: whether no round is on, which a client's doctor is told.
        """
        for i in self._gone():
            yield self._stray(i)
        match self.network.poll(seconds):
            case Came(peer, head, body) if peer.endswith(DOCTOR):
                answer = self._doctors.answer(peer, head, body, self.network.now(), waiting=idle)
                if answer is not None:
                    self.network.send(peer, answer)
            case Came(peer, head, body, newcomer):
                yield from self._came(self._numbers[peer], head, body, newcomer=newcomer)
            case Connected(peer) if peer in self._numbers:  # and not that of a doctor
                self.roll.connect(self._numbers[peer])
            case Disconnected(peer) if peer in self._numbers:
                self.roll.disconnect(self._numbers[peer], self.network.now())
            case Disconnected(peer):
                self._doctors.left(peer)
            case Overlong(peer) if peer in self._numbers:
                error = ProtocolError(f"it sent a message longer than the {self._longest} bytes that are the most")
                yield self.refuse(self._numbers[peer], error)
            case Overfull(peer) if peer in self._numbers:
                yield self.refuse(self._numbers[peer], ProtocolError("it sent more than is taken, and was cut off"))
            case Stranger(key, address):
                self._say_if_new(self._refusals.stranger(key, address))
            case Unshaken(_, address):
                self._say_if_new(self._refusals.broken(address))

    def refuse(self, i: int, error: ProtocolError) -> Gone:
        """Hear a client no more, that sent what no honest one sends."""
        if i not in self.roll.refused:
            self.counts.refused[i] = error.message
            self._say(f"{self.names[i]} was dropped: {error.message}")
            self.roll.refuse(i)
        return Gone(i)

    def _stray(self, i: int) -> Gone:
        if i not in self.roll.refused:
            self.roll.stray(i)
        return Gone(i)

    def _say_if_new(self, text: str) -> None:
        if text:
            self._say(text)

    def _came(self, i: int, head: memoryview, body: memoryview, *, newcomer: bool) -> Iterator[News]:
        """A frame came under a client's key: by the connection that is heard, or by another one (a newcomer's)."""
        if i in self.roll.refused:
            self.counts.discarded += 1
            return
        try:
            header = read_header(head, body, self.names[i])
        except DisagreementError as error:
            self._turn_away(i, error, f"{error.message}: it was refused", newcomer=newcomer)
            return
        except ProtocolError as error:
            if not newcomer:
                yield self.refuse(i, error)
            return
        if self.roll.is_of(i, header.instance):
            if newcomer:  # its old connection broke unnoticed
                self.network.adopt(self.names[i])
            since = self.roll.left.pop(i, None)
            if since is not None:
                yield Back(i, since)
        elif header.kind != JOIN and (header.kind != QUIT or newcomer or self.roll.is_there(i)):
            self.counts.discarded += 1
            return
        if header.kind == JOIN:
            yield from self._join(i, header.instance, bytes(body), newcomer=newcomer)
        elif header.kind == QUIT:
            yield self._stray(i)
        else:
            yield Word(i, header, body)

    def _join(self, i: int, instance: bytes, digest: bytes, *, newcomer: bool) -> Iterator[News]:
        name = self.names[i]
        if digest != self._digest:
            error: BeaverlodgeError = DisagreementError("")
            self._turn_away(i, error, f"{name} has another scenario, or version, and was refused", newcomer=newcomer)
        elif self.roll.is_of(i, instance):
            self.roll.join(i, instance)
        elif self.roll.is_there(i):
            text = f"another process with the key of {name} came, and was turned away: {name} is here already"
            self._turn_away(i, AlreadyHereError(""), text, newcomer=newcomer)
        else:
            if newcomer:
                self.network.adopt(name)
            yield Anew(i)
            self.roll.join(i, instance)

    def _turn_away(self, i: int, error: BeaverlodgeError, text: str, *, newcomer: bool) -> None:
        """Tell a process with a client's key that it has no part here, and why; the client's other process goes on."""
        self._say_if_new(self._refusals.of_client(i, error.code, text))
        if i not in self.roll.joined:
            self.roll.astray.add(i)
        last, now = frame(ABORT, error.code.encode()), self.network.now()
        if newcomer:  # of which the network takes few messages
            self.network.turn_away(self.names[i], last)
        elif self.roll.may_repeat(i, error.code, now):
            self.send(i, last)
