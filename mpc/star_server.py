"""The server's end of its links to many clients: who is there, stages with deadlines, late and repeated messages.

One event loop. A client is gone when it says so, or when its connection has been closed for `patience`; it is slow
when a stage's deadline passes: in either case the stage goes on without it, and what it sends for that stage later is
discarded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.network import Came, Connected, Disconnected, Network, Overfull, Overlong, Stranger, Unshaken
from mpc.probe import DOCTOR, Answerer, read_probe
from mpc.refusals import Refusals
from mpc.star import Gather, ServerProgram
from mpc.star_wire import ABORT, AGAIN, BYE, DOWN, JOIN, OUT, PING, QUIT, START, UP, StarHeader, frame, read_header
from mpc.wire import HEADER_BYTES, label_code

_ASK_SECONDS = 0.5  # how often it is asked who is gone, while nothing else happens


@dataclass(frozen=True)
class StarLimits:
    """Seconds: to join in, for each stage, and for which a closed connection may come back."""

    join: float
    stage: float
    patience: float


@dataclass
class StarCounts:
    """What went over the links in one attempt, headers included: by client, and what was discarded."""

    received: dict[int, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    resent: int = 0
    discarded: int = 0
    refused: dict[int, str] = field(default_factory=dict)


@dataclass
class _Stage:
    gather: Gather
    round: int
    attempt: int
    waiting: set[int]
    answered: set[int] = field(default_factory=set)


class StarServer:
    """Links to clients 0, 1, ...

    Args:
        network: a listening transport whose allow-list is `names`.
        names: the clients' names, by number.
        digest: of what server and clients must agree on; a client with another one is refused.
        listener: told of each stage, how many answered and how many may.
        say: told of what the user should know.
        gone: asked now and then for clients whose processes are known to have ended.
        about: what a client's doctor is told.

    Attributes:
        counts: what went over the links in the latest attempt.
        reached: the stage that the latest attempt got to.
    """

    def __init__(
        self,
        network: Network,
        names: Sequence[str],
        digest: bytes,
        limits: StarLimits,
        listener: Callable[[str, int, int], None],
        say: Callable[[str], None],
        gone: Callable[[], Iterable[int]] = tuple,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._network = network
        self._names = names
        self._numbers = {name: i for i, name in enumerate(names)}
        self._digest = digest
        self._limits = limits
        self._listener = listener
        self._say = say
        self._gone = gone
        self._about = about or {}
        self._doctors: dict[str, Answerer] = {}
        self._refusals = Refusals()
        self._joined: set[int] = set()
        self._quit: set[int] = set()
        self._out: set[int] = set()  # of the attempt that is going on
        self._left: dict[int, float] = {}
        self._stage: _Stage | None = None
        self._last: dict[int, str] = {}  # in this attempt, the stage whose answer a client waits for
        self._attempt: tuple[int, int, bytes] | None = None
        self.counts = StarCounts()
        self.reached = ""

    def join(self) -> frozenset[int]:
        """Wait until all clients are there, or as many as come in time."""
        end = self._network.now() + self._limits.join
        total = len(self._names)
        while len(self._joined | self._quit) < total and (left := end - self._network.now()) > 0:
            self._pump(left)
            self._listener("joining", len(self._joined), total)
        return frozenset(self._joined)

    def run(self, program: ServerProgram, session: bytes, round_: int, attempt: int) -> Any:
        """Run one attempt at one round with all who are there.

        Raises:
            TooFewError: a stage's quorum was not reached.
            BeaverlodgeError: what the program raised.
        """
        self._attempt = round_, attempt, session
        self._out.clear()
        self._last.clear()
        self.counts, self.reached = StarCounts(), ""
        for i in self._joined:
            self._send(i, frame(START, session, round=round_, attempt=attempt))
        try:
            gather = program.send(None)  # type: ignore[arg-type]  # a coroutine is started with None
            while True:
                answered = self._gather(gather, round_, attempt)
                if len(answered) < gather.quorum:
                    raise TooFewError(
                        f"{len(answered)} clients answered in stage '{gather.label}', and {gather.quorum} are needed",
                        "nothing was opened; see why others left, or wait for more (min_cohort, session.deadline)",
                    )
                gather = program.send(answered)
        except StopIteration as end:
            return end.value
        finally:
            self._attempt = self._stage = None
            program.close()

    def part(self, error_code: str | None = None) -> None:
        """Tell all who are there that the rounds are done, or that there will be no result."""
        for i in self._joined:
            self._send(i, frame(ABORT, error_code.encode()) if error_code else frame(BYE))

    def _gather(self, gather: Gather, round_: int, attempt: int) -> frozenset[int]:
        expect = (set(gather.expect) & self._joined) - self._quit - self._out
        self.reached = gather.label
        stage = self._stage = _Stage(gather, round_, attempt, expect)
        sent = self.counts.sent
        for i, body in gather.send.items():
            sent[i] = sent.get(i, 0) + HEADER_BYTES + len(body)
            self._send(i, frame(DOWN, body, round=round_, attempt=attempt, label=self._last.get(i, "")))
        end = self._network.now() + self._limits.stage
        total = len(expect)
        while stage.waiting:
            now = self._network.now()
            until = end
            away = stage.waiting & self._left.keys()
            if len(away) == len(stage.waiting):  # nobody is there whose message could still come
                until = min(end, max(self._left[i] for i in away) + self._limits.patience)
            if now >= until:
                break
            self._pump(until - now)
            self._listener(gather.label, len(stage.answered), total)
        return frozenset(stage.answered)

    def _pump(self, seconds: float) -> None:
        for i in self._gone():
            self._drop(i)
        event = self._network.poll(min(max(0.0, seconds), _ASK_SECONDS))
        match event:
            case Came(peer, head, body, True):
                self._network.adopt(peer)  # which client it is, its key says
                self._frame(self._numbers[peer], head, body)
            case Came(peer, head, body) if peer.endswith(DOCTOR):
                self._answer_doctor(peer, head, body)
            case Came(peer, head, body):
                self._frame(self._numbers[peer], head, body)
            case Connected(peer):
                self._left.pop(self._numbers[peer], None)
            case Disconnected(peer) if peer in self._numbers:  # and not that of a doctor
                self._left[self._numbers[peer]] = self._network.now()
            case Stranger(key, address):
                if text := self._refusals.stranger(key, address):
                    self._say(text)
            case Unshaken(_, address):
                if text := self._refusals.broken(address):
                    self._say(text)
            case Overlong(peer) | Overfull(peer) if peer in self._numbers:
                i = self._numbers[peer]
                self._refuse(i, ProtocolError("it sends more than is taken of it", party=peer))

    def _answer_doctor(self, peer: str, head: memoryview, body: memoryview) -> None:
        """A client's doctor is told who is here; it takes no part, and is measured with only between attempts."""
        if peer not in self._doctors:
            self._doctors[peer] = Answerer(self._about)
            self._say(f"{peer.removesuffix(DOCTOR)} looks at its link with `mpc doctor`, and is answered")
        fields = read_probe(head, body)
        doing = "waiting" if self._attempt is None else "running"
        if doing == "waiting" or fields.get("is") == "about?":
            for one in self._doctors[peer].answer(fields, self._network.now(), doing=doing):
                self._network.send(peer, one)

    def _frame(self, i: int, head: memoryview, body: memoryview) -> None:
        try:
            header = read_header(head, body, self._names[i])
        except ProtocolError as error:
            self._refuse(i, error)
            return
        if header.kind == JOIN:
            self._join(i, bytes(body))
        elif header.kind == QUIT:
            self._drop(i)
        elif header.kind == OUT:
            self._leave(i, header)
        elif header.kind == UP:
            self._up(i, header, body)
        elif header.kind == PING:
            self._ping(i, header)

    def _join(self, i: int, digest: bytes) -> None:
        if digest != self._digest:
            self._send(i, frame(ABORT, DisagreementError.code.encode()))
            self._say(f"{self._names[i]} has another scenario, or version, and was refused")
            self._drop(i)
        elif i not in self._quit:
            self._joined.add(i)

    def _up(self, i: int, header: StarHeader, body: memoryview) -> None:
        stage = self._stage
        if stage is None or header.place != (stage.round, stage.attempt, label_code(stage.gather.label)):
            self.counts.discarded += 1
            return
        if i not in stage.waiting:  # it comes a second time, or after its sender left
            self.counts.discarded += 1
            return
        gather = stage.gather
        self.counts.received[i] = self.counts.received.get(i, 0) + HEADER_BYTES + len(body)
        try:
            if len(body) > gather.limit:
                raise ProtocolError(f"a message of {len(body)} bytes came where {gather.limit} are the most")
            gather.take(i, bytes(body))
        except ProtocolError as error:
            self._refuse(i, error)
            return
        stage.waiting.discard(i)
        stage.answered.add(i)
        self._last[i] = gather.label

    def _ping(self, i: int, header: StarHeader) -> None:
        """A client hears nothing: what was lost in a broken connection goes once more."""
        stage = self._stage
        if stage is None:
            return
        at = header.place
        if at == (stage.round, stage.attempt, label_code(stage.gather.label)):
            if i in stage.waiting:
                self._again(i, frame(AGAIN, round=stage.round, attempt=stage.attempt, label=stage.gather.label))
        elif i in self._last and at == (stage.round, stage.attempt, label_code(self._last[i])):
            if i in stage.gather.send:
                body = stage.gather.send[i]
                self._again(i, frame(DOWN, body, round=stage.round, attempt=stage.attempt, label=self._last[i]))
        elif header.round == 0 and i not in self._last and i in stage.waiting and self._attempt is not None:
            self._again(i, frame(START, self._attempt[2], round=stage.round, attempt=stage.attempt))

    def _leave(self, i: int, header: StarHeader) -> None:
        """For this client there are too few in this attempt; the next one starts with it again."""
        if self._attempt is not None and (header.round, header.attempt) == self._attempt[:2]:
            self._out.add(i)
            if self._stage is not None:
                self._stage.waiting.discard(i)

    def _again(self, i: int, one: Any) -> None:
        self.counts.resent += 1
        self._send(i, one)

    def _refuse(self, i: int, error: ProtocolError) -> None:
        self.counts.refused[i] = error.message
        self._say(f"{self._names[i]} was dropped: {error.message}")
        self._drop(i)

    def _drop(self, i: int) -> None:
        self._joined.discard(i)
        self._quit.add(i)
        if self._stage is not None:
            self._stage.waiting.discard(i)

    def _send(self, i: int, one: Any) -> None:
        self._network.send(self._names[i], one)


def named(names: Sequence[str], numbers: Iterable[int]) -> list[str]:
    """Clients by name."""
    return [names[i] for i in numbers]
