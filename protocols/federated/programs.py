"""A round of federated learning: the server sends the model, each client of the round adds one vector, the server
learns the sum.

    model   i -> server: that it takes part;  server -> i: the round's message (phase, t, w)
    then i works on its own rows, and puts one vector into secure aggregation (protocols/aggregation/client.py):
    keys .. unmask

With `aggregation = "plain"`, for comparison only, there is one stage in their place:

    update  i -> server: its vector, in the clear

McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", algorithm 1, with the
sum of Bonawitz et al. 2017. A server that gives clients different models can make all updates but one vanish, and so
read one from the sum (Pasquini et al. 2022, "Eluding Secure Aggregation in Federated Learning via Model
Inconsistency"). So the message's digest is part of the context of every key and signature of the sum: where the server
may lie, a client refuses the keys of a neighbour that was given another model.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar, cast

import numpy as np

from mpc.errors import ProtocolError
from mpc.randomness.streams import Entropy
from mpc.ring.array import Array
from mpc.runtime.round import HEADER_BYTES
from mpc.star.stage import Exchange, Gather
from protocols.aggregation import cost
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.cost import Traffic
from protocols.aggregation.messages import write_indices
from protocols.aggregation.server import Aggregated, BeforeRelease, aggregation_server, check_survivors, nothing_noted
from protocols.aggregation.settings import Journal, Occasion, Settings, Trust
from protocols.federated.messages import Message, message_digest, read_message, release_key

MODEL: Final = "model"
UPDATE: Final = "update"
_FLOAT_BYTES: Final = 8

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Contribution:
    """What a client adds to a round's sum, and with whom.

    Args:
        members: the clients of the round, ascending: by their numbers in the star.
        settings: of the sum; client k of it is members[k].
        vector: (length,) machine words for a secure sum (pack.word), float64 for a plain one.
    """

    members: tuple[int, ...]
    settings: Settings
    vector: Array


Work = Callable[[Message], Contribution]
"""A client's local work on a round's message. It raises ProtocolError where it refuses to take part: the round was not
agreed, or the model is not as large as it should be."""


async def federated_client(
    me: int,
    longest: int,
    occasion: Occasion,
    work: Work,
    entropy: Entropy,
    journal: Journal,
    trust: Trust | None = None,
) -> Message:
    """A client's part in one attempt at one round; returns the round's message once the sum has all it needs.

    Args:
        me: this client's number in the star.
        longest: bytes of the longest message.
        work: what it does with the model.
        journal: asked, under the message's key, before anything is released for a set of survivors.
        trust: with a lying server, this client's signing key and everybody's public one, by number in the star.

    Raises:
        TooFewError, ProtocolError, DisagreementError: as in aggregation_client.
    """
    body, message, adds = await _receive(me, longest, work)

    def keep(_round: int, survivors: bytes) -> None:
        """Of one vector at most one sum: of these members' survivors."""
        journal(release_key(message), hashlib.sha256(write_indices(adds.members) + survivors).digest())

    if trust is not None and len(trust.public) > len(adds.members):
        trust = Trust(trust.signer, [trust.public[i] for i in adds.members])
    number = bisect_left(adds.members, me)
    await aggregation_client(number, adds.settings, _after(occasion, body), adds.vector, entropy, keep, trust)
    return message


async def plain_client(me: int, longest: int, work: Work) -> Message:
    """A client's part without secure aggregation: the server sees its vector."""
    _, message, adds = await _receive(me, longest, work)
    await Exchange(adds.vector.astype("<f8").tobytes(), UPDATE, 0)
    return message


async def _receive(me: int, longest: int, work: Work) -> tuple[bytes, Message, Contribution]:
    """The round's message, as sent and read, and what this client adds after it."""
    body = await Exchange(b"", MODEL, longest)
    message = read_message(body)
    adds = work(message)
    place = bisect_left(adds.members, me)
    if adds.members[place : place + 1] != (me,) or len(adds.members) != adds.settings.clients:
        raise ProtocolError(
            f"the server asks for round {message.t}, for which this client was not drawn",
            "it may want more of some clients than was agreed; nothing was sent",
            party="server",
        )
    return body, message, adds


async def federated_server(
    settings: Settings,
    occasion: Occasion,
    entropy: Entropy,
    message: bytes,
    only: frozenset[int] | None = None,
    before_release: BeforeRelease = nothing_noted,
) -> Aggregated:
    """The server's part in one attempt at one round, among clients 0, 1, ... of the round (`among`).

    Args:
        message: the round's message (messages.py).
        only, before_release: as in aggregation_server, where nothing is asked to be released for others.

    Raises:
        TooFewError, ProtocolError: as in aggregation_server.
    """
    there = await _meet(settings, only)
    first = dict.fromkeys(there, message)
    done = await aggregation_server(settings, _after(occasion, message), entropy, first, only, before_release)
    return replace(done, answered={MODEL: tuple(sorted(there)), **done.answered})


async def plain_server(
    settings: Settings,
    message: bytes,
    only: frozenset[int] | None = None,
    before_release: BeforeRelease = nothing_noted,
) -> Aggregated:
    """The server's part without secure aggregation; the total is float64, and those who sent are the survivors.

    Vectors are added in the order of their clients, so that the sum does not depend on who was faster.
    """
    there = await _meet(settings, only)
    vectors: dict[int, Array] = {}

    def take(i: int, body: bytes) -> None:
        if len(body) != limit:
            raise ProtocolError(f"an update of {len(body)} bytes came where {limit} were due")
        vectors[i] = np.frombuffer(body, "<f8")

    limit = _FLOAT_BYTES * settings.length
    survivors = await Gather(dict.fromkeys(there, message), there, settings.quorum, UPDATE, limit, take)
    check_survivors(survivors, only)
    before_release(survivors)
    await Gather(dict.fromkeys(survivors, b""), (), 0, UPDATE, 0, lambda i, body: None)
    total = np.zeros(settings.length)
    for i in sorted(survivors):
        total += vectors[i]
    members = tuple(sorted(survivors))
    return Aggregated(total, members, {MODEL: tuple(sorted(there)), UPDATE: members}, {}, {})


async def _meet(settings: Settings, only: frozenset[int] | None) -> frozenset[int]:
    """The clients that take part; an answer has nothing in it."""
    expect = frozenset(range(settings.clients)) if only is None else only
    there = await Gather({}, expect, settings.quorum, MODEL, 0, lambda i, body: None)
    if only is not None:
        check_survivors(there, only)
    return there


def _after(occasion: Occasion, message: bytes) -> Occasion:
    """The occasion of the sum that follows a message: its keys and signatures are bound to the message, too."""
    return replace(occasion, session=occasion.session + message_digest(message))


async def among(program: Coroutine[Gather, frozenset[int], T], members: Sequence[int]) -> T:
    """A server's program of clients 0, 1, ... , run with these clients of the star in their place."""
    numbers = {i: k for k, i in enumerate(members)}

    def of_the_star(gather: Gather) -> Gather:
        return replace(
            gather,
            send={members[k]: body for k, body in gather.send.items()},
            expect=[members[k] for k in gather.expect],
            take=lambda i, body: gather.take(numbers[i], body),
        )

    try:
        gather = program.send(None)  # type: ignore[arg-type]  # a coroutine is started with None
        while True:
            answered = await of_the_star(gather)
            gather = program.send(frozenset(numbers[i] for i in answered))
    except StopIteration as end:
        return cast(T, end.value)
    finally:
        program.close()


def replay_traffic(settings: Settings, done: Aggregated, message: int) -> dict[int, Traffic]:
    """Every client's bytes, headers included, from a round's events and the size of its message.

    Clients are those of the round: 0, 1, ...
    """
    down = HEADER_BYTES + message
    if UPDATE in done.answered:
        update = HEADER_BYTES + _FLOAT_BYTES * settings.length
        rest = dict.fromkeys(done.answered[UPDATE], Traffic(update, HEADER_BYTES))
    else:
        rest = cost.replay_traffic(settings, done)
    return {i: _plus(Traffic(HEADER_BYTES, down), rest.get(i, Traffic(0, 0))) for i in done.answered[MODEL]}


def expected_traffic(settings: Settings, message: int, *, plain: bool = False) -> Traffic:
    """A client's bytes in a round in which nobody drops out."""
    model = Traffic(HEADER_BYTES, HEADER_BYTES + message)
    if plain:
        return _plus(model, Traffic(HEADER_BYTES + _FLOAT_BYTES * settings.length, HEADER_BYTES))
    return _plus(model, cost.expected_traffic(settings))


def largest_traffic(settings: Settings, message: int, *, plain: bool = False) -> Traffic:
    """The most that a client sends and receives in one attempt at a round, but for what is sent again."""
    if plain:
        return expected_traffic(settings, message, plain=True)
    return _plus(Traffic(HEADER_BYTES, HEADER_BYTES + message), cost.largest_traffic(settings))


def _plus(one: Traffic, other: Traffic) -> Traffic:
    return Traffic(one.up + other.up, one.down + other.down)
