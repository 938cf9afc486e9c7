"""The server's end of its links to many clients: presence, stages with deadlines, late and repeated messages.

One event loop. A client is gone when it says so, or when its connection has been closed for `patience`; it is slow
when a stage's deadline passes: in either case the stage goes on without it, and its later messages of that stage are
discarded. A client may send anything at any time: it is taken for nobody else, and it can make the server keep, log
and send only a bounded amount.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import AlreadyHereError, BeaverlodgeError, DisagreementError, ProtocolError, TooFewError
from mpc.links.network import Came, Connected, Disconnected, Network, Overfull, Overlong, Stranger, Unshaken
from mpc.links.probe import DOCTOR, Doctors
from mpc.links.refusals import Refusals
from mpc.links.wire import label_code
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.trace import Tracer
from mpc.star.roll import Roll
from mpc.star.stage import Gather, ServerProgram
from mpc.star.wire import (
    ABORT,
    AGAIN,
    BYE,
    DOWN,
    HERE,
    JOIN,
    OUT,
    PING,
    QUIT,
    START,
    UP,
    WORD_BYTES,
    StarHeader,
    frame,
    read_header,
)

_ASK_SECONDS = 0.5  # how often it is asked who is gone, while nothing else happens


@dataclass(frozen=True)
class StarLimits:
    """Seconds: to join in, for each stage, and for which a closed connection may come back.

    A stage's deadline waits for a client whose connection is closed, no longer than the patience in all.
    """

    join: float
    stage: float
    patience: float


@dataclass
class StarCounts:
    """The bytes on the links in one attempt, headers included: by client, and those discarded."""

    received: dict[int, int] = field(default_factory=dict)
    sent: dict[int, int] = field(default_factory=dict)
    resent: int = 0
    discarded: int = 0
    refused: dict[int, str] = field(default_factory=dict)


@dataclass
class _Attempt:
    """An attempt at a round.

    Args:
        last: the stage whose answer each client waits for.
    """

    round: int
    number: int
    session: bytes
    last: dict[int, str] = field(default_factory=dict)


@dataclass
class _Stage:
    gather: Gather
    attempt: _Attempt
    waiting: set[int]
    end: float
    answered: set[int] = field(default_factory=set)
    paused: dict[int, float] = field(default_factory=dict)  # seconds for which a client's connection was closed

    @property
    def place(self) -> tuple[int, int, int]:
        return self.attempt.round, self.attempt.number, label_code(self.gather.label)


class StarServer:
    """Links to clients 0, 1, ...

    Args:
        network: a listening transport whose allow-list is `names`.
        names: the clients' names, by number.
        digest: of the facts on which server and clients must agree; a client with another one is refused.
        listener: called with each stage, the number that answered and the number that may.
        say: takes lines for the user.
        gone: gives, now and then, the clients whose processes are known to have ended.
        about: the facts for a client's doctor.
        tracer: records the stages.

    Attributes:
        counts: the bytes on the links in the latest attempt.
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
        tracer: Tracer | None = None,
    ) -> None:
        self._network = network
        self._tracer = tracer or Tracer()
        self._names = names
        self._numbers = {name: i for i, name in enumerate(names)}
        self._digest = digest
        self._limits = limits
        self._listener = listener
        self._say = say
        self._gone = gone
        self._doctors = Doctors(say, about or {}, "its link")
        self._refusals = Refusals()
        self._roll = Roll()
        self._stage: _Stage | None = None
        self._attempt: _Attempt | None = None
        self._longest = WORD_BYTES
        self.counts = StarCounts()
        self.reached = ""
        for name in names:
            network.allow(name, WORD_BYTES)

    def join(self) -> frozenset[int]:
        """Wait until all clients are there, or as many as come in time."""
        end = self._network.now() + self._limits.join
        total = len(self._names)
        while self._roll.settled < total and (left := end - self._network.now()) > 0:
            self._pump(left)
            self._listener("joining", len(self._roll.joined), total)
        return frozenset(self._roll.joined)

    def run(
        self,
        program: ServerProgram,
        session: bytes,
        round_: int,
        attempt: int,
        members: Collection[int] | None = None,
    ) -> Any:
        """Run one attempt at one round with all who are there, or those of them who are its members.

        Others hear nothing of it, and stay as long as this server answers them.

        Raises:
            TooFewError: a stage's quorum was not reached.
            BeaverlodgeError: what the program raised.
        """
        now = self._attempt = _Attempt(round_, attempt, session)
        self._roll.begin()
        self.counts, self.reached = StarCounts(), ""
        self._tracer.started()
        for i in self._roll.joined if members is None else self._roll.joined.intersection(members):
            self._send(i, frame(START, session, round=round_, attempt=attempt))
        try:
            gather = program.send(None)  # type: ignore[arg-type]  # a coroutine is started with None
            while True:
                answered = self._gather(gather, now)
                if len(answered) < gather.quorum:
                    raise TooFewError(
                        f"{len(answered)} clients answered in stage '{gather.label}', and {gather.quorum} are needed",
                        "nothing was opened; see in the clients' logs why they left, or wait for more "
                        "(min_cohort, session.deadline)",
                    )
                gather = program.send(answered)
        except StopIteration as end:
            return end.value
        finally:
            self._attempt = self._stage = None
            self._tracer.finished()
            program.close()

    def part(self, error_code: str | None = None) -> None:
        """Tell all who are there that the rounds are done, or that there will be no result."""
        for i in self._roll.joined:
            self._send(i, frame(ABORT, error_code.encode()) if error_code else frame(BYE))

    def _gather(self, gather: Gather, attempt: _Attempt) -> frozenset[int]:
        expect = (set(gather.expect) & self._roll.joined) - self._roll.out
        self.reached = gather.label
        self._allow(gather.limit)
        stage = self._stage = _Stage(gather, attempt, expect, self._network.now() + self._limits.stage)
        sent = self.counts.sent
        self._tracer.begins(gather.label, {self._names[i]: HEADER_BYTES + len(body) for i, body in gather.send.items()})
        for i, body in gather.send.items():
            sent[i] = sent.get(i, 0) + HEADER_BYTES + len(body)
            label = attempt.last.get(i, "")
            self._roll.sent(i, (DOWN, (attempt.round, attempt.number, label_code(label))))
            self._send(i, frame(DOWN, body, round=attempt.round, attempt=attempt.number, label=label))
        self._tracer.handed()
        self._tracer.ready()
        total = len(expect)
        while stage.waiting:
            now = self._network.now()
            until = self._until(stage)
            if now >= until:
                break
            self._pump(until - now)
            self._listener(gather.label, len(stage.answered), total)
        self._tracer.ended()
        return frozenset(stage.answered)

    def _allow(self, limit: int) -> None:
        """Take messages as long as this stage's, or an earlier one's, of which some may still be on their way."""
        if limit > self._longest:
            self._longest = limit
            for name in self._names:
                self._network.allow(name, limit)

    def _until(self, stage: _Stage) -> float:
        """The end of a stage's wait for present clients: its deadline, which pauses while a connection is closed."""
        patience, left = self._limits.patience, self._roll.left
        until = [stage.end + paused for i, paused in stage.paused.items() if i in stage.waiting and i not in left]
        away = stage.waiting & left.keys()
        until += [min(left[i] + patience, stage.end + patience) for i in away]
        if len(away) < len(stage.waiting):
            until.append(stage.end)
        return max(until)

    def _pump(self, seconds: float) -> None:
        for i in self._gone():
            self._stray(i)
        event = self._network.poll(min(max(0.0, seconds), _ASK_SECONDS))
        match event:
            case Came(peer, head, body) if peer.endswith(DOCTOR):
                waiting = self._attempt is None
                answer = self._doctors.answer(peer, head, body, self._network.now(), waiting=waiting)
                if answer is not None:
                    self._network.send(peer, answer)
            case Came(peer, head, body, newcomer):
                self._came(self._numbers[peer], head, body, newcomer=newcomer)
            case Connected(peer) if peer in self._numbers:  # and not that of a doctor
                self._roll.connect(self._numbers[peer])
            case Disconnected(peer) if peer in self._numbers:
                self._roll.disconnect(self._numbers[peer], self._network.now())
            case Disconnected(peer):
                self._doctors.left(peer)
            case Overlong(peer) if peer in self._numbers:
                error = ProtocolError(f"it sent a message longer than the {self._longest} bytes that are the most")
                self._refuse(self._numbers[peer], error)
            case Overfull(peer) if peer in self._numbers:
                self._refuse(self._numbers[peer], ProtocolError("it sent more than is taken, and was cut off"))
            case Stranger(key, address):
                self._say_if_new(self._refusals.stranger(key, address))
            case Unshaken(_, address):
                self._say_if_new(self._refusals.broken(address))

    def _say_if_new(self, text: str) -> None:
        if text:
            self._say(text)

    def _came(self, i: int, head: memoryview, body: memoryview, *, newcomer: bool) -> None:
        """A frame came under a client's key: by the connection that is heard, or by another one (a newcomer's)."""
        if i in self._roll.refused:
            self.counts.discarded += 1
            return
        try:
            header = read_header(head, body, self._names[i])
        except DisagreementError as error:
            self._turn_away(i, error, f"{error.message}: it was refused", newcomer=newcomer)
            return
        except ProtocolError as error:
            if not newcomer:
                self._refuse(i, error)
            return
        if self._roll.is_of(i, header.instance):
            if newcomer:  # its old connection broke unnoticed
                self._network.adopt(self._names[i])
            self._is_back(i)
        elif header.kind != JOIN and (header.kind != QUIT or newcomer or self._roll.is_there(i)):
            self.counts.discarded += 1
            return
        self._take(i, header, body, newcomer=newcomer)

    def _take(self, i: int, header: StarHeader, body: memoryview, *, newcomer: bool) -> None:
        if header.kind == JOIN:
            self._join(i, header.instance, bytes(body), newcomer=newcomer)
        elif header.kind == QUIT:
            self._stray(i)
        elif header.kind == OUT:
            self._leave(i, header)
        elif header.kind == UP:
            self._up(i, header, body)
        elif header.kind == PING:
            self._ping(i, header)

    def _is_back(self, i: int) -> None:
        """The process that takes part is heard: if its connection was closed, the stage's deadline waited for it."""
        since = self._roll.left.pop(i, None)
        stage = self._stage
        if since is not None and stage is not None:
            began = stage.end - self._limits.stage
            paused = stage.paused.get(i, 0.0) + self._network.now() - max(since, began)
            stage.paused[i] = min(paused, self._limits.patience)

    def _join(self, i: int, instance: bytes, digest: bytes, *, newcomer: bool) -> None:
        name = self._names[i]
        if digest != self._digest:
            error: BeaverlodgeError = DisagreementError("")
            self._turn_away(i, error, f"{name} has another scenario, or version, and was refused", newcomer=newcomer)
        elif self._roll.is_of(i, instance):
            self._roll.join(i, instance)
        elif self._roll.is_there(i):
            text = f"another process with the key of {name} came, and was turned away: {name} is here already"
            self._turn_away(i, AlreadyHereError(""), text, newcomer=newcomer)
        else:
            if newcomer:
                self._network.adopt(name)
            if (
                self._attempt is not None and i in self._attempt.last
            ):  # the process before answered in this attempt: this one begins with the next
                self._roll.out.add(i)
                self._forget(i)
            self._roll.join(i, instance)

    def _turn_away(self, i: int, error: BeaverlodgeError, text: str, *, newcomer: bool) -> None:
        """Tell a process with a client's key that it has no part here, and why; the client's other process goes on."""
        self._say_if_new(self._refusals.of_client(i, error.code, text))
        if i not in self._roll.joined:
            self._roll.astray.add(i)
        last, now = frame(ABORT, error.code.encode()), self._network.now()
        if newcomer:  # of which the network takes few messages
            self._network.turn_away(self._names[i], last)
        elif self._roll.may_repeat(i, error.code, now):
            self._send(i, last)

    def _up(self, i: int, header: StarHeader, body: memoryview) -> None:
        stage = self._stage
        if stage is None or header.place != stage.place or i not in stage.waiting:  # or it comes a second time
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
        self._tracer.arrived(self._names[i], len(body))
        stage.attempt.last[i] = gather.label

    def _ping(self, i: int, header: StarHeader) -> None:
        """Answer a client that hears nothing: send once more what was lost in a broken connection, or say that nothing
        is due of it."""
        stage = self._stage
        if stage is None:
            self._tell(i, header)
            return
        round_, attempt = stage.attempt.round, stage.attempt.number
        gather, last = stage.gather, stage.attempt.last.get(i)
        if header.place == stage.place:
            if i in stage.waiting:
                self._again(i, frame(AGAIN, round=round_, attempt=attempt, label=gather.label), AGAIN, header)
            elif i not in stage.answered:
                self._tell(i, header)
        elif last is not None and header.place == (round_, attempt, label_code(last)):
            if i in gather.send:
                body = gather.send[i]
                self._again(i, frame(DOWN, body, round=round_, attempt=attempt, label=last), DOWN, header)
        elif header.round == 0 and last is None and i in stage.waiting:
            self._again(i, frame(START, stage.attempt.session, round=round_, attempt=attempt), START, header)
        else:  # it has no part in this attempt, or none any more
            self._tell(i, header)

    def _tell(self, i: int, header: StarHeader) -> None:
        if i in self._roll.joined and self._roll.may_tell(i, self._network.now()):
            self._send(i, frame(HERE, round=header.round, attempt=header.attempt))

    def _again(self, i: int, one: Any, kind: int, header: StarHeader) -> None:
        if self._roll.may_repeat(i, (kind, header.place), self._network.now()):
            self.counts.resent += 1
            self._send(i, one)

    def _leave(self, i: int, header: StarHeader) -> None:
        """Note that a client left this attempt, which had too few for it; the next one starts with it again."""
        now = self._attempt
        if now is not None and (header.round, header.attempt) == (now.round, now.number):
            self._roll.out.add(i)
            self._forget(i)

    def _refuse(self, i: int, error: ProtocolError) -> None:
        if i not in self._roll.refused:
            self.counts.refused[i] = error.message
            self._say(f"{self._names[i]} was dropped: {error.message}")
            self._roll.refuse(i)
            self._forget(i)

    def _stray(self, i: int) -> None:
        if i not in self._roll.refused:
            self._roll.stray(i)
        self._forget(i)

    def _forget(self, i: int) -> None:
        """Wait for nothing more of a client in this stage."""
        if self._stage is not None:
            self._stage.waiting.discard(i)

    def _send(self, i: int, one: Any) -> None:
        self._network.send(self._names[i], one)


def named(names: Sequence[str], numbers: Iterable[int]) -> list[str]:
    """Clients by name."""
    return [names[i] for i in numbers]
