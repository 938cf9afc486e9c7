"""The server's end of its links to many clients: presence, stages with deadlines, late and repeated messages.

One event loop. A client is gone when it says so, or when its connection has been closed for `patience`; it is slow
when a stage's deadline passes: in either case the stage goes on without it, and its later messages of that stage are
discarded. Who is let in, and what of one that sends anything at any time: admission.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import ProtocolError, TooFewError
from mpc.links.network import Network
from mpc.links.wire import label_code
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.trace import Tracer
from mpc.star.admission import Admission, Anew, Back, Gone, StarCounts, Word
from mpc.star.stage import Gather, ServerProgram
from mpc.star.wire import (
    ABORT,
    AGAIN,
    BYE,
    DOWN,
    HERE,
    OUT,
    PING,
    START,
    UP,
    StarHeader,
    frame,
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
        self._admission = Admission(network, names, digest, say, gone, about or {})
        self._roll = self._admission.roll
        self._limits = limits
        self._listener = listener
        self._tracer = tracer or Tracer()
        self._stage: _Stage | None = None
        self._attempt: _Attempt | None = None
        self.reached = ""

    @property
    def counts(self) -> StarCounts:
        """The bytes on the links in the latest attempt."""
        return self._admission.counts

    def join(self) -> frozenset[int]:
        """Wait until all clients are there, or as many as come in time."""
        end = self._now() + self._limits.join
        total = len(self._admission.names)
        while self._roll.settled < total and (left := end - self._now()) > 0:
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
        self._admission.counts, self.reached = StarCounts(), ""
        self._tracer.started()
        for i in self._roll.joined if members is None else self._roll.joined.intersection(members):
            self._admission.send(i, frame(START, session, round=round_, attempt=attempt))
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
            self._admission.send(i, frame(ABORT, error_code.encode()) if error_code else frame(BYE))

    def _gather(self, gather: Gather, attempt: _Attempt) -> frozenset[int]:
        expect = (set(gather.expect) & self._roll.joined) - self._roll.out
        self.reached = gather.label
        self._admission.allow(gather.limit)
        stage = self._stage = _Stage(gather, attempt, expect, self._now() + self._limits.stage)
        sent = self.counts.sent
        self._tracer.begins(
            gather.label, {self._admission.names[i]: HEADER_BYTES + len(body) for i, body in gather.send.items()}
        )
        for i, body in gather.send.items():
            sent[i] = sent.get(i, 0) + HEADER_BYTES + len(body)
            label = attempt.last.get(i, "")
            self._roll.sent(i, (DOWN, (attempt.round, attempt.number, label_code(label))))
            self._admission.send(i, frame(DOWN, body, round=attempt.round, attempt=attempt.number, label=label))
        self._tracer.handed()
        self._tracer.ready()
        total = len(expect)
        while stage.waiting:
            now = self._now()
            until = self._until(stage)
            if now >= until:
                break
            self._pump(until - now)
            self._listener(gather.label, len(stage.answered), total)
        self._tracer.ended()
        return frozenset(stage.answered)

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
        """Wait for one event, and see to what it means for the attempt."""
        for news in self._admission.listen(min(max(0.0, seconds), _ASK_SECONDS), idle=self._attempt is None):
            match news:
                case Word(i, header, body):
                    self._take(i, header, body)
                case Gone(i):
                    self._forget(i)
                case Back(i, since):
                    self._is_back(i, since)
                case Anew(i):
                    if self._attempt is not None and i in self._attempt.last:
                        # The process before answered in this attempt: this one begins with the next.
                        self._leave(i)

    def _take(self, i: int, header: StarHeader, body: memoryview) -> None:
        now = self._attempt
        if header.kind == UP:
            self._up(i, header, body)
        elif header.kind == PING:
            self._ping(i, header)
        elif header.kind == OUT and now is not None and (header.round, header.attempt) == (now.round, now.number):
            self._leave(i)  # it had too few; the next attempt starts with it again

    def _leave(self, i: int) -> None:
        """Note that a client takes no further part in this attempt."""
        self._roll.out.add(i)
        self._forget(i)

    def _is_back(self, i: int, since: float) -> None:
        """A client is heard again, whose connection was closed since then: the stage's deadline waited for it."""
        stage = self._stage
        if stage is not None:
            began = stage.end - self._limits.stage
            paused = stage.paused.get(i, 0.0) + self._now() - max(since, began)
            stage.paused[i] = min(paused, self._limits.patience)

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
            self._admission.refuse(i, error)
            self._forget(i)
            return
        stage.waiting.discard(i)
        stage.answered.add(i)
        self._tracer.arrived(self._admission.names[i], len(body))
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
        elif header.place == (0, 0, 0) and last is None and i in stage.waiting:
            self._again(i, frame(START, stage.attempt.session, round=round_, attempt=attempt), START, header)
        else:  # it has no part in this attempt, or none any more
            self._tell(i, header)

    def _tell(self, i: int, header: StarHeader) -> None:
        if i in self._roll.joined and self._roll.may_tell(i, self._now()):
            self._admission.send(i, frame(HERE, round=header.round, attempt=header.attempt))

    def _again(self, i: int, one: Any, kind: int, header: StarHeader) -> None:
        if self._roll.may_repeat(i, (kind, header.place), self._now()):
            self.counts.resent += 1
            self._admission.send(i, one)

    def _now(self) -> float:
        return self._admission.network.now()

    def _forget(self, i: int) -> None:
        """Wait for nothing more of a client in this stage."""
        if self._stage is not None:
            self._stage.waiting.discard(i)


def named(names: Sequence[str], numbers: Iterable[int]) -> list[str]:
    """Clients by name."""
    return [names[i] for i in numbers]
