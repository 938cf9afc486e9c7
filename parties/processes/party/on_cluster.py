"""Clients on a Dask cluster: each worker thread holds a part of them as an actor, which takes frames by the batch.

The scenario's path and its data must be valid on every worker, as on a shared file system. A worker that is lost takes
its clients with it: for the server they vanished, and the run goes on as long as enough are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import Logger, getLogger
from pathlib import Path
from typing import Any, Final

from mpc.links.session import Frame
from mpc.star.memory import LocalClients, Reply
from parties.base.reporter import Reporter
from parties.processes.party.cluster import connect
from parties.processes.party.inside import clients_of, numbers_of
from parties.scenario.star import HOSTED, StarScenario
from parties.scenario.step import read_order
from parties.tasks.registry import load_any, star_of
from parties.tasks.star.base import ClientMistake

_BATCH: Final = 64
"""Frames that an actor takes at a time."""


class ClientActor:
    """Some of a scenario's clients, on a worker. What it is sent and returns is data of few, plain types."""

    def __init__(self, scenario: str, order: Mapping[str, Any], names: tuple[str, ...]) -> None:
        from parties.scenario.file import Scenario

        found = load_any(Path(scenario))
        assert not isinstance(found, Scenario)
        found = found.model_copy(update=read_order(order))
        self._star = star_of(found)
        self._struck: list[int] = []
        clients = clients_of(found, order, names, lambda number, _: self._struck.append(number), getLogger(__name__))
        self._home = LocalClients(clients, numbers_of(found))

    def begin(self) -> tuple[list[Reply], list[int]]:
        """The first messages of its clients, and the faults that struck."""
        return list(self._home.begin()), self._told()

    def deliver(self, frames: Sequence[tuple[int, Frame]]) -> tuple[list[Reply], list[int]]:
        """Their answers to frames, likewise."""
        return list(self._home.deliver(frames)), self._told()

    def report(self) -> tuple[dict[str, Any], dict[str, str]]:
        """The report of a process of clients, and the errors of those that failed."""
        failed = {name: str(one.failure) for name, one in self._home.clients.items() if one.failure is not None}
        return self._star.result(self._home), failed

    def _told(self) -> list[int]:
        told, self._struck = self._struck, []
        return told


class ClusterClients:
    """All actors' clients: `mpc.star.memory.Clients`.

    Args:
        actors: by the name of what stands for their process; `parts` whom each holds, by number in the star.
    """

    def __init__(
        self,
        actors: Mapping[str, Any],
        parts: Mapping[str, Sequence[int]],
        reporter: Reporter,
        log: Logger,
    ) -> None:
        self._actors = dict(actors)
        self._parts = parts
        self._of = {i: name for name, part in parts.items() for i in part}
        self._reporter = reporter
        self._log = log
        self.most = _BATCH * len(actors)

    def begin(self) -> Iterable[Reply]:
        """The first messages of all clients."""
        return self._answers({name: actor.begin() for name, actor in self._actors.items()})

    def deliver(self, frames: Sequence[tuple[int, Frame]]) -> Iterable[Reply]:
        """Hand frames to their clients: all actors work at a time."""
        batches: dict[str, list[tuple[int, Frame]]] = {}
        for i, frame in frames:
            batches.setdefault(self._of[i], []).append((i, frame))
        there = {name: batch for name, batch in batches.items() if name in self._actors}
        return self._answers({name: self._actors[name].deliver(batch) for name, batch in there.items()})

    def reports(self) -> dict[str, Any]:
        """The report of each actor at the end; failures are logged here, too."""
        found = {}
        for name, asked in {name: actor.report() for name, actor in self._actors.items()}.items():
            try:
                found[name], failed = asked.result()
            except Exception as problem:
                self._lost(name, problem)
                continue
            for client, why in failed.items():
                self._log.error("%s: %s", client, why)
        return found

    def _answers(self, asked: Mapping[str, Any]) -> list[Reply]:
        replies: list[Reply] = []
        for name, answer in asked.items():
            try:
                these, struck = answer.result()
            except ClientMistake:
                raise
            except Exception as problem:
                replies += self._lost(name, problem)
                continue
            replies += these
            for number in struck:
                self._reporter.fault(number, None)
        return replies

    def _lost(self, name: str, problem: Exception) -> list[Reply]:
        """A worker is lost, whatever Dask raises for that: its clients are gone."""
        text = f"the clients of {name} are gone, for their worker failed: {type(problem).__name__}; see its log"
        self._reporter.warn(self._log, text)
        del self._actors[name]
        return [Reply(i, (), gone=True) for i in self._parts[name]]


@contextmanager
def clients_on_cluster(
    scenario: StarScenario, order: Mapping[str, Any], address: str, reporter: Reporter, log: Logger
) -> Iterator[ClusterClients]:
    """The hosted clients on a cluster: an actor for each worker thread.

    Raises:
        UsageError: Dask is not installed, no scheduler or worker answers, or a worker has another version.
    """
    numbers = numbers_of(scenario)
    with connect(address) as (client, threads):
        workers = [worker for worker, count in client.nthreads().items() for _ in range(count)]
        names = scenario.inside
        parts = {f"{HOSTED}_{k + 1}": names[k::threads] for k in range(min(threads, len(names)))}
        made = {}
        for (part, mine), worker in zip(parts.items(), workers, strict=False):
            sent = {key: order[key] for key in ("verifying", "faults", "step", "program") if key in order}
            for key in ("signing", "given"):  # of each client its own
                sent[key] = {name: one for name, one in order.get(key, {}).items() if name in mine}
            args = (str(scenario.path.absolute()), sent, mine)
            made[part] = client.submit(ClientActor, *args, actor=True, workers=[worker], pure=False)
        actors = {part: future.result() for part, future in made.items()}
        yield ClusterClients(
            actors, {part: [numbers[name] for name in mine] for part, mine in parts.items()}, reporter, log
        )
