"""Links between a server and many clients: what is late, lost, repeated or slow; many rounds over one set of links."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import TooFewError
from mpc.faults.fault import vanishing
from mpc.links.network import Came, Disconnected
from mpc.links.probe import probe, read_probe
from mpc.links.session import Frame
from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import insecure_entropy
from mpc.star.client import StarClient, always
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost, ping_seconds
from mpc.star.stage import ClientProgram, Exchange, Gather, ServerProgram
from mpc.star.wire import ABORT, AGAIN, DOWN, JOIN, PING, QUIT, UP, frame
from protocols.aggregation import messages as m
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.cost import replay_traffic
from protocols.aggregation.server import Aggregated, aggregation_server
from protocols.aggregation.settings import Occasion, Settings
from tests.examples import steady
from tests.links.star.fake import FakeNetwork, Fault, no_fault
from tests.protocols.aggregation.rounds import Memory, settings_for, total_of, trust_for, vectors_for

N = 8
SETTINGS = settings_for(N, 12)
VECTORS = vectors_for(SETTINGS)
LIMITS = StarLimits(join=30.0, stage=30.0, patience=1.0)
DIGEST = b"d" * 32


def star_clients(settings: Settings = SETTINGS, drops: dict[int, str] | None = None) -> list[StarClient]:
    trust, vectors = trust_for(settings), vectors_for(settings)
    journals = [Memory() for _ in range(settings.clients)]

    def make(i: int, session: bytes, round_: int, attempt: int) -> object:
        entropy = insecure_entropy(5, f"client {i}/{round_}/{attempt}")
        return aggregation_client(
            i, settings, Occasion(session, round_, attempt), vectors[i], entropy, journals[i], trust[i]
        )

    return [
        StarClient(partial(make, i), DIGEST, always(vanishing((drops or {}).get(i))))  # type: ignore[arg-type]
        for i in range(settings.clients)
    ]


def served(network: object, settings: Settings = SETTINGS, patience: float = 1.0) -> StarServer:
    names = [f"c{i}" for i in range(settings.clients)]
    limits = replace(LIMITS, patience=patience)
    return StarServer(network, names, DIGEST, limits, lambda *_: None, lambda _: None)  # type: ignore[arg-type]


def one_round(server: StarServer, number: int = 1, attempt: int = 1, settings: Settings = SETTINGS) -> Aggregated:
    occasion = Occasion(b"s" * 32, number, attempt)
    program = aggregation_server(settings, occasion, insecure_entropy(5, f"server/{number}/{attempt}"))
    done: Aggregated = server.run(program, occasion.session, number, attempt)
    return done


def in_virtual_time(
    fault: Fault, drops: dict[int, str] | None = None, settings: Settings = SETTINGS
) -> tuple[Aggregated, StarServer, FakeNetwork]:
    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients(settings, drops), fault)
    server = served(network, settings)
    network.begin()
    assert len(server.join()) == N
    return one_round(server, settings=settings), server, network


def check_exact(done: Aggregated) -> None:
    assert np.array_equal(done.total, total_of(SETTINGS, VECTORS, done.survivors))


def test_a_round_over_links_costs_what_the_plan_says() -> None:
    done, server, network = in_virtual_time(no_fault)
    check_exact(done)
    assert len(done.survivors) == N
    planned = replay_traffic(SETTINGS, done)
    for i, client in enumerate(network.clients):
        assert (planned[i].up, planned[i].down) == (server.counts.received[i], server.counts.sent[i])
        assert planned[i].up == client.counts.sent
    assert server.counts.resent == server.counts.discarded == 0
    assert network.time < 1  # nobody waited for a deadline


@pytest.mark.parametrize("stage", m.stages(False))
def test_a_closed_connection_ends_the_wait_and_not_the_deadline(stage: str) -> None:
    done, _, network = in_virtual_time(no_fault, {3: stage})
    check_exact(done)
    assert (3 in done.survivors) == (stage == m.UNMASK)
    assert network.time < 3


@pytest.mark.parametrize("stage", m.stages(False))
def test_a_message_that_comes_after_the_deadline_is_discarded(stage: str) -> None:
    def late(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        return (45.0,) if (client, up, kind, at) == (2, True, UP, stage) else (0.001,)

    done, server, _ = in_virtual_time(late)
    check_exact(done)
    assert 2 not in done.answered[stage]
    assert (2 in done.survivors) == (stage == m.UNMASK)
    one_round(server, 2)  # in which the late message comes
    assert server.counts.discarded > 0


def test_a_vector_after_its_sender_dropped_is_not_in_the_sum() -> None:
    def late(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        slow_vector = (client, up, kind, at) == (2, True, UP, m.MASKED)
        slow_others = up and kind == UP and at == m.UNMASK and client == 5  # keeps the round open for it
        return (31.0,) if slow_vector else (20.0,) if slow_others else (0.001,)

    done, server, _ = in_virtual_time(late)
    check_exact(done)
    assert 2 not in done.survivors
    assert server.counts.discarded > 0


def test_repeated_messages_count_once() -> None:
    done, server, _ = in_virtual_time(lambda client, up, kind, at: (0.001, 0.002) if up else (0.001,))
    check_exact(done)
    assert len(done.survivors) == N
    assert server.counts.discarded > 0


@pytest.mark.parametrize("kind", [UP, DOWN])
@pytest.mark.parametrize("stage", m.stages(False)[:3])
def test_a_lost_message_goes_again(kind: int, stage: str) -> None:
    lost: list[int] = []

    def lose(client: int, up: bool, sent: int, at: str) -> tuple[float, ...]:
        if (client, sent, at) == (4, kind, stage) and not lost:
            lost.append(client)
            return ()
        return (0.001,)

    done, server, _ = in_virtual_time(lose)
    check_exact(done)
    assert len(done.survivors) == N
    assert server.counts.resent == 1


@pytest.mark.parametrize("patience", [3.0, 30.0, 90.0])
@pytest.mark.parametrize("kind", [UP, DOWN])
def test_a_cut_is_survived_whatever_the_patience(kind: int, patience: float) -> None:
    """The message is lost, and the server hears of the new connection when the client asks."""
    cuts: list[float] = []

    def fault(client: int, up: bool, sent: int, at: str) -> tuple[float, ...]:
        if (client, sent, at) == (4, kind, m.MASKED) and not cuts:
            cuts.append(network.time)
            network.at(0.001, lambda: Disconnected("c4"))
            return ()
        return (0.001,)

    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients(), fault, ping_seconds(patience))
    server = served(network, patience=patience)
    network.begin()
    server.join()
    done = one_round(server)
    check_exact(done)
    assert len(cuts) == 1 and len(done.survivors) == N
    assert network.time - cuts[0] < min(10.1, patience / 2)


def test_an_answer_on_its_way_is_not_sent_again() -> None:
    """A slow link to one client: nothing is lost as long as its connection lives."""

    def slow(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        return (5.0,) if client == 4 and kind == DOWN else (0.001,)

    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients(), slow, ping_seconds(3.0))
    server = served(network)
    network.begin()
    server.join()
    done = one_round(server)
    check_exact(done)
    assert len(done.survivors) == N
    assert server.counts.resent == 0


@pytest.mark.parametrize(("patience", "every"), [(0.0, 10.0), (0.1, 0.5), (3.0, 1.0), (60.0, 10.0)])
def test_a_client_asks_three_times_within_the_patience(patience: float, every: float) -> None:
    class Asking(StarClient):
        asked = 0

        def ping(self) -> list[Frame]:
            self.asked += 1
            return super().ping()

    one, client = new_identity(), Asking(lambda *_: None, DIGEST)  # type: ignore[arg-type]
    host = ClientHost("tcp://127.0.0.1:1", one.public, {"c": (client, one)}, 60.0, patience, lambda *_: None)
    try:
        began = host.hosted["c"].pinged
        for after, asked in ((every - 0.1, 0), (every + 0.1, 1), (2 * every, 1), (2 * every + 0.3, 2)):
            host._look_at_clocks(began + after)
            assert client.asked == asked
    finally:
        host.close(0)


@given(st.data())
@steady(25)
def test_lost_late_or_repeated_frames_leave_the_sum_exact(data: st.DataObject) -> None:
    delays = st.sampled_from([(0.001,)] * 12 + [(), (0.001, 0.5), (40.0,), (12.0,)])

    def fault(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        return (0.001,) if kind in (JOIN, PING, AGAIN) else data.draw(delays)

    try:
        done, _, _ = in_virtual_time(fault)
    except TooFewError:
        return
    check_exact(done)


def test_many_rounds_over_one_set_of_links() -> None:
    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients())
    server = served(network)
    network.begin()
    server.join()
    totals = [one_round(server, number) for number in (1, 2, 3)]
    for done in totals:
        check_exact(done)
    again = one_round(server, 4, attempt=2)
    check_exact(again)
    server.part()
    network.poll(1)
    assert all(client.done and client.rounds == 4 for client in network.clients)


def test_a_client_with_too_few_others_waits_for_the_next_attempt() -> None:
    """It leaves the attempt alone, and at once; in the next it is there again. If there is none, that is its end."""

    async def client(i: int, attempt: int) -> None:
        await Exchange(b"1", "first", 9)
        if i == 2 and attempt == 1:
            raise TooFewError("there are 1 neighbours, and 3 are needed")
        await Exchange(b"2", "second", 9)

    async def server() -> frozenset[int]:
        first = await Gather({}, range(4), 0, "first", 9, lambda i, body: None)
        second = await Gather(dict.fromkeys(first, b""), range(4), 0, "second", 9, lambda i, body: None)
        await Gather(dict.fromkeys(second, b""), (), 0, "second", 0, lambda i, body: None)
        return second

    def make(i: int, session: bytes, round_: int, attempt: int) -> ClientProgram:
        return client(i, attempt)

    for attempts in (1, 2):
        clients = [StarClient(partial(make, i), DIGEST, due=2) for i in range(4)]
        network = FakeNetwork([f"c{i}" for i in range(4)], clients)
        star = StarServer(network, network.names, DIGEST, LIMITS, lambda *_: None, lambda _: None)
        network.begin()
        star.join()
        answered = [star.run(server(), b"s", 1, attempt + 1) for attempt in range(attempts)]
        assert network.time < 1  # nobody waited for it
        star.part()
        network.poll(1)
        assert answered == [frozenset({0, 1, 3}), frozenset(range(4))][:attempts]
        assert [client.rounds for client in clients] == ([1, 1, 0, 1] if attempts == 1 else [2, 2, 1, 2])
        assert all(client.done for client in clients)
        assert isinstance(clients[2].failure, TooFewError) == (attempts == 1)


def test_a_client_of_another_scenario_is_refused_and_told() -> None:
    clients = star_clients()
    clients[1] = StarClient(clients[1]._facts.make, b"x" * 32)
    network = FakeNetwork([f"c{i}" for i in range(N)], clients)
    server = served(network)
    network.begin()
    assert server.join() == frozenset(range(N)) - {1}
    check_exact(one_round(server))
    assert "the server stopped (disagreement)" in str(clients[1].failure)


LYING = settings_for(N, 12, malicious=True)
OWN_STAGES = (m.CHOICE, m.CONSISTENCY)
EVERY_STAGE = [(SETTINGS, stage) for stage in m.stages(False)] + [
    pytest.param(LYING, stage, marks=() if stage in OWN_STAGES else pytest.mark.soak) for stage in m.stages(True)
]


@pytest.mark.parametrize(("settings", "stage"), EVERY_STAGE)
def test_every_client_may_vanish_in_every_stage(settings: Settings, stage: str) -> None:
    for i in range(N):
        done, _, network = in_virtual_time(no_fault, {i: stage}, settings)
        check_exact(done)
        assert set(done.survivors) == set(range(N)) - ({i} if stage not in (m.UNMASK, m.CONSISTENCY) else set())
        assert network.time < 3


@pytest.mark.parametrize(("settings", "stage"), [(SETTINGS, "joining"), *EVERY_STAGE])
def test_clients_of_a_server_that_dies_end_by_themselves(settings: Settings, stage: str) -> None:
    """Over sockets: the server answers until a stage, and is gone then; nobody waits without end."""
    identity, identities = new_identity(), [new_identity() for _ in range(N)]
    names = [f"c{i}" for i in range(N)]
    allowed = {name: one.public for name, one in zip(names, identities, strict=True)}
    transport = Transport(identity, allowed, "tcp://127.0.0.1:*")
    assert transport.endpoint is not None
    clients = star_clients(settings)
    pairs = dict(zip(names, zip(clients, identities, strict=True), strict=True))
    host = ClientHost(transport.endpoint, identity.public, pairs, 1.0, 1.0, lambda *_: None)
    thread = threading.Thread(target=host.run)
    thread.start()
    server = served(transport, settings)
    try:
        if stage != "joining":
            server.join()
            with pytest.raises(_Dies):
                server.run(_dying(stage, settings), b"s" * 32, 1, 1)
    finally:
        transport.close(0)
        thread.join(60)
        host.close(0)
    assert not thread.is_alive()
    assert all("the server was silent for 1 s" in str(client.failure) for client in clients)


class _Dies(Exception):
    """The server's process is killed."""


def _dying(stage: str, settings: Settings) -> ServerProgram:
    async def program() -> None:
        real = aggregation_server(settings, Occasion(b"s" * 32, 1, 1), insecure_entropy(5, "server"))
        answered: frozenset[int] | None = None
        try:
            while True:
                gather = real.send(answered)
                if gather.label == stage:
                    raise _Dies
                answered = await gather
        finally:
            real.close()

    return program()


def test_a_server_that_is_silent_for_too_long_is_given_up() -> None:
    """One that was never met is out of reach (4); without one that was, there are too few (7); unless all is over."""
    never, met, through = star_clients()[:3]
    met.contact.met = through.contact.met = True
    through.rounds = 1
    for client in (never, met, through):
        client.lost(90.0)
    assert "the server was silent for 90 s in stage 'joining'" in str(never.failure)
    assert [client.failure.exit_code if client.failure else 0 for client in (never, met, through)] == [4, 7, 0]
    assert through.done


@pytest.mark.parametrize(("code", "exit_code"), [("interrupted", 7), ("too-few", 7), ("internal", 7), ("protocol", 6)])
def test_a_server_that_stops_says_so(code: str, exit_code: int) -> None:
    client = star_clients()[0]
    stop = frame(ABORT, code.encode())
    assert [one.head[3] for one in client.came(stop.head, stop.body)] in ([], [QUIT])
    assert client.failure is not None and client.failure.exit_code == exit_code
    assert f"the server stopped ({code})" in client.failure.message


def test_a_clients_doctor_does_not_disturb_the_server() -> None:
    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients())
    server = StarServer(network, network.names, DIGEST, LIMITS, lambda *_: None, lambda _: None, about={"version": "1"})
    network.begin()
    asked = probe({"is": "about?"})
    network.at(0.0005, lambda: Came("c1/doctor", memoryview(asked.head), memoryview(asked.body)))
    network.at(0.0006, lambda: Disconnected("c1/doctor"))
    assert len(server.join()) == N
    check_exact(one_round(server))
    ((peer, answer),) = network.to_doctors
    fields = read_probe(memoryview(answer.head), memoryview(answer.body))
    assert (peer, fields["doing"], fields["version"]) == ("c1/doctor", "waiting", "1")


@pytest.mark.parametrize("malicious", [False, True])
def test_the_same_over_sockets_with_drops_in_every_stage(malicious: bool) -> None:
    settings = settings_for(14, 40_000, malicious=malicious)  # a vector of 100 kB: in parts, on the wire
    stages = m.stages(malicious)
    drops = {2 * turn: stage for turn, stage in enumerate(stages[:3])}
    clients = star_clients(settings, drops)
    names = [f"c{i}" for i in range(14)]
    identity, identities = new_identity(), [new_identity() for _ in names]
    transport = Transport(
        identity, {name: one.public for name, one in zip(names, identities, strict=True)}, "tcp://127.0.0.1:*"
    )
    assert transport.endpoint is not None
    host = ClientHost(
        transport.endpoint,
        identity.public,
        dict(zip(names, zip(clients, identities, strict=True), strict=True)),
        60.0,
        0.0,
        lambda *_: None,
    )
    thread = threading.Thread(target=host.run)
    thread.start()
    try:
        server = StarServer(transport, names, DIGEST, StarLimits(60, 60, 0.0), lambda *_: None, lambda _: None)
        assert len(server.join()) == 14
        done = one_round(server, settings=settings)
        server.part()
    finally:
        thread.join(60)
        host.close(1)
        transport.close(1)
    assert np.array_equal(done.total, total_of(settings, vectors_for(settings), done.survivors))
    assert set(done.survivors) == set(range(14)) - set(drops)
    planned = replay_traffic(settings, done)
    for i in done.answered[m.UNMASK]:
        assert (planned[i].up, planned[i].down) == (clients[i].counts.sent, clients[i].counts.received)
    assert sum(one.up for one in planned.values()) == sum(server.counts.received.values())
    assert sum(one.down for one in planned.values()) == sum(server.counts.sent.values())
