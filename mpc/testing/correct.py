"""check_correct: a protocol gives what its plaintext twin gives, on inputs that Hypothesis chooses, for n owners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from mpc.errors import BeaverlodgeError, PeerLostError
from mpc.ghost import Array
from mpc.lockstep import run_lockstep
from mpc.party import Party
from mpc.share import Public, Share
from mpc.testing.failure import CheckFailed, refusals
from mpc.testing.inputs import Input, Sizes, Values, complete, givers, names_in, randoms
from mpc.testing.programs import Case, Protocol, results_of, same_results, taken_case, totals
from mpc.testing.sockets import over_sockets

_CHOSEN_ENTRIES = 64  # of a larger array Hypothesis chooses the seed, not every entry

Twin = Callable[..., Any]
Bound = float | Callable[..., Any] | None


@dataclass(frozen=True)
class Correct:
    """What `check_correct` saw: how many examples, and the largest error of a real number."""

    examples: int
    worst_error: float
    sockets: int  # runs over real sockets, whose results were those of the lockstep runs to the bit

    def __str__(self) -> str:
        return f"{self.examples} examples, largest error {self.worst_error:.3g}, {self.sockets} runs over sockets"


@dataclass
class _Seen:
    examples: int = 0
    worst: float = 0.0


def check_correct(
    protocol: Protocol,
    twin: Twin,
    inputs: Sequence[Input],
    *,
    error: Bound,
    owners: Sequence[int] = (2, 3, 4, 5),
    sizes: Sizes | None = None,
    largest_size: int = 5,
    examples: int = 60,
    sockets: Sequence[int] = (2,),
    seed: int = 0,
) -> Correct:
    """Compare a protocol with its twin: owners' number, sizes, signs and edges of the range as Hypothesis chooses.

    Args:
        twin: plaintext inputs -> what the protocol's results should hold, one or a tuple, in the same order. Where it
            raises an error of mpc.errors, the protocol must end with one of that class, and no owner with a result.
        error: the largest absolute difference, or a function of the twin's inputs that gives it (for all results, or
            an array for each entry); None if the results are ring elements or numbers that must be the twin's to the
            bit.
        owners: the numbers of owners to choose from.
        sizes: of named sizes that should stay as they are; the others are 1 to `largest_size`.
        examples: how many; the same ones on every run.
        sockets: for each of these numbers of owners, one run over real encrypted sockets, every party in a thread.

    Raises:
        CheckFailed: a result differs; the message names the owners' number, the sizes and the entry.
    """
    seen = _Seen()
    _explore(protocol, twin, tuple(inputs), error, tuple(owners), dict(sizes or {}), largest_size, examples, seen)
    for n in sockets:
        known = complete(inputs, sizes, 2)
        _compare_sockets(taken_case(protocol, inputs, n, known, f"correct/{seed}"), seed)
    return Correct(seen.examples, seen.worst, len(sockets))


def _explore(
    protocol: Protocol,
    twin: Twin,
    inputs: tuple[Input, ...],
    error: Bound,
    owners: tuple[int, ...],
    fixed: Sizes,
    largest_size: int,
    examples: int,
    seen: _Seen,
) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    steady = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    known = complete(inputs, fixed, 1)
    for n in owners:  # what the dry run refuses, it refuses for all values
        Case(protocol, inputs, n, known, randoms(inputs, known, n, "dry")).plan  # noqa: B018

    @steady
    @given(st.data())
    def explore(data: Any) -> None:
        n = data.draw(st.sampled_from(owners), label="owners")
        drawn = {
            name: fixed[name] if name in fixed else data.draw(st.integers(1, largest_size), label=name)
            for name in names_in(inputs)
        }
        values: Values = tuple(
            tuple(
                _entries(data, one, one.sized(drawn), f"input {k}" + (f" of owner{g}" if one.private else ""))
                for g in range(givers(one, n))
            )
            for k, one in enumerate(inputs)
        )
        case = Case(protocol, inputs, n, drawn, values)
        seen.worst = max(seen.worst, compare(case, twin, error, data.draw(st.integers(0, 1 << 16), label="seed")))
        seen.examples += 1

    explore()


def _entries(data: Any, one: Input, shape: tuple[int, ...], label: str) -> Array:
    """An input's elements: each entry an edge of its range or any number in it; or all alike; or many by a seed."""
    from hypothesis import strategies as st

    edges = sorted({one.low, one.high, *(e for e in _edges(one) if one.low <= e <= one.high)})
    entry = st.one_of(st.sampled_from(edges), st.integers(one.low, one.high))
    count = prod(shape)
    if data.draw(st.booleans(), label=f"{label}: all entries alike"):
        return one.constant(data.draw(entry, label=label), shape)
    if count > _CHOSEN_ENTRIES:
        return one.random(f"{data.draw(st.integers(0, 1000), label=label)}", shape)
    chosen = np.empty(count, dtype=object)
    chosen[:] = data.draw(st.lists(entry, min_size=count, max_size=count), label=label)
    return one.elements(chosen).reshape(shape)


def _edges(one: Input) -> list[int]:
    unit = 1 << one.scale
    return [0, 1, -1, unit, -unit, unit - 1, one.low + 1, one.high - 1, one.high // 2, one.low // 2]


def compare(case: Case, twin: Twin, error: Bound, seed: int) -> float:
    """Run a case in lockstep; the largest error among its results.

    Raises:
        CheckFailed: a result is not what the twin gives.
    """
    plain = [
        tuple(one.plain(part) for part in parts) if one.private else one.plain(parts[0])
        for one, parts in zip(case.inputs, case.values, strict=True)
    ]
    where = f"{case.n} owners" + (f", sizes {dict(case.sizes)}" if case.sizes else "")
    try:
        expected = results_of(twin(*plain))
    except BeaverlodgeError as refusal:
        _compare_refusal(case, refusal, where, seed)
        return 0.0
    with refusals(f"the run with {where}"):
        outcome = run_lockstep(case.factories, case.plan, entropy=case.entropy(seed))
    given = totals(outcome.results)
    if len(given) != len(expected):
        raise CheckFailed(f"the protocol has {len(given)} results and its twin {len(expected)}")
    bound = error(*plain) if callable(error) else error
    worst = 0.0
    for k, (value, want) in enumerate(zip(given, expected, strict=True)):
        worst = max(worst, _error(f"{where}: result {k}", value, np.asarray(want), bound))
    return worst


def _compare_refusal(case: Case, refusal: BeaverlodgeError, where: str, seed: int) -> None:
    """What the twin refuses, the protocol must: with an error of that class, and with no result for any owner."""
    refused: list[str] = []

    def guarded(p: Party) -> Any:
        async def run() -> Any:
            try:
                return await case.program(p)
            except type(refusal):
                refused.append(p.name)
                raise

        return run()

    results: Mapping[str, Any] = {}
    try:
        results = run_lockstep(
            dict.fromkeys(case.owners, guarded), case.plan, entropy=case.entropy(seed), refusal=type(refusal)
        ).results
    except PeerLostError:  # one owner refused its own data, and the others wait for it
        results = dict.fromkeys(refused)
    except BeaverlodgeError as error:
        raise CheckFailed(f"{where}: refused with {error!r}, its twin with {refusal!r}") from error
    given = [name for name in results if name not in refused]
    if given or not refused:
        raise CheckFailed(f"{where}: {', '.join(given) or 'nobody'} has a result, where the twin says: {refusal}")


def _error(what: str, given: Share | Public | Array, want: Array, bound: Any) -> float:
    if isinstance(given, np.ndarray):
        return _gap(what, given.astype(np.float64), want, 0.0 if bound is None else bound)
    if given.shape != want.shape:
        raise CheckFailed(f"{what} has the shape {given.shape} and its twin's {want.shape}")
    if bound is None:
        same = given.value == given.ring.reduce(want)
        if not np.all(same):
            place = tuple(int(k) for k in np.argwhere(~np.asarray(same, dtype=bool))[0])
            raise CheckFailed(f"{what} at {place} is {given.value[place]}, not {want[place]}")
        return 0.0
    return _gap(what, Public(given.value, given.scale, given.ring).real(), want, bound)


def _gap(what: str, real: Array, want: Array, bound: Any) -> float:
    if real.shape != want.shape:
        raise CheckFailed(f"{what} has the shape {real.shape} and its twin's {want.shape}")
    gap = np.abs(real - want)
    wrong = ~(gap <= bound)  # a gap that is no number is wrong too
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise CheckFailed(
            f"{what} at {place} is {real[place]!r}, its twin's {want[place]!r}: "
            f"{gap[place]:.3g} apart, {int(wrong.sum())} of {gap.size} entries beyond the error"
        )
    return float(gap.max(initial=0.0))


def _compare_sockets(case: Case, seed: int) -> None:
    outcome = run_lockstep(case.factories, case.plan, entropy=case.entropy(seed))
    played = over_sockets(case, case.entropy(seed))
    for name, result in outcome.results.items():
        if not same_results(result, played[name].result):
            raise CheckFailed(f"over sockets, {name} of {case.n} owners has another result than in lockstep")
