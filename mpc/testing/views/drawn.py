"""view_of: what parties see of two secrets with equal outputs, as histograms to draw, with the kit's verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from mpc.errors import UsageError
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, Sizes
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.inputs import complete
from mpc.testing.cases.programs import Case, Protocol
from mpc.testing.views.check import Secrets, agreeing, check_view, pairs_of
from mpc.testing.views.draws import Draws
from mpc.testing.views.recording import record
from mpc.testing.views.sight import stacked
from mpc.testing.views.statistics import histograms, uneven, unlike


@dataclass(frozen=True)
class SeenItem:
    """One message, or what was opened: its words over all runs, with either secret.

    Args:
        counts: for each secret (nibbles, 16): how often each four bits of a word had each value, the lowest ones first.
        masked: whether it should be uniform; a declared output need not be.
        differing: the four bits whose histograms differ between the secrets, and the chance of that.
        uneven: those that are not uniform though they should be, likewise.
    """

    name: str
    label: str
    bits: int
    words: int
    masked: bool
    counts: tuple[Array, Array]
    differing: tuple[tuple[int, float], ...]
    uneven: tuple[tuple[int, float], ...]

    @property
    def nibble(self) -> int:
        """The four bits to look at: those that give most away, or else the highest."""
        found = sorted((*self.differing, *self.uneven), key=lambda each: each[1])
        return found[0][0] if found else self.bits // 4 - 1


@dataclass(frozen=True)
class View:
    """What a coalition sees of a protocol with two secrets, and what `check_view` says of it."""

    protocol: str
    coalition: tuple[str, ...]
    runs: int
    items: tuple[SeenItem, ...]
    passed: bool
    verdict: str

    def __str__(self) -> str:
        lines = [f"{self.protocol}, as seen by {', '.join(self.coalition)} in {self.runs} runs with each secret"]
        for one in self.items:
            alike = "differs" if one.differing else "alike"
            even = "" if not one.masked else ", not uniform" if one.uneven else ", uniform"
            lines.append(f"  {one.name}: {alike}{even}")
        return "\n".join([*lines, "passed" if self.passed else "FAILED", self.verdict])


def view_of(
    protocol: Protocol,
    inputs: Sequence[Input],
    *,
    secrets: tuple[Secrets, Secrets] | None = None,
    owners: int = 3,
    coalition: Sequence[int] = (0,),
    sizes: Sizes | None = None,
    runs: int = 100,
    seed: int = 0,
    **check: Any,
) -> View:
    """Run a protocol many times with each of two secrets, and note what a coalition sees.

    Args:
        secrets: two secrets with equal outputs, each with a value for each input; where the protocol reveals nothing,
            zeros and the largest values where left out.
        coalition: the numbers of owners that share all they see.
        runs: with each secret.
        check: further arguments of `check_view`, which gives the verdict.

    Raises:
        UsageError: from these secrets nothing is hidden from the coalition; or a protocol that reveals has no secrets.
    """
    known = complete(inputs, sizes, 16)
    given = None if secrets is None else [secrets]
    one, other = pairs_of(protocol, inputs, owners, known, given, seed)[0]
    case, beside = (Case(protocol, tuple(inputs), owners, known, values) for values in (one, other))
    sides = _sides(case, beside, coalition)
    names = tuple(f"owner{k}" for k in coalition)
    try:
        items = _items(sides, coalition, runs, f"drawn/{seed}")
        checked = check_view(
            protocol, inputs, secrets=given, owners=owners, coalitions=[coalition], sizes=sizes, seed=seed, **check
        )
        passed, verdict = True, str(checked)
    except CheckFailed as problem:
        passed, verdict = False, str(problem)
        items = _items_if_any(sides, coalition, runs, f"drawn/{seed}")
    return View(_name(protocol), names, runs, items, passed, verdict)


def _name(protocol: Protocol) -> str:
    return protocol.__name__ if isinstance(protocol, FunctionType) else "the protocol"


def _sides(case: Case, beside: Case, coalition: Sequence[int]) -> tuple[Case, Case]:
    """The cases of both secrets, which are the same in what the coalition itself gives."""
    for turn in range(case.n):
        mine, theirs = replace(case, turn=turn), replace(beside, turn=turn)
        agreed = agreeing(mine, theirs, coalition)
        if agreed is not None:
            return agreed, theirs
    raise UsageError("from these secrets nothing is hidden from the coalition", "give others")


def _items(sides: tuple[Case, Case], coalition: Sequence[int], runs: int, seed: str) -> tuple[SeenItem, ...]:
    one, other = (
        stacked([record(case, Draws(case.n, f"{seed}/{which}/{run}")) for run in range(runs)], case.n)
        for which, case in enumerate(sides)
    )
    found = []
    for a, b in zip(one.items(coalition), other.items(coalition), strict=False):
        if a.rank or a.name != b.name:
            continue
        counts = histograms(a.words, a.ring), histograms(b.words, b.ring)
        odd = tuple(sorted({*uneven(counts[0]), *uneven(counts[1])})) if a.masked else ()
        totals = counts[0].sum(axis=0), counts[1].sum(axis=0)
        differing = tuple(unlike(*counts))
        found.append(SeenItem(a.name, a.label, a.ring.bits, int(a.words.size), a.masked, totals, differing, odd))
    return tuple(found)


def _items_if_any(sides: tuple[Case, Case], coalition: Sequence[int], runs: int, seed: str) -> tuple[SeenItem, ...]:
    """The items of a protocol that the check refused; none where even its runs are refused."""
    try:
        return _items(sides, coalition, runs, seed)
    except CheckFailed:
        return ()
