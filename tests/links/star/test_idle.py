"""Clients of which nothing is due, that leave one attempt alone, or whose server is started again."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from mpc.faults.fault import Fault
from mpc.links.network import Connected, Disconnected, Event
from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.transport import Transport
from mpc.star.client import StarClient
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram, Exchange, Gather, ServerProgram
from mpc.star.wire import HERE, PING, START, UP, frame, read_header
from tests.links.star.fake import FakeNetwork, no_fault
from tests.links.star.fake import Fault as Loss
from tests.links.star.test_star import DIGEST, LIMITS

N = 6
STAGES = ("first", "second", "third")


async def three_answers(seen: list[int], round_: int) -> None:
    for label in STAGES:
        await Exchange(b"1", label, 9)
    seen.append(round_)


async def three_stages(members: tuple[int, ...], dies_in: str = "") -> dict[str, frozenset[int]]:
    """Who answered in each stage."""
    there, answered = frozenset(members), {}
    send: dict[int, bytes] = {}
    for label in STAGES:
        if label == dies_in:
            raise _Dies
        there = answered[label] = await Gather(send, there, 0, label, 9, lambda i, body: None)
        send = dict.fromkeys(there, b"")
    await Gather(send, (), 0, "third", 0, lambda i, body: None)
    return answered


class _Dies(Exception):
    """The server's process is killed."""


class Scene:
    """Some clients, what rounds each went through, and their server."""

    def __init__(self, loss: Loss = no_fault, faults: dict[int, dict[int, Fault]] | None = None) -> None:
        self.through: list[list[int]] = [[] for _ in range(N)]
        self.clients = [
            StarClient(partial(self._program, i), DIGEST, (faults or {}).get(i, {}).get, due=99) for i in range(N)
        ]
        self.network = FakeNetwork([f"c{i}" for i in range(N)], self.clients, loss)
        self.network.begin()
        self.server = self.started()

    def _program(self, i: int, session: bytes, round_: int, attempt: int) -> ClientProgram:
        return three_answers(self.through[i], round_)

    def started(self) -> StarServer:
        """A new process of the server, which knows of nobody."""
        return StarServer(self.network, self.network.names, DIGEST, LIMITS, lambda *_: None, lambda _: None)

    def round(
        self, number: int, members: tuple[int, ...] = tuple(range(N)), told: tuple[int, ...] | None = None
    ) -> dict[str, frozenset[int]]:
        """A round of some clients; others may be told of it, too."""
        run: ServerProgram = three_stages(members)
        answered: dict[str, frozenset[int]] = self.server.run(run, b"s" * 32, number, 1, told or members)
        self.network.poll(0.002)  # the last answers arrive
        return answered


def test_those_not_asked_hear_nothing_of_a_round() -> None:
    scene = Scene()
    scene.server.join()
    exact = scene.network.sent.copy()
    for number in range(1, 21):
        assert scene.round(number, (1, 3))["third"] == {1, 3}
    assert scene.network.sent - exact == {
        name: sent - exact[name] for name, sent in scene.network.sent.items() if name in ("c1", "c3")
    }
    assert [len(rounds) for rounds in scene.through] == [0, 20, 0, 20, 0, 0]
    assert scene.round(21)["first"] == frozenset(range(N))


def test_a_client_that_asks_is_told_that_nothing_is_due_of_it() -> None:
    """That prolongs its wait. One that is to answer, or waits for an answer, is not put off so."""
    heard: list[int] = []

    def slow(client: int, up: bool, kind: int, stage: str) -> tuple[float, ...]:
        if not up and kind == HERE:
            heard.append(client)
        return (25.0,) if (client, up, kind) == (1, True, UP) else (0.001,)

    scene = Scene(slow)
    scene.server.join()
    steps = [client.counts.steps for client in scene.clients]
    assert scene.round(1, (1, 3))["third"] == {1, 3}
    assert scene.network.time > 70
    assert {0, 2, 4, 5} == set(heard)
    assert heard.count(0) == 7  # it asks every 10 s
    taken = [client.counts.steps - before for client, before in zip(scene.clients, steps, strict=True)]
    assert taken == [7, 4, 7, 4, 7, 7]
    before, told = len(heard), list[int]()
    scene.network.at(20.0, lambda: told.append(len(heard)))
    scene.round(2, (1, 3), (0, 1, 3))
    assert 0 in heard[before : told[0]]  # in the stage that it was told to answer in
    assert (scene.clients[0].stage, scene.clients[1].stage, scene.through[0]) == ("waiting", "waiting", [])


def test_a_client_that_was_too_late_waits_for_the_next_round() -> None:
    """As soon as it asks: it is told so even while the others go on without it."""

    def late(client: int, up: bool, kind: int, stage: str) -> tuple[float, ...]:
        if (client, up, kind, stage) == (2, True, UP, "second") and scene.network.time < LIMITS.stage:
            return (100.0,)
        return (20.0,) if up and kind == UP and stage == "third" else (0.001,)

    scene = Scene(late)
    scene.server.join()
    assert 2 not in scene.round(1)["second"]
    assert scene.clients[2].stage == "waiting"
    assert not scene.clients[2].over
    assert scene.round(2)["third"] == frozenset(range(N))
    assert scene.through[2] == [2]


@pytest.mark.parametrize("stage", STAGES)
def test_who_leaves_a_round_is_there_in_the_next(stage: str) -> None:
    scene = Scene(faults={4: {2: Fault("leave", stage=stage)}})
    scene.server.join()
    for number in (1, 2, 3):
        answered = scene.round(number)
        assert (4 in answered[stage]) == (number != 2)
    assert scene.network.time < 1  # nobody waited for it
    assert scene.through[4] == [1, 3]
    assert scene.clients[4].failure is None


@pytest.mark.parametrize("stage", STAGES)
def test_clients_go_over_to_a_server_that_was_started_again(stage: str) -> None:
    scene = Scene()
    scene.server.join()
    scene.round(1)
    with pytest.raises(_Dies):
        scene.server.run(three_stages(tuple(range(N)), stage), b"s" * 32, 2, 1)
    for name in scene.network.names:  # connections break, and come back to another process
        scene.network.at(0.1, partial(_event, Disconnected(name)))
        scene.network.at(0.2, partial(_event, Connected(name)))
    scene.server = scene.started()
    assert scene.server.join() == frozenset(range(N))
    assert scene.round(3)["third"] == frozenset(range(N))
    assert scene.through == [[1, 3]] * N


def _event(event: Event) -> Event:
    return event


def test_an_old_answer_does_not_end_a_later_attempt() -> None:
    client = Scene().clients[0]
    for number in (1, 2):
        start = frame(START, b"s" * 32, round=number, attempt=1)
        client.came(start.head, start.body)
    steps = client.counts.steps
    old = frame(HERE, round=1, attempt=1)
    assert client.came(old.head, old.body) == []
    assert (client.stage, client.counts.steps) == ("first", steps)
    assert read_header(*client.ping()[-1], "").kind == PING


@pytest.mark.parametrize(("patience", "silence"), [(60.0, 60.0), (1.0, 2.0)])
def test_over_sockets_a_client_meets_the_new_server(patience: float, silence: float) -> None:
    """At once, not when it asks every 10 s. And one of no round, which asks more often, outlasts its silence."""
    scene = Scene()
    names = scene.network.names
    identity, identities = new_identity(), [new_identity() for _ in names]
    allowed = {name: one.public for name, one in zip(names, identities, strict=True)}
    transport = Transport(identity, allowed, "tcp://127.0.0.1:*")
    assert transport.endpoint is not None
    endpoint, limits = transport.endpoint, StarLimits(20.0, 20.0, 1.0)
    pairs = dict(zip(names, zip(scene.clients, identities, strict=True), strict=True))
    host = ClientHost(endpoint, identity.public, pairs, silence, patience, lambda *_: None, meet_within=20.0)
    thread = threading.Thread(target=host.run)
    thread.start()
    try:
        server = StarServer(transport, names, DIGEST, limits, lambda *_: None, lambda _: None)
        assert server.join() == frozenset(range(N))
        with pytest.raises(_Dies):
            server.run(three_stages(tuple(range(N)), "second"), b"s" * 32, 1, 1)
        transport.close(0)
        transport = Transport(identity, allowed, endpoint)
        began = transport.now()
        server = StarServer(transport, names, DIGEST, limits, lambda *_: None, lambda _: None)
        assert server.join() == frozenset(range(N))
        assert transport.now() - began < 6.0
        while silence < 3.0 and transport.now() < began + 3.0:
            server._pump(0.2)
        answered = server.run(three_stages((0, 1, 2)), b"t" * 32, 2, 1, (0, 1, 2))
        server.part()
    finally:
        thread.join(30)
        host.close(1)
        transport.close(1)
    assert answered["third"] == {0, 1, 2}
    assert [client.failure for client in scene.clients] == [None] * N
    assert scene.through == [[2]] * 3 + [[]] * 3
