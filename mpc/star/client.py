"""A client's end of its link to the server: a pure state machine of frames received and frames to send."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mpc.errors import (
    AlreadyHereError,
    BeaverlodgeError,
    DisagreementError,
    PeerLostError,
    ProtocolError,
    TooFewError,
)
from mpc.faults.fault import Fault
from mpc.links.session import Frame
from mpc.links.wire import label_code
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.trace import Tracer
from mpc.star.stage import ClientProgram, Exchange
from mpc.star.wire import (
    ABORT,
    AGAIN,
    BYE,
    DOWN,
    HERE,
    INSTANCE_BYTES,
    JOIN,
    OUT,
    PING,
    QUIT,
    START,
    UP,
    WORD_BYTES,
    frame,
    read_code,
    read_header,
)

_RESENDS: Final = 3  # of one message, which a server may ask for

Program = Callable[[bytes, int, int], ClientProgram]
"""(session, round, attempt) -> the client's program."""

FaultOf = Callable[[int], Fault | None]
"""round -> the fault of a client in it, if there is one."""


def always(fault: Fault | None) -> FaultOf:
    """The same fault in every round."""
    return lambda round_: fault


def _no_fault(round_: int) -> None:
    """Nothing goes wrong."""


@dataclass(frozen=True)
class _Facts:
    """What a client is made of: see StarClient."""

    make: Program
    digest: bytes
    fault: FaultOf
    due: int
    instance: bytes
    enters: Callable[[str], None]


@dataclass
class Contact:
    """A client's contact with its server, for who carries its frames.

    Args:
        met: whether the server has answered.
        unheard: whether the server takes nothing more of this client.
        late: seconds by which the message that it sends now is delayed.
    """

    met: bool = False
    unheard: bool = False
    late: float = 0.0


@dataclass
class ClientCounts:
    """A client's messages.

    Args:
        steps: the number of the server's messages that took it further, or told it that nothing is due of it; others do
            not prolong its wait.
        sent, received: bytes of its messages in rounds, headers included.
    """

    steps: int = 0
    sent: int = 0
    received: int = 0


@dataclass
class ClientTrace:
    """What records a client's stages, and how its server is called there."""

    tracer: Tracer = field(default_factory=Tracer)
    server: str = "server"


@dataclass
class _Turn:
    """A program that waits for the server's answer to its latest message.

    Args:
        resends: how many times the server may still ask for the message.
        asked: whether the server was asked for what is lost, since the message was last sent.
    """

    program: ClientProgram
    exchange: Exchange
    message: Frame
    resends: int = _RESENDS
    asked: bool = False

    def again(self) -> list[Frame]:
        """The message once more, where the server may ask for it."""
        if not self.asked or self.resends == 0:
            return []
        self.asked = False
        self.resends -= 1
        return [self.message]


def _nobody(stage: str) -> None:
    """Hears of no stage."""


class StarClient:
    """One client.

    Args:
        make: makes its program for an attempt at a round.
        digest: of the facts on which server and clients must agree.
        fault: of a trial: in its stage, the client vanishes instead of sending, leaves this attempt alone, or its
            message is delayed.
        due: the number of rounds, after which the server is not needed any more.
        enters: called with each stage that it comes to, before it sends.
        instance: distinguishes this process from another one with the same key; drawn where it is not given.

    Attributes:
        done: whether all rounds are done.
        vanished: whether its fault made it vanish.
        failure: its error, if it failed.
        fell_short: the error of an attempt that it left because there were too few; it waits for the next.
        rounds: the number of rounds that it finished.
        stage: where it is, for logs.
        contact, counts, trace: of its server; of messages; of its stages.
    """

    def __init__(
        self,
        make: Program,
        digest: bytes,
        fault: FaultOf = _no_fault,
        due: int = 1,
        instance: bytes | None = None,
        enters: Callable[[str], None] = _nobody,
    ) -> None:
        self._facts = _Facts(make, digest, fault, due, instance or os.urandom(INSTANCE_BYTES), enters)
        self._at = (0, 0)
        self._turn: _Turn | None = None
        self.done = False
        self.vanished = False
        self.failure: BeaverlodgeError | None = None
        self.fell_short: TooFewError | None = None
        self.rounds = 0
        self.stage = "joining"
        self.contact = Contact()
        self.counts = ClientCounts()
        self.trace = ClientTrace()

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        return self.done or self.vanished or self.failure is not None

    @property
    def limit(self) -> int:
        """The longest payload that the server can have to send now, in bytes."""
        return max(WORD_BYTES, self._turn.exchange.limit if self._turn is not None else 0)

    def begin(self) -> list[Frame]:
        """The first frame: that it joins, or why it cannot."""
        if self.failure is not None:
            return [self._frame(QUIT, self.failure.code.encode())]
        return [self._frame(JOIN, self._facts.digest)]

    def ping(self) -> list[Frame]:
        """The frames after a long silence: the server answers with what was lost, or that nothing is due.

        It may be another process than before, which knows of no client yet.
        """
        join, turn = self._frame(JOIN, self._facts.digest), self._turn
        if turn is None:
            return [join, self._frame(PING)]
        turn.asked = True
        return [join, self._frame(PING, at=self._at, label=turn.exchange.label)]

    def came(self, head: bytes, body: bytes) -> list[Frame]:
        """Take a frame; returns the frames to send. A failure is kept in `failure`, and told to the server.

        Where there are too few for an attempt, nothing was released: this client waits for another one.
        """
        self.contact.met = True
        try:
            return self._take(head, body)
        except TooFewError as error:
            self.close()
            if error.told_by is not None:
                self.failure = error
                return []
            self.fell_short = error.with_traceback(None)  # whose frames hold what it computed
            return self._out()
        except BeaverlodgeError as error:
            return self._fail(error)

    def offended(self, what: str) -> list[Frame]:
        """Stop after a message that no honest server sends; returns the frames to send."""
        return self._fail(ProtocolError(what, "it is no server of this version: see what runs there", party="server"))

    def lost(self, seconds: float) -> None:
        """Stop after so long a silence of the server."""
        self.close()
        self.contact.unheard = True
        if self.rounds >= self._facts.due:
            self.done = True
            return
        message, hint = f"the server was silent for {seconds:g} s in stage '{self.stage}'", "see whether it runs"
        if self.contact.met:  # a round without its server is one with too few
            self.failure = TooFewError(message, f"there is no result; {hint}, and its log", party="server")
        else:
            self.failure = PeerLostError(message, f"{hint}, and whether its address is right", party="server")

    def refused(self) -> None:
        """The server turned this client's key away."""
        self.close()
        self.contact.unheard = True
        self.failure = DisagreementError(
            "the server refuses this client's key", "it has another public key of this client: compare", party="server"
        )

    def close(self) -> None:
        """End the program."""
        if self._turn is not None:
            self._turn.program.close()
        self._turn = None

    def _frame(self, kind: int, body: bytes = b"", *, at: tuple[int, int] = (0, 0), label: str = "") -> Frame:
        return frame(kind, body, round=at[0], attempt=at[1], label=label, instance=self._facts.instance)

    def _out(self) -> list[Frame]:
        """Take no further part in this attempt."""
        self.stage = "waiting"
        return [self._frame(OUT, TooFewError.code.encode(), at=self._at)]

    def _fail(self, error: BeaverlodgeError) -> list[Frame]:
        self.failure = error.with_traceback(None)
        self.trace.tracer.failed(error)
        self.close()
        return [self._frame(QUIT, error.code.encode())]

    def _take(self, head: bytes, body: bytes) -> list[Frame]:
        header, turn = read_header(head, body, "the server"), self._turn
        if header.kind == BYE:
            self.done = True
            self.failure = None if self.rounds else self.fell_short
        elif header.kind == ABORT:
            raise _error_of(read_code(body))
        elif header.kind == START and (header.round, header.attempt) > self._at:
            self.close()
            self._at = header.round, header.attempt
            self.counts.steps += 1
            self.trace.tracer.started()
            return self._go_on(self._facts.make(body, header.round, header.attempt), None)
        elif header.kind == HERE and (turn is None or (header.round, header.attempt) == self._at):
            self.stage = "waiting" if turn is not None else self.stage
            self.close()
            self.counts.steps += 1
        elif header.kind == AGAIN and turn is not None:
            return turn.again()
        elif header.kind == DOWN and turn is not None and header.place == (*self._at, label_code(turn.exchange.label)):
            if len(body) > turn.exchange.limit:
                raise ProtocolError("the server's message is longer than it can be", party="server")
            self.counts.received += HEADER_BYTES + len(body)
            self.trace.tracer.arrived(self.trace.server, len(body))
            self.trace.tracer.ended()
            self.counts.steps += 1
            return self._go_on(turn.program, body)
        return []

    def _go_on(self, program: ClientProgram, body: bytes | None) -> list[Frame]:
        try:
            exchange = program.send(body)  # type: ignore[arg-type]  # None starts a coroutine
        except StopIteration:
            self._turn = None
            self.trace.tracer.finished()
            self.rounds += 1
            self.stage = "waiting"
            return []
        self.stage = exchange.label
        self._turn = _Turn(program, exchange, self._frame(UP, exchange.send, at=self._at, label=self.stage))
        self._facts.enters(self.stage)
        fault = self._facts.fault(self._at[0])
        struck = fault if fault is not None and fault.stage == self.stage else None
        self.contact.late = struck.seconds if struck is not None and struck.kind == "delay" else 0.0
        if struck is not None and struck.kind == "leave":
            self.close()
            return self._out()
        if struck is not None and struck.kind == "vanish":
            self.vanished = self.contact.unheard = True
            self.close()
            return []
        size = self._turn.message.size
        self.counts.sent += size
        self.trace.tracer.begins(self.stage, {self.trace.server: size})
        self.trace.tracer.handed()
        self.trace.tracer.ready()
        return [self._turn.message]


class HostedClient(Protocol):
    """A client in this process, and the processor time of its own computation, in seconds."""

    client: StarClient
    seconds: float


class Host(Protocol):
    """What hosts clients in this process."""

    @property
    def hosted(self) -> Mapping[str, HostedClient]:
        """The clients by name."""


def _error_of(why: type[BeaverlodgeError]) -> BeaverlodgeError:
    """The error of a client whose server stopped for this reason, or turned it away."""
    if why is AlreadyHereError:
        return AlreadyHereError(
            "another process with this client's key takes part already",
            "see whether this client was started twice; a second one is let in once the first is gone",
            party="server",
            told_by="server",
        )
    # Whatever else ended the server: a round without it is one with too few.
    kind = why if why in (DisagreementError, ProtocolError) else TooFewError
    return kind(f"the server stopped ({why.code})", "its log says why", party="server", told_by="server")
