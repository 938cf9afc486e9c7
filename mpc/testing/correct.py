"""check_correct: a protocol gives what its plaintext reference gives, for n owners and inputs from Hypothesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, prod, sqrt
from typing import Any

import numpy as np

from mpc.errors import BeaverlodgeError, PeerLostError, UsageError
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, Sizes
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing.cases.failure import CheckFailed, refusals
from mpc.testing.cases.inputs import Values, complete, givers, names_in, randoms
from mpc.testing.cases.programs import Case, Each, Protocol, results_of, same_results, taken_case, totals
from mpc.testing.faults.sockets import over_sockets

_SURELY = -log(1e-3)  # of so many wrong entries that are expected, one turns up in 999 of 1,000 checks
_SPREAD = 5.0  # standard errors by which a mean may differ from what it should be
_MOST_RUNS = 200
_AT_ONCE = 4096  # entries of a run of many, where nothing else is said
_CHOSEN_ENTRIES = 64  # of a larger array Hypothesis chooses the seed, not every entry

Reference = Callable[..., Any]
Bound = float | Callable[..., Any] | None


@dataclass(frozen=True)
class Correct:
    """The findings of `check_correct`: the number of examples, and the errors of real numbers.

    `mean_error` is signed, over `entries` of random inputs; `rarest` is the share of wrong entries that would be found
    in 999 of 1,000 checks.
    """

    examples: int
    worst_error: float
    mean_error: float
    entries: int
    sockets: int  # runs over real sockets, whose results were those of the lockstep runs to the bit

    @property
    def rarest(self) -> float:
        return min(1.0, _SURELY / max(1, self.entries))

    def __str__(self) -> str:
        return (
            f"{self.examples} examples, largest error {self.worst_error:.3g}, mean {self.mean_error:.2g}; "
            f"{self.sockets} runs over sockets\n"
            f"a wrong entry in every {1 / self.rarest:,.0f} would be found, in {self.entries:,} entries"
        )


@dataclass
class _Seen:
    examples: int = 0
    worst: float = 0.0
    entries: int = 0

    def take(self, gaps: Array) -> None:
        self.worst = max(self.worst, float(np.abs(gaps).max(initial=0.0)))
        self.entries += gaps.size


def check_correct(
    protocol: Protocol,
    reference: Reference,
    inputs: Sequence[Input],
    *,
    error: Bound,
    owners: Sequence[int] = (2, 3, 4, 5),
    sizes: Sizes | None = None,
    largest_size: int = 5,
    examples: int = 60,
    sockets: Sequence[int] = (2,),
    many: int = 0,
    many_sizes: Sizes | None = None,
    bias: float | None = None,
    seed: int = 0,
) -> Correct:
    """Compare a protocol with its reference: owners' number, sizes, signs and edges of the range as Hypothesis chooses.

    Args:
        reference: plaintext inputs -> what the protocol's results should hold, one or a tuple, in the same order. Where
            it raises an error of mpc.errors, the protocol must end with one of that class, and no owner with a result.
            Values for each owner alone are a `to_each`.
        error: the largest absolute difference, or a function of the reference's inputs that gives it (for all results,
            or an array for each entry); None if the results are ring elements or numbers that must equal the
            reference's to the bit.
        owners: the numbers of owners to choose from.
        sizes: of named sizes that should stay as they are; the others are 1 to `largest_size`.
        examples: how many; the same ones on every run.
        many: the least number of entries of results to compare, from random inputs, beside the examples: thirty
            thousand find a fault in one entry of 4,096.
        many_sizes: of named sizes in these runs; 4,096 where there is one name.
        bias: the largest mean of the signed errors, over those entries (4,096 where `many` is left out). A protocol
            that always cuts down is biased though no error is large.
        sockets: for each of these numbers of owners, one run over real encrypted sockets, every party in a thread.

    Raises:
        CheckFailed: a result differs; the message names the owners' number, the sizes and the entry. Or the mean error
            is beyond `bias`, by more than chance allows.
    """
    seen = _Seen()
    _explore(protocol, reference, tuple(inputs), error, tuple(owners), dict(sizes or {}), largest_size, examples, seen)
    for n in sockets:
        known = complete(inputs, sizes, 2)
        _compare_sockets(taken_case(protocol, inputs, n, known, f"correct/{seed}"), seed)
    count = many or (_AT_ONCE if bias is not None else 0)
    mean = _compare_many(
        protocol, reference, tuple(inputs), error, sizes, many_sizes, count, bias, f"many/{seed}", seen
    )
    return Correct(seen.examples, seen.worst, mean, seen.entries, len(sockets))


def _compare_many(
    protocol: Protocol,
    reference: Reference,
    inputs: tuple[Input, ...],
    error: Bound,
    sizes: Sizes | None,
    many_sizes: Sizes | None,
    count: int,
    bias: float | None,
    seed: str,
    seen: _Seen,
) -> float:
    """Runs of two owners on random inputs until so many entries are compared; the mean of their errors."""
    names = [name for name in names_in(inputs) if name not in (sizes or {})]
    known = complete(inputs, {**(sizes or {}), **(many_sizes or {})}, _AT_ONCE if len(names) == 1 else 6)
    gaps = [np.zeros(0)]
    for run in range(_MOST_RUNS if count else 0):
        case = Case(protocol, inputs, 2, known, randoms(inputs, known, 2, f"{seed}/{run}"))
        gaps.append(compare(case, reference, error, run))
        seen.take(gaps[-1])
        if sum(gap.size for gap in gaps) >= count:
            break
    found = np.concatenate(gaps)
    if found.size < count:
        raise UsageError(
            f"{_MOST_RUNS} runs have {found.size} entries to compare, fewer than {count}",
            "give larger `many_sizes`; leave `many` out if a result has few entries",
        )
    mean = float(found.mean()) if found.size else 0.0
    if bias is not None and abs(mean) > bias + _SPREAD * float(found.std()) / sqrt(found.size):
        raise CheckFailed(f"the mean error is {mean:.3g}, over {found.size} entries, beyond {bias:.3g}: a bias")
    return mean


def _explore(
    protocol: Protocol,
    reference: Reference,
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
                _entries(data, one, one.sized(drawn), f"input {k}" + (f" of owner{g}" if one.of_all else ""))
                for g in range(givers(one, n))
            )
            for k, one in enumerate(inputs)
        )
        case = Case(protocol, inputs, n, drawn, values)
        seen.take(compare(case, reference, error, data.draw(st.integers(0, 1 << 16), label="seed")))
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


def compare(case: Case, reference: Reference, error: Bound, seed: int) -> Array:
    """Run a case in lockstep; how far each entry of its results lies above the reference's.

    Raises:
        CheckFailed: a result is not what the reference gives.
    """
    plain = [
        tuple(one.plain(part) for part in parts) if one.of_all else one.plain(parts[0])
        for one, parts in zip(case.inputs, case.values, strict=True)
    ]
    where = f"{case.n} owners" + (f", sizes {dict(case.sizes)}" if case.sizes else "")
    try:
        expected = results_of(reference(*plain))
    except BeaverlodgeError as refusal:
        _compare_refusal(case, refusal, where, seed)
        return np.zeros(0)
    with refusals(f"the run with {where}"):
        outcome = run_lockstep(case.factories, case.plan, entropy=case.entropy(seed))
    apart = {k for k, want in enumerate(expected) if isinstance(want, Each)}
    given = totals(outcome.results, apart)
    if len(given) != len(expected):
        raise CheckFailed(f"the protocol has {len(given)} results and its reference {len(expected)}")
    bound = error(*plain) if callable(error) else error
    gaps = [
        _gaps(f"{where}: result {k}{of}", value, np.asarray(want), bound)
        for k, (values, wanted) in enumerate(zip(given, expected, strict=True))
        for of, value, want in _leaves(values, wanted)
    ]
    return np.concatenate([np.zeros(0), *(gap.reshape(-1) for gap in gaps)])


def _leaves(given: Any, want: Any) -> list[tuple[str, Any, Any]]:
    """A result and its reference; for values for each owner alone, one pair for each owner."""
    if not isinstance(want, Each):
        return [("", given, want)]
    if len(want.values) != len(given):
        raise CheckFailed(f"the reference tells {len(want.values)} owners something, of {len(given)}")
    return [(f" of {name}", value, one) for (name, value), one in zip(given.items(), want.values, strict=True)]


def _compare_refusal(case: Case, refusal: BeaverlodgeError, where: str, seed: int) -> None:
    """Check that the protocol refuses what the reference refuses: with an error of that class, and no result."""
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
        raise CheckFailed(f"{where}: refused with {error!r}, its reference with {refusal!r}") from error
    given = [name for name in results if name not in refused]
    if given or not refused:
        raise CheckFailed(f"{where}: {', '.join(given) or 'nobody'} has a result, where the reference says: {refusal}")


def _gaps(what: str, given: Share | Public | Array, want: Array, bound: Any) -> Array:
    """By entry, how far a result lies above its reference's; 0 for a ring element, which must equal it to the bit."""
    if isinstance(given, np.ndarray | int | float):
        return _real_gaps(what, np.asarray(given, np.float64), want, 0.0 if bound is None else bound)
    if given.shape != want.shape:
        raise CheckFailed(f"{what} has the shape {given.shape} and its reference's {want.shape}")
    if bound is None:
        same = given.value == given.ring.reduce(want)
        if not np.all(same):
            place = tuple(int(k) for k in np.argwhere(~np.asarray(same, dtype=bool))[0])
            raise CheckFailed(f"{what} at {place} is {given.value[place]}, not {want[place]}")
        return np.zeros(want.shape)
    return _real_gaps(what, Public(given.value, given.scale, given.ring).real(), want, bound)


def _real_gaps(what: str, real: Array, want: Array, bound: Any) -> Array:
    if real.shape != want.shape:
        raise CheckFailed(f"{what} has the shape {real.shape} and its reference's {want.shape}")
    gap = real - want
    wrong = ~(np.abs(gap) <= bound)  # a gap that is no number is wrong too
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise CheckFailed(
            f"{what} at {place} is {real[place]!r}, its reference's {want[place]!r}: "
            f"{abs(gap[place]):.3g} apart, {int(wrong.sum())} of {gap.size} entries beyond the error"
        )
    return gap


def _compare_sockets(case: Case, seed: int) -> None:
    outcome = run_lockstep(case.factories, case.plan, entropy=case.entropy(seed))
    played = over_sockets(case, case.entropy(seed))
    for name, result in outcome.results.items():
        if not same_results(result, played[name].result):
            raise CheckFailed(f"over sockets, {name} of {case.n} owners has another result than in lockstep")
