"""Clients on a cluster, with actors of this process in the place of workers: batches, and a worker that is lost."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import TooFewError, UsageError
from mpc.links.session import Frame
from mpc.star.memory import LocalClients, MemoryNetwork, Reply
from mpc.star.server import StarLimits, StarServer
from parties.base.events import Event
from parties.base.reporter import Reporter
from parties.processes.party.on_cluster import ClientActor, ClusterClients
from parties.scenario.program import read_program
from parties.tasks.star.base import ClientMistake
from tests.links.star.test_star import DIGEST, N, check_exact, one_round, star_clients

NAMES = [f"c{i}" for i in range(N)]
LIMITS = StarLimits(30.0, 30.0, 1.0)


class Later:
    """What an actor's method returns: its result, or what went wrong."""

    def __init__(self, result: Any, problem: Exception | None = None) -> None:
        self._result = result
        self._problem = problem

    def result(self) -> Any:
        if self._problem is not None:
            raise self._problem
        return self._result


class Actor:
    """A worker's part, which fails after so many batches; a fault strikes in the first."""

    def __init__(self, clients: LocalClients, lost_after: float = float("inf")) -> None:
        self.clients = clients
        self.left = lost_after
        self.problem: Exception = RuntimeError("Worker holding Actor was lost")
        self.largest = 0

    def begin(self) -> Later:
        return Later((list(self.clients.begin()), [3]))

    def deliver(self, frames: list[tuple[int, Frame]]) -> Later:
        self.left -= 1
        self.largest = max(self.largest, len(frames))
        if self.left < 0:
            return Later(None, self.problem)
        replies: list[Reply] = list(self.clients.deliver(frames))
        return Later((replies, []))

    def report(self) -> Later:
        problem = RuntimeError("Worker holding Actor was lost") if self.left < 0 else None
        return Later(({"clients": len(self.clients.clients)}, {"c1": "why"}), problem)


def household(*lost_after: float) -> tuple[ClusterClients, list[Actor], list[Event]]:
    """Actors that share the clients, each lost after so many batches."""
    clients, events = star_clients(), list[Event]()
    parts: Mapping[str, list[int]] = {f"clients_{k}": [*range(N)][k :: len(lost_after)] for k in range(len(lost_after))}
    actors = [
        Actor(LocalClients({NAMES[i]: clients[i] for i in part}, {NAMES[i]: i for i in part}), after)
        for part, after in zip(parts.values(), lost_after, strict=True)
    ]
    made = dict(zip(parts, actors, strict=True))
    return ClusterClients(made, parts, Reporter(events.append), logging.getLogger("test")), actors, events


def served(clients: ClusterClients) -> tuple[StarServer, MemoryNetwork]:
    network = MemoryNetwork(clients, NAMES)
    server = StarServer(network, NAMES, DIGEST, LIMITS, lambda *_: None, lambda _: None)
    assert server.join() == frozenset(range(N))
    return server, network


def test_a_round_over_actors_takes_frames_by_the_batch() -> None:
    clients, actors, events = household(float("inf"), float("inf"))
    server, network = served(clients)
    done = one_round(server)
    check_exact(done)
    assert len(done.survivors) == N
    assert [actor.largest for actor in actors] == [N // 2, N // 2]
    assert [(event["event"], event["number"]) for event in events] == [("fault", 3)] * 2
    server.part()
    network.close()
    assert all(one.done for actor in actors for one in actor.clients.clients.values())
    assert clients.reports() == {"clients_0": {"clients": 4}, "clients_1": {"clients": 4}}


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_the_clients_of_a_lost_worker_have_vanished(batches: int) -> None:
    """One of four workers: in each stage the round goes on without its two clients, at once."""
    clients, _, events = household(float("inf"), batches, float("inf"), float("inf"))
    server, network = served(clients)
    done = one_round(server)
    check_exact(done)
    assert set(range(N)) - set(done.survivors) == ({1, 5} if batches < 3 else set())
    assert network.now() <= 4.0
    (warning,) = [event["text"] for event in events if event["event"] == "log"]
    assert warning == "the clients of clients_1 are gone, for their worker failed: RuntimeError; see its log"
    assert set(clients.reports()) == {"clients_0", "clients_2", "clients_3"}


def test_without_any_worker_there_are_too_few() -> None:
    clients, _, _ = household(1)
    server, _ = served(clients)
    with pytest.raises(TooFewError):
        one_round(server)
    assert clients.reports() == {}


def test_a_mistake_of_a_program_ends_the_run() -> None:
    """As it comes from another machine: it is no lost worker."""
    clients, (actor,), _ = household(1)
    server, _ = served(clients)
    actor.problem = pickle.loads(pickle.dumps(ClientMistake(UsageError("line 6", "mend it"))))
    with pytest.raises(ClientMistake) as caught:
        one_round(server)
    assert (caught.value.error.message, caught.value.error.hint) == ("line 6", "mend it")


def test_an_actor_has_the_program_that_was_named(tmp_path: Path) -> None:
    code = Path(__file__).parents[2] / "tasks" / "program" / "clients" / "masked_sum.py"
    path = tmp_path / "study.toml"
    path.write_text(
        'schema = 1\nname = "masked"\n[parties.server]\nrole = "server"\n[clients]\ncount = 3\ncluster = "local"\n'
        '[task]\nkind = "star_program"\ninputs = ["given:2"]\n'
    )
    program = read_program(f"{code}:masked_sum", alone=False, clients=True).model_dump(mode="json")
    given = {name: [[1.0, 2.0]] for name in ("client_1", "client_3")}
    replies, struck = ClientActor(str(path), {"program": program, "given": given}, tuple(given)).begin()
    assert ([one.client for one in replies], struck) == ([0, 2], [])
