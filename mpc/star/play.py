"""An author's server and clients in one thread: for the plan, for tests, and for a run without sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mpc.errors import TooFewError, UsageError
from mpc.faults.fault import Fault
from mpc.randomness.streams import Entropy, os_entropy
from mpc.ring.array import Array
from mpc.runtime.round import HEADER_BYTES
from mpc.star.lockstep import StarMessage, StarOutcome, run_star, tap_of
from mpc.star.members import Client, Gathered, Learnt, Server, Shape, served

Function = Callable[..., Coroutine[Any, Any, Any]]
SESSION: Final = " session"
"""Of whom the session's public name is drawn under a test seed: no party can be called so."""


@dataclass
class Played:
    """What a run in one thread gave.

    Attributes:
        stages, learnt: as the server had them.
        told: the bytes of the server's last answers.
        result: what the server's function returned; `gave` the clients', by number.
        up, down: client -> the bytes that it sent and got, headers included.
        outcome: the seconds of each, and what failed.
    """

    stages: tuple[Gathered, ...] = ()
    learnt: tuple[Learnt, ...] = ()
    told: int = 0
    result: Any = None
    gave: dict[int, Any] = field(default_factory=dict)
    up: Counter[int] = field(default_factory=Counter)
    down: Counter[int] = field(default_factory=Counter)
    outcome: StarOutcome = field(default_factory=StarOutcome)

    @property
    def sent(self) -> int:
        """Bytes that the server sends, headers included."""
        answers = sum(one.sent + HEADER_BYTES * one.asked for one in self.stages)
        return answers + self.told + HEADER_BYTES * len(self.stages[-1].answered) if self.stages else 0

    @property
    def received(self) -> int:
        """Bytes that the server takes, headers included."""
        return sum(one.received + HEADER_BYTES * len(one.answered) for one in self.stages)

    def check_whole(self) -> None:
        """Where nobody dropped out on purpose, every client that was waited for answered, and none failed.

        Raises:
            UsageError: one did not answer.
            BeaverlodgeError: of a client that failed.
        """
        for one in self.stages:
            if len(one.answered) < one.waited:
                why = next(iter((self.outcome.refused | self.outcome.failed).values()), None)
                text = f"{len(one.answered)} of {one.waited} clients answered in stage '{one.label}'"
                hint = "a client's function sends with that label next, and a message of that size"
                raise UsageError(text if why is None else f"{text}: {why.message}", hint)
        for error in self.outcome.failed.values():
            raise error


def play(
    client: Callable[[Client], Coroutine[Any, Any, Any]],
    server: Callable[[Server], Coroutine[Any, Any, Any]],
    names: Sequence[str],
    entropy: Callable[[str], Entropy],
    session: bytes,
    shapes: Sequence[Shape],
    faults: Mapping[int, Fault],
    see: Callable[[StarMessage], None] = lambda message: None,
    *,
    dry: bool = False,
) -> Played:
    """Run both ends in this thread.

    Args:
        client, server: each party's function; a client's is given what it gives beside.
        names: the clients', then the server's: of whom `entropy` gives the secrets.
        shapes: as of a `Server`.
        faults: which clients vanish, and in which stage.
        see: called with each message, whether or not it comes.
        dry: whether it is for a plan.

    Raises:
        BeaverlodgeError: the server's error. Those of clients, which drop out by them, are in the outcome.
    """
    played, drop, clients = Played(), tap_of(faults, 0.0), len(names) - 1
    s = Server(clients, session, entropy(names[-1]), shapes)

    async def one(i: int) -> None:
        result = await client(Client(i, clients, session, entropy(names[i]), dry=dry))
        played.gave[i] = result

    def tap(message: StarMessage) -> bytes | None:
        see(message)
        body = drop(message)
        if body is not None:
            (played.up if message.up else played.down)[message.client] += HEADER_BYTES + len(message.body)
        return body

    played.outcome = run_star(served(s, server(s)), {i: partial(one, i) for i in range(clients)}, tap)
    played.stages, played.learnt, played.result = tuple(s.stages), tuple(s.learnt), played.outcome.result
    played.told = sum(map(len, s.told.values()))
    if isinstance(error := played.outcome.error, TooFewError):
        why = next(iter((played.outcome.refused | played.outcome.failed).values()), None)
        raise too_few(error, "" if why is None else why.message)
    if error is not None:
        raise error
    return played


def run_clients(
    client: Function,
    server: Function,
    inputs: Sequence[Sequence[Array]],
    *,
    entropy: Callable[[str], Entropy] = lambda name: os_entropy,
    vanish: Mapping[int, str] | None = None,
    see: Callable[[StarMessage], None] = lambda message: None,
) -> Played:
    """Run a protocol between a server and clients in this thread.

    Args:
        client, server: the protocol's two functions.
        inputs: what each client gives: a list of arrays, one for each parameter after its `Client`.
        entropy: "client 0", "client 1" ... or "server" -> the source of that party's secrets.
        vanish: client -> the stage in which it is gone.
        see: called with each message.

    Raises:
        BeaverlodgeError: the server's error, or a client's.
    """
    names = [*(f"client {i}" for i in range(len(inputs))), "server"]
    faults = {i: Fault("vanish", stage=stage) for i, stage in (vanish or {}).items()}
    shapes = [common_shape([given[k].shape for given in inputs]) for k in range(len(inputs[0]))] if inputs else []
    session = entropy(SESSION)("session")
    played = play(lambda me: client(me, *inputs[me.number]), server, names, entropy, session, shapes, faults, see=see)
    if not faults:
        played.check_whole()
    return played


def too_few(error: TooFewError, dropped: str) -> TooFewError:
    """The error of a server that lacks clients, in an author's words.

    Args:
        dropped: why a client was dropped, if any was.
    """
    why = f"one was dropped: {dropped}" if dropped else "see in the clients' logs why they left"
    return TooFewError(error.message, f"{why}; gather(..., at_least=) says how many are enough", party=error.party)


def common_shape(shapes: Sequence[tuple[int, ...]]) -> Shape:
    """The shape of an input at every client: -1 for a table's rows."""
    first = shapes[0]
    return first if all(one == first for one in shapes) else (-1, *first[1:])
