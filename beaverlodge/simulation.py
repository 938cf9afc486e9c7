"""A protocol of one's own, run for a notebook: in this thread, or with a process for every party."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from beaverlodge.finished import Finished, recording, reference_beside
from beaverlodge.given import HELPER, given_by
from beaverlodge.shown import framed, plan_html, results_html
from beaverlodge.traces import Views, views_of
from mpc.errors import InternalError, UsageError
from mpc.randomness.streams import party_entropy
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from mpc.runtime.round import Round
from mpc.runtime.watched import Watched
from parties.session.traced import plan_facts
from parties.tasks.own_code import LOOKS_HINT
from parties.tasks.program.function import load_protocol
from parties.tasks.program.reference import beside
from parties.tasks.program.results import describe, merge_parts
from parties.trace.lanes import Lane

Protocol = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Asked:
    """The arguments of `beaverlodge.simulate`, which describes them."""

    program: Any
    inputs: Sequence[Any] | Mapping[str, Sequence[Any]]
    owners: int | None = None
    network: str | None = None
    trace: bool = True
    scale: int = 20
    seed: int = 0
    insecure_seed: int | None = None


@dataclass(frozen=True)
class Simulated(Finished):
    """A finished simulation.

    Attributes:
        name: of the protocol.
        owners: their names.
        plan: rounds, bytes, correlations and reveals, from a dry run.
        results: as a record has them: of each its name, kind, shape and values.
        comparison: with the reference: its name, and how far each result is from it; empty where there is none.
        parts: owner -> what the protocol returned there, shares too; empty after a run in processes.
        folder: of the record, after a run in processes.
    """

    name: str
    owners: tuple[str, ...]
    plan: Plan
    results: Sequence[Mapping[str, Any]]
    comparison: Mapping[str, Any]
    insecure_seed: int | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    _lanes: Sequence[Lane] = ()
    _recorded: ClassVar[str] = "rounds"

    @cached_property
    def views(self) -> Views:
        """What each owner held and saw, in clear.

        Raises:
            UsageError: the rounds were not recorded, or the run was under no test seed.
        """
        return views_of(self.trace, self.owners)

    def __repr__(self) -> str:
        return f"<{self.name} by {len(self.owners)} owners: {len(self.plan.rounds)} rounds>"

    def _repr_html_(self) -> str:
        """The results, beside the reference, and the plan."""
        return framed(
            f"{self.name}, by {len(self.owners)} owners and a helper",
            results_html(self.results, self.comparison),
            plan_html(self.plan),
            insecure_seed=self.insecure_seed,
        )


def simulated(asked: Asked, *, processes: bool) -> Simulated:
    """Run it: see `beaverlodge.simulate`."""
    if processes:
        from beaverlodge.processes import in_processes

        return in_processes(asked)
    return _in_this_thread(asked)


def _in_this_thread(asked: Asked) -> Simulated:
    if asked.network is not None:
        raise UsageError(f"there is no network '{asked.network}' in one thread", "say processes=True, too")
    given = given_by(asked)
    program, reference = _functions(asked.program, len(given.inputs))

    async def run(p: Party) -> Any:
        return await _followed(p, program, [one.at(p) for one in given.inputs])

    plan = make_plan(run, given.owners, HELPER)
    seed = asked.insecure_seed
    entropy = {name: party_entropy(seed, name) for name in (*given.owners, HELPER)}
    with recording(entropy if asked.trace else (), values=seed is not None) as recorded:
        tracers = recorded.tracers
        outcome = run_lockstep(dict.fromkeys(given.owners, run), plan, entropy=entropy, tracers=tracers)
        for tracer in tracers.values():
            tracer.planned(plan_facts(outcome.plan, None))
    parts = {owner: {"program": {"results": describe(outcome.results[owner])}} for owner in given.owners}
    results = merge_parts(parts)["program"]["results"]
    plain = [one.plain for one in given.inputs]
    comparison = beside(reference, plain, results, watches=seed is not None) if reference is not None else {}
    return Simulated(
        _name(program),
        given.owners,
        outcome.plan,
        results,
        comparison,
        seed,
        outcome.results,
        None,
        recorded.lanes,
    )


def _name(program: Protocol) -> str:
    return program.__name__ if inspect.isfunction(program) else "protocol"


def _functions(program: str | Protocol, inputs: int) -> tuple[Protocol, Callable[..., Any] | None]:
    """The protocol, and its reference: the plain function with its name and `_reference` beside it."""
    if isinstance(program, str):
        from parties.scenario.program import read_program

        found = load_protocol(read_program(program, alone=False), inputs)
        return found.run, found.reference
    if not inspect.iscoroutinefunction(program):
        raise UsageError("the protocol is no async function", "write `async def name(p, x): ...`, or FILE:FUNCTION")
    return program, reference_beside(program, _name(program))


async def _followed(p: Party, program: Protocol, given: list[Any]) -> Any:
    """Run it; an error says at which party and in which round it came, below its own lines."""
    passed: list[str] = []

    def see(awaited: Any) -> None:
        if not isinstance(awaited, Round):
            raise TypeError(f"the protocol awaits a {type(awaited).__name__}, which is no round of a party")
        passed.append(awaited.label)

    try:
        return await Watched(program(p, *given), see)  # type: ignore[arg-type]  # a coroutine: see _functions
    except Exception as problem:
        when = f"after round {len(passed)} ('{passed[-1]}')" if passed else "before the first round"
        problem.add_note(f"{'while it was planned' if p.dry else p.name}, {when}")
        if isinstance(problem, InternalError):  # of what the author does with a party: no bug of ours
            raise UsageError(problem.message, problem.hint or LOOKS_HINT) from problem
        raise
