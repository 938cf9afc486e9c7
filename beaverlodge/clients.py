"""A protocol of one's own between a server and clients, run for a notebook: in this thread, or in processes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from beaverlodge.finished import Finished, recording, reference_beside
from beaverlodge.shown import framed, results_html, table_html
from mpc.errors import InternalError, UsageError
from mpc.randomness.streams import party_entropy
from mpc.ring.array import Array
from mpc.runtime.inputs import Input
from mpc.star.client import StarClient
from mpc.star.members import Client, Gathered, Learnt, Server, served
from mpc.star.memory import LocalClients, MemoryNetwork
from mpc.star.play import SESSION, common_shape
from mpc.star.server import StarLimits, StarServer
from mpc.star.stage import ClientProgram
from parties.tasks.program.function import load_pair
from parties.tasks.program.reference import beside
from parties.tasks.program.results import describe
from parties.trace.lanes import Lane

if TYPE_CHECKING:
    from beaverlodge.simulation import Asked

SERVER: Final = "server"
_PATIENCE: Final = StarLimits(60.0, 60.0, 0.0)  # on a clock that only goes on where nothing is under way
_FIRST: Final = (1).to_bytes(4, "little")  # what ends the name of a session whose first round this is
_GIVE: Final = "give one list a client: [[x0, y0], [x1, y1]], or say what each draws: [reals((5,), ...)]"

Function = Callable[..., Coroutine[Any, Any, Any]]
Given = Sequence[Sequence[Array]]
"""What each client gives: float64."""


@dataclass(frozen=True)
class SimulatedClients(Finished):
    """A finished simulation of a server and clients.

    Attributes:
        name: of the protocol.
        clients: their names.
        results: of the server, as a record has them.
        gave: client -> what its function returned, where it returned anything.
        stages: what the server saw, stage by stage: label, what a message shows it, who answered, bytes.
        learnt: what was declared: what, why, shape, over which clients.
        comparison: with the reference: its name, and how far each result is from it; empty where there is none.
        folder: of the record, after a run in processes.
    """

    name: str
    clients: tuple[str, ...]
    results: Sequence[Mapping[str, Any]]
    gave: Mapping[str, Any]
    stages: Sequence[Mapping[str, Any]]
    learnt: Sequence[Mapping[str, Any]]
    comparison: Mapping[str, Any]
    insecure_seed: int | None = None
    folder: Path | None = None
    _lanes: Sequence[Lane] = ()
    _recorded: ClassVar[str] = "stages"

    def __repr__(self) -> str:
        return f"<{self.name} by a server and {len(self.clients)} clients: {len(self.stages)} stages>"

    def _repr_html_(self) -> str:
        """The results, beside the reference, and what the server saw."""
        rows = [tuple(str(one[key]) for key in ("label", "messages", "bytes", "sees")) for one in self.stages]
        return framed(
            f"{self.name}, by a server and {len(self.clients)} clients",
            results_html(self.results, self.comparison).replace("all owners", "the server"),
            table_html("What the server saw", ("stage", "messages", "bytes", "a message showed it"), rows),
            insecure_seed=self.insecure_seed,
        )


def simulated_clients(asked: Asked, clients: int, *, processes: bool) -> SimulatedClients:
    """Run it: see `beaverlodge.simulate`."""
    if asked.owners is not None:
        raise UsageError("a protocol is of owners, or of clients", "leave out owners= or clients=")
    if processes:
        from beaverlodge.client_processes import in_processes

        return in_processes(asked, clients)
    if asked.network is not None:
        raise UsageError(f"there is no network '{asked.network}' in one thread", "say processes=True, too")
    client, server, reference = _functions(asked.program)
    names = client_names(clients)
    given = given_to(asked.inputs, clients, asked.seed)
    seed = asked.insecure_seed
    entropy = {name: party_entropy(seed, name) for name in (*names, SERVER, SESSION)}
    session = entropy[SESSION]("session") + _FIRST
    s = Server(
        clients,
        session,
        entropy[SERVER],
        [common_shape([one.shape for one in each]) for each in zip(*given, strict=True)],
    )
    gave: dict[str, Any] = {}

    def program(i: int) -> Callable[[bytes, int, int], ClientProgram]:
        async def run() -> None:
            me = Client(i, clients, session, entropy[names[i]])
            gave[names[i]] = await noted(client(me, *given[i]), names[i])

        return lambda session, number, attempt: run()

    ends = {name: StarClient(program(i), b"") for i, name in enumerate(names)}
    lanes, result = _run(ends, served(s, noted(server(s), SERVER)), session, trace=asked.trace)
    failed = next((one.failure for one in ends.values() if one.failure is not None), None)
    if failed is not None:
        raise failed
    results = describe(result)
    over = s.learnt[0].clients if s.learnt else ()
    plain = [tuple(given[i][k] for i in over) for k in range(len(given[0]))]
    comparison = beside(reference, plain, results, watches=seed is not None) if reference is not None else {}
    return SimulatedClients(
        server.__name__.removesuffix("_server"),
        names,
        results,
        {name: one for name, one in gave.items() if one is not None},
        [_stage(one) for one in s.stages],
        [_told(one, names) for one in s.learnt],
        comparison,
        seed,
        None,
        lanes,
    )


def client_names(count: int) -> tuple[str, ...]:
    """The clients' names, as `mpc simulate` has them."""
    return tuple(f"client_{number:0{len(str(count))}d}" for number in range(1, count + 1))


def given_to(inputs: Any, clients: int, seed: int) -> Given:
    """What each client gives: its own arrays, or made-up ones, those that `mpc simulate` draws.

    Raises:
        UsageError: there is not one list for each client, with as many arrays in each.
    """
    if inputs and all(isinstance(one, Input) for one in inputs):
        return [[_drawn(one, f"{seed}/{k}/{i}") for k, one in enumerate(inputs)] for i in range(clients)]
    if len(inputs) != clients or not all(isinstance(one, list | tuple) for one in inputs):
        raise UsageError(f"{clients} clients need {clients} lists of arrays", _GIVE)
    if len({len(one) for one in inputs}) != 1 or not inputs[0]:
        raise UsageError("the clients give different numbers of arrays, or none", _GIVE)
    return [[np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in one] for one in inputs]


def _drawn(kind: Input, seed: str) -> Array:
    return np.asarray(kind.plain(kind.random(seed, kind.sized({}))), dtype=np.float64)


def _functions(program: Any) -> tuple[Function, Function, Callable[..., Any] | None]:
    """The pair, and its reference: the plain function with its name and `_reference` beside the server's."""
    if isinstance(program, str):
        from parties.scenario.program import read_program

        found = load_pair(read_program(program, alone=False, clients=True), None)
        return found.client, found.server, found.reference
    if not (isinstance(program, tuple | list) and len(program) == 2 and all(map(inspect.iscoroutinefunction, program))):
        raise UsageError(
            "with clients= the program is a pair of async functions", "simulate((total_client, total_server), ...)"
        )
    client, server = program
    return client, server, reference_beside(server, server.__name__.removesuffix("_server"))


async def noted(program: Coroutine[Any, Any, Any], who: str) -> Any:
    """Run a party's function; an error in it says whose it is, below its own lines."""
    try:
        return await program
    except Exception as problem:
        problem.add_note(f"at {who}")
        if isinstance(problem, InternalError):
            raise UsageError(problem.message, problem.hint) from problem
        raise


def _run(
    ends: Mapping[str, StarClient], program: Coroutine[Any, Any, Any], session: bytes, *, trace: bool
) -> tuple[Sequence[Lane], Any]:
    """Drive both ends over a network in memory; returns what was recorded, and the server's result."""
    names = tuple(ends)
    with recording((SERVER, *ends) if trace else (), values=False) as recorded:
        for name in ends if trace else ():
            ends[name].trace.tracer = recorded.tracers[name]
        network = MemoryNetwork(LocalClients(ends, {name: i for i, name in enumerate(names)}), names)
        tracer = recorded.tracers.get(SERVER)
        links = StarServer(network, names, b"", _PATIENCE, lambda *of: None, lambda text: None, tracer=tracer)
        links.join()
        result = links.run(program, session, 1, 1)
        links.part()
        network.close()
    return recorded.lanes, result


def _stage(one: Gathered) -> dict[str, Any]:
    return {"label": one.label, "sees": one.sees, "messages": len(one.answered), "bytes": one.received}


def _told(one: Learnt, names: Sequence[str]) -> dict[str, Any]:
    return {"what": one.what, "why": one.why, "shape": one.shape, "clients": [names[i] for i in one.clients]}
