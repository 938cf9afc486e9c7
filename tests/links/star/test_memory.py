"""Clients in memory: the same rounds as over links, whoever is late or vanishes, and at no cost of real time."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from mpc.errors import TooFewError
from mpc.faults.fault import Fault
from mpc.links.network import Came, Network
from mpc.links.session import Frame
from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.transport import Transport
from mpc.star.client import StarClient, always
from mpc.star.memory import LocalClients, MemoryNetwork, Reply
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost
from mpc.star.stage import Exchange
from protocols.aggregation import messages as m
from protocols.aggregation.cost import replay_traffic
from protocols.aggregation.settings import Settings
from tests.links.star.test_star import DIGEST, SETTINGS, VECTORS, N, check_exact, one_round, star_clients
from tests.protocols.aggregation.rounds import settings_for, total_of

NAMES = [f"c{i}" for i in range(N)]
LIMITS = StarLimits(join=300.0, stage=3600.0, patience=600.0)


def with_faults(faults: dict[int, Fault], settings: Settings = SETTINGS) -> list[StarClient]:
    clients = star_clients(settings)
    for i, fault in faults.items():
        clients[i]._facts = replace(clients[i]._facts, fault=always(fault))
    return clients


def local(clients: Sequence[StarClient]) -> LocalClients:
    return LocalClients(
        dict(zip(NAMES, clients, strict=True)), {name: i for i, name in enumerate(NAMES) if i < len(clients)}
    )


def served(network: Network) -> StarServer:
    return StarServer(network, NAMES, DIGEST, LIMITS, lambda *_: None, lambda _: None)


@pytest.mark.parametrize("malicious", [False, True])
def test_a_round_in_memory_costs_what_the_plan_says(malicious: bool) -> None:
    settings = settings_for(N, 12, malicious=malicious)
    clients = star_clients(settings)
    network = MemoryNetwork(local(clients), NAMES)
    server = served(network)
    assert server.join() == frozenset(range(N))
    for number in (1, 2):
        done = one_round(server, number, settings=settings)
        assert np.array_equal(done.total, total_of(settings, VECTORS, range(N)))
        planned = replay_traffic(settings, done)
        for i in range(N):
            assert (planned[i].up, planned[i].down) == (server.counts.received[i], server.counts.sent[i])
    assert network.now() == 0.0  # nobody waited for anything
    server.part()
    network.close()
    assert all(one.done and one.rounds == 2 for one in clients)


@pytest.mark.parametrize("kind", ["vanish", "leave", "delay"])
@pytest.mark.parametrize("stage", m.stages(False))
def test_hours_of_waiting_take_no_time(stage: str, kind: str) -> None:
    """One client vanishes, leaves or is late by more than the deadline of an hour: it is not in the sum."""
    fault = Fault(kind, stage=stage, seconds=4000.0)  # type: ignore[arg-type]
    clients = with_faults({3: fault})
    network = MemoryNetwork(local(clients), NAMES)
    server = served(network)
    server.join()
    began = time.perf_counter()
    done = one_round(server)
    assert time.perf_counter() - began < 5
    check_exact(done)
    assert (3 in done.survivors) == (stage == m.UNMASK)
    waits = {"vanish": LIMITS.patience, "leave": 0.0, "delay": LIMITS.stage}
    assert network.now() == pytest.approx(waits[kind], abs=1)
    late = one_round(server, 2)
    assert (3 in late.survivors) == (kind != "vanish" and stage == m.UNMASK)
    check_exact(late)


def test_a_message_that_is_late_within_the_deadline_counts() -> None:
    clients = with_faults({2: Fault("delay", stage=m.MASKED, seconds=1000.0)})
    network = MemoryNetwork(local(clients), NAMES)
    server = served(network)
    server.join()
    done = one_round(server)
    check_exact(done)
    assert len(done.survivors) == N
    assert network.now() == pytest.approx(1000.0)


def test_too_few_clients_end_the_round_in_memory_too() -> None:
    clients = with_faults(dict.fromkeys(range(5), Fault("leave", stage=m.MASKED)))
    server = served(MemoryNetwork(local(clients), NAMES))
    server.join()
    with pytest.raises(TooFewError):
        one_round(server)


class Batches:
    """Clients that take many frames at a time, and answer in another order."""

    most = 5

    def __init__(self, inner: LocalClients) -> None:
        self.inner = inner
        self.sizes: list[int] = []

    def begin(self) -> Iterable[Reply]:
        return self.inner.begin()

    def deliver(self, frames: Sequence[tuple[int, Frame]]) -> Iterable[Reply]:
        self.sizes.append(len(frames))
        return list(self.inner.deliver(frames))[::-1]


def test_clients_elsewhere_get_frames_by_the_batch() -> None:
    batches = Batches(local(with_faults({4: Fault("vanish", stage=m.SHARES)})))
    server = served(MemoryNetwork(batches, NAMES))
    server.join()
    check_exact(one_round(server))
    assert max(batches.sizes) == 5


def test_clients_in_memory_beside_others_over_sockets() -> None:
    """The clock is the real one then. A delay of half a second in memory takes as long; a real client is heard too."""
    inside, outside = range(5), range(5, N)
    clients = with_faults({1: Fault("delay", stage=m.MASKED, seconds=0.5)})
    identity, identities = new_identity(), {NAMES[i]: new_identity() for i in outside}
    transport = Transport(identity, {name: one.public for name, one in identities.items()}, "tcp://127.0.0.1:*")
    assert transport.endpoint is not None
    pairs = {NAMES[i]: (clients[i], identities[NAMES[i]]) for i in outside}
    host = ClientHost(transport.endpoint, identity.public, pairs, 60.0, 0.0, lambda *_: None)
    thread = threading.Thread(target=host.run)
    thread.start()
    home = LocalClients({NAMES[i]: clients[i] for i in inside}, {NAMES[i]: i for i in inside})
    network = MemoryNetwork(home, NAMES, transport)
    server = StarServer(network, NAMES, DIGEST, StarLimits(30.0, 30.0, 0.0), lambda *_: None, lambda _: None)
    try:
        assert server.join() == frozenset(range(N))
        began = time.monotonic()
        done = one_round(server)
        assert 0.5 <= time.monotonic() - began < 20
        server.part()
        network.close()
    finally:
        thread.join(30)
        host.close(1)
        transport.close(1)
    check_exact(done)
    assert len(done.survivors) == N
    assert all(one.done for one in clients)


def test_nothing_of_a_round_is_kept_by_who_left_it() -> None:
    """Neither its vector nor the masks, which an error's frames would hold."""
    clients = star_clients()
    kept = weakref.WeakSet[_Vector]()

    async def leaving() -> None:
        vector = _Vector()
        kept.add(vector)
        await Exchange((b"\x09" + bytes(31)) * 2, m.KEYS, 1 << 20)
        raise TooFewError("there are too few neighbours")

    clients[3]._facts = replace(clients[3]._facts, make=lambda session, round_, attempt: leaving())
    server = served(MemoryNetwork(local(clients), NAMES))
    server.join()
    check_exact(one_round(server))
    assert isinstance(clients[3].fell_short, TooFewError)
    gc.collect()
    assert not kept


class _Vector:
    """What a program has in its frames."""


def test_a_client_that_cannot_join_is_not_waited_for() -> None:
    clients = star_clients()
    clients[6] = StarClient(clients[6]._facts.make, b"x" * 32)
    network = MemoryNetwork(local(clients), NAMES)
    server = served(network)
    assert server.join() == frozenset(range(N)) - {6}
    assert network.now() == 0.0
    check_exact(one_round(server))
    assert clients[6].failure is not None


def test_only_what_is_due_arrives_and_time_stands_still_for_it() -> None:
    network = MemoryNetwork(local(star_clients()), NAMES)
    events = [network.poll(10.0) for _ in range(N)]
    assert [event.peer for event in events if isinstance(event, Came)] == NAMES
    assert network.now() == 0.0
    assert network.poll(10.0) is None
    assert network.now() == 10.0
