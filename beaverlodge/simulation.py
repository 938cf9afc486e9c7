"""A protocol of one's own, run for a notebook: in this thread, or with a process for every party."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from beaverlodge.given import HELPER, given_by
from beaverlodge.shown import framed, plan_html, results_html
from beaverlodge.traces import Trace, Views, views_of
from mpc.errors import InternalError, UsageError
from mpc.randomness.streams import Entropy, insecure_entropy, os_entropy
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from mpc.runtime.round import Round
from mpc.runtime.round_tracer import RoundTracer
from mpc.runtime.watched import Watched
from parties.session.traced import plan_facts
from parties.tasks.own_code import LOOKS_HINT
from parties.tasks.program.function import loaded
from parties.tasks.program.reference import beside
from parties.tasks.program.results import described, merged
from parties.trace.lanes import Lane, lanes_in

Protocol = Callable[..., Awaitable[Any]]


@dataclass(frozen=True)
class Asked:
    """What `beaverlodge.simulate` was asked for; its arguments are described there."""

    program: Any
    inputs: Sequence[Any] | Mapping[str, Sequence[Any]]
    owners: int | None = None
    network: str | None = None
    trace: bool = True
    scale: int = 20
    seed: int = 0
    insecure_seed: int | None = None


@dataclass(frozen=True)
class StaysShared:
    """A result that no party knows: the owners have shares of it."""

    shape: tuple[int, ...]
    scale: int
    bits: int


@dataclass(frozen=True)
class Simulated:
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

    @property
    def result(self) -> Any:
        """What the protocol returned, as arrays: one, or a dict by their names.

        What each owner was told alone is a dict by owners; a share is a `StaysShared`.
        """
        found = {str(one["name"]): _numbers(one) for one in self.results}
        return found["result"] if list(found) == ["result"] else found

    @property
    def difference(self) -> float | None:
        """The largest difference from the reference; None where nothing was compared."""
        known = [one["difference"] for one in self.comparison.get("results", ()) if "difference" in one]
        return max(known, default=None)

    @cached_property
    def trace(self) -> Trace:
        """What every party did in each round.

        Raises:
            UsageError: the rounds were not recorded.
        """
        if not self._lanes:
            raise UsageError("the rounds were not recorded", "simulate(..., trace=True) records them")
        return Trace(self._lanes, {"scenario": {"name": self.name}, "comparison": dict(self.comparison)})

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


def _numbers(one: Mapping[str, Any]) -> Any:
    if one["kind"] == "share":
        return StaysShared(tuple(one["shape"]), int(one["scale"]), int(one["bits"]))
    if "by_owner" in one:
        return {owner: _array(its) for owner, its in one["by_owner"].items()}
    return _array(one)


def _array(one: Mapping[str, Any]) -> Any:
    if one["values"] is None:
        raise UsageError(f"a result of shape {tuple(one['shape'])} is too long for a record", "see `parts`")
    return np.asarray(one["values"])


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
    everyone = (*given.owners, HELPER)
    seed = asked.insecure_seed
    entropy: dict[str, Entropy] = {n: os_entropy if seed is None else insecure_entropy(seed, n) for n in everyone}
    written: dict[str, bytearray] = {name: bytearray() for name in everyone} if asked.trace else {}
    tracers = {
        name: RoundTracer(name, lines.extend, values=asked.insecure_seed is not None) for name, lines in written.items()
    }
    try:
        outcome = run_lockstep(dict.fromkeys(given.owners, run), plan, entropy=entropy, tracers=tracers)
        for tracer in tracers.values():
            tracer.planned(plan_facts(outcome.plan, None))
    finally:
        for tracer in tracers.values():
            tracer.close()
    parts = {owner: {"program": {"results": described(outcome.results[owner])}} for owner in given.owners}
    results = merged(parts)["program"]["results"]
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
        lanes_in((name, bytes(lines)) for name, lines in written.items()),
    )


def _name(program: Protocol) -> str:
    return program.__name__ if inspect.isfunction(program) else "protocol"


def _functions(program: str | Protocol, inputs: int) -> tuple[Protocol, Callable[..., Any] | None]:
    """The protocol, and its reference: the plain function with its name and `_reference` beside it."""
    if isinstance(program, str):
        from parties.scenario.program import read_program

        found = loaded(read_program(program, alone=False), inputs)
        return found.run, found.reference
    if not inspect.iscoroutinefunction(program):
        raise UsageError("the protocol is no async function", "write `async def name(p, x): ...`, or FILE:FUNCTION")
    beside_it = program.__globals__.get(f"{program.__name__}_reference") if inspect.isfunction(program) else None
    return program, beside_it if inspect.isfunction(beside_it) else None


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
