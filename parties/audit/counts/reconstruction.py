"""Reconstruction from counts and sums: what the numbers that were told give back of those that were not.

Every number told is a linear fact about how many patients are of each kind. The least and the largest value that a
withheld number can have under all of them, by linear programming, are what an onlooker knows of it (Dinur and Nissim
2003, "Revealing information while preserving privacy"; Garfinkel, Abowd and Martindale 2018, "Understanding database
reconstruction attacks on public data"). Owners know their own rows besides. With [privacy], noise is a slack.

What follows does follow. What does not may still follow from numbers that are not used (correlations, tests, curves),
or from what an onlooker knows otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_array, vstack

from parties.audit.attack import Attack, Audited, Figure, Finding
from parties.audit.counts.bounds import InconsistentFacts, Programme, bounds_of, whole_bounds
from parties.audit.counts.unknowns import MOST_KINDS, Unknowns, clusters_of
from parties.show.blocks import plural
from parties.tasks.audited.counts import Counted, Fact, Moments, Query, Values

NEAR: Final = 2.0
"""A count is nearly known if no two of its possible values are further apart; a sum, by this part of a hundred of its
largest possible range."""
_MOST_ASKED: Final = 200
_NAMED: Final = 3
_EQUAL: Final = 1e-3
"""Of what is nearly the same: values so near to each other are one, but for rounding."""


@dataclass(frozen=True)
class Deduced:
    """What an onlooker knows of a count, or a sum, of others' patients.

    Args:
        low, high: its least and largest possible value; where it is neither known nor nearly so, two possible values.
        truth: what it is; None where others' rows are not here.
        nearly: how far apart values are that are nearly the same.
    """

    query: Query
    low: float
    high: float
    truth: float | None
    nearly: float

    @property
    def exact(self) -> bool:
        """Whether there is one value."""
        return self.high - self.low <= _EQUAL * self.nearly

    @property
    def of_somebody(self) -> bool:
        """Whether it is of patients: as it is, or as far as is known."""
        return bool(self.truth) if self.truth is not None else not (self.exact and self.high <= _EQUAL)

    @property
    def near(self) -> bool:
        """Whether there are few."""
        return self.high - self.low <= self.nearly


def deduce(
    counted: Counted, onlooker: str | None, rng: Generator, most: int = _MOST_ASKED, near: float = NEAR
) -> list[Deduced]:
    """What an onlooker knows of others' counts and sums that were not told; small ones first, at most so many.

    Args:
        onlooker: an owner, who knows its rows; None: whoever has the record alone.
        near: how far apart values of a count may be that are nearly the same.

    Raises:
        InconsistentFacts: the numbers do not go together.
    """
    found = []
    for column in (None, *counted.ranges):
        queries = [one for one in counted.queries if one.of == column and one.disclosed is None]
        if queries:
            found += list(_deduced(counted, queries, column, onlooker, rng, most, near))
    return found


def _deduced(
    counted: Counted,
    queries: Sequence[Query],
    column: str | None,
    onlooker: str | None,
    rng: Generator,
    most: int,
    near: float,
) -> Iterator[Deduced]:
    facts = [fact for fact in counted.facts if fact.of in (None, column)]
    unknowns = _unknowns(counted, [*facts, *queries], column)
    rows = {owner: _counts(counted, unknowns, owner, column) for owner in counted.cells}
    own = rows[onlooker] if onlooker is not None else np.zeros(unknowns.size)
    others = np.sum(list(rows.values()), axis=0) - own
    programme = programme_of(unknowns, facts, own)
    forms = [unknowns.form(one.weights, sums=one.of is not None) for one in queries]
    truths = [float((form @ others)[0]) if counted.complete else None for form in forms]
    chosen = sorted(range(len(queries)), key=lambda k: (not truths[k], abs(truths[k] or 0.0), k))[:most]
    nearly = near if column is None else NEAR / 100 * float(np.ptp(np.concatenate(counted.ranges[column])))
    bounds = bounds_of([forms[k] for k in chosen], programme, nearly, rng)
    for k, (low, high) in zip(chosen, bounds, strict=True):
        if column is None and _EQUAL * nearly < high - low <= nearly:
            low, high = whole_bounds(forms[k], programme)
        yield Deduced(queries[k], low, high, truths[k], nearly)


def _unknowns(counted: Counted, facts: Sequence[Fact | Query], column: str | None) -> Unknowns:
    together = {frozenset(fact.weights) for fact in facts} - {frozenset()} or {frozenset(list(counted.sizes)[:1])}
    clusters = clusters_of(together, counted.sizes, MOST_KINDS)
    return Unknowns(counted.sizes, clusters, None if column is None else (column, *counted.ranges[column]))


def _counts(counted: Counted, unknowns: Unknowns, owner: str, column: str | None) -> Values:
    return unknowns.of_rows(counted.cells[owner], None if column is None else counted.values[owner][column])


def programme_of(unknowns: Unknowns, facts: Sequence[Fact], own: Values) -> Programme:
    """The programme of the others' unknowns: what is told of all, less one's own.

    Args:
        own: what the unknowns of the onlooker's own rows are (size,).
    """
    forms = [unknowns.form(fact.weights, sums=fact.of is not None) for fact in facts]
    told = vstack(forms, format="csr") if forms else csr_array((0, unknowns.size))
    mine = told @ own
    ties, ranges = unknowns.ties(), unknowns.value_ranges()
    low = [np.array([fact.low for fact in facts]) - mine, np.zeros(ties.shape[0]), np.zeros(ranges.shape[0])]
    high = [np.array([fact.high for fact in facts]) - mine, np.zeros(ties.shape[0]), np.full(ranges.shape[0], np.inf)]
    counts = np.arange(unknowns.size) < unknowns.counts_size
    return Programme(
        vstack([told, ties, ranges], format="csr"),
        np.concatenate(low),
        np.concatenate(high),
        np.where(counts, 0.0, -np.inf),
        counts.astype(float),
    )


def small_counts_disclosed(counted: Counted, onlooker: str | None) -> list[tuple[Query, int]]:
    """Small counts of others' patients that stand in the record as they are, or less one's own, and how many."""
    found = []
    for one in counted.queries:
        if one.disclosed is not None and one.of is None:
            others = int(one.disclosed) - (_own_count(counted, one, onlooker) if onlooker is not None else 0)
            if 0 < others < counted.small:
                found.append((one, others))
    return found


def _own_count(counted: Counted, query: Query, owner: str) -> int:
    chosen = np.ones(1)
    for name, weights in query.weights.items():
        chosen = chosen * weights[counted.cells[owner][name]]
    return int(chosen.sum())


def single_values(counted: Counted, onlooker: str | None) -> list[tuple[Moments, Values]]:
    """Single patients' values that follow from a mean of one, or mean and deviation of two, of others' patients."""
    found = []
    for one in counted.moments:
        own = one.rows[onlooker] if onlooker is not None else np.zeros(0)
        squares = None if one.squares is None else one.squares - float((own**2).sum())
        values = solve_values(one.count - len(own), one.total - float(own.sum()), squares)
        if values is not None:
            found.append((one, values))
    return found


def solve_values(count: int, total: float, squares: float | None) -> Values | None:
    """The values of one or two patients from their sum and sum of squares; None where these are not enough."""
    if count == 1:
        return np.array([total])
    if count == 2 and squares is not None:
        half = np.sqrt(max(squares / 2 - (total / 2) ** 2, 0.0))
        return np.array([total / 2 - half, total / 2 + half])
    return None


def _applies(audited: Audited) -> str:
    if audited.owner is not None and audited.record is None:
        return "with one owner's rows alone it takes a run, whose record says what was told"
    return "" if audited.audit.counted is not None else "no counts or sums are disclosed that are modelled here"


def _run(audited: Audited) -> tuple[Finding, ...]:
    counted = audited.counted
    audited.say("reconstruction: linear programmes over all that was told")
    onlookers = [None, *counted.cells]
    learnt = [_learnt(counted, one, audited.rng(f"reconstruction/{one}")) for one in onlookers]
    most = max(learnt[1:], key=lambda one: one.gained)
    shown = [learnt[0], most] if most.gained > learnt[0].gained else [learnt[0]]
    return tuple(_found(one, counted, audited.record is None) for one in shown)


@dataclass(frozen=True)
class _Learnt:
    """What an onlooker learnt; `deduced` is None where the numbers do not go together, as noise beyond its slack."""

    onlooker: str | None
    deduced: list[Deduced] | None
    openly: list[tuple[Query, int]]
    values: list[tuple[Moments, Values]]

    @property
    def exact(self) -> list[Deduced]:
        """What follows exactly and is of patients."""
        return [one for one in self.deduced or () if one.exact and one.of_somebody]

    @property
    def gained(self) -> tuple[int, int]:
        return len(self.exact), len(self.openly) + len(self.values)


def _learnt(counted: Counted, onlooker: str | None, rng: Generator) -> _Learnt:
    try:
        deduced = deduce(counted, onlooker, rng)
    except InconsistentFacts:
        deduced = None
    return _Learnt(onlooker, deduced, small_counts_disclosed(counted, onlooker), single_values(counted, onlooker))


def _found(learnt: _Learnt, counted: Counted, own: bool) -> Finding:
    withheld = [one for one in learnt.deduced or () if one.of_somebody]
    figures = []
    if withheld:
        near = sum(one.near for one in withheld)
        figures = [
            Figure("of withheld numbers, those that follow", len(learnt.exact) / len(withheld), share=True),
            Figure("of withheld numbers, those nearly known", near / len(withheld), share=True),
        ]
    figures.append(Figure(f"counts of 1 to {counted.small - 1} patients told openly", len(learnt.openly)))
    figures.append(Figure("values of single patients told by means", len(learnt.values)))
    noise = ", with noise" if counted.noisy else ""
    withheld_text = f"{len(withheld)} numbers that are not told" + (" exactly" if counted.noisy else "")
    return Finding(
        attack="reconstruction",
        what=f"{len(counted.facts)} numbers told{noise}, for {withheld_text}",
        against=_onlooker(learnt, counted),
        figures=tuple(figures),
        sentence=" ".join(_sentences(learnt, counted, own)),
    )


def _onlooker(learnt: _Learnt, counted: Counted) -> str:
    if learnt.onlooker is None:
        return "whoever has the statistics; where nothing else stands below, an owner with its own rows learns no more"
    most = "of the owners the one that learns most; it" if counted.complete else "which"
    return f"{learnt.onlooker}, {most} knows its own rows"


def _sentences(learnt: _Learnt, counted: Counted, own: bool) -> Iterator[str]:
    """What follows, in words.

    Args:
        own: whether values may be said: not in a record, which is shown to others.
    """
    others = "" if learnt.onlooker is None else " of the others' patients"
    if learnt.deduced is None:
        yield "The numbers fit no rows within the slack of their noise, and nothing was deduced from them."
    elif learnt.exact:
        exact = _named([(one.query.text, f"{one.low:g}") for one in learnt.exact], own)
        yield (
            f"From the numbers that were told, {plural(len(learnt.exact), 'number')}{others} that were withheld can be "
            f"worked out by linear programming: {exact}."
        )
    elif counted.noisy:
        yield f"No count{others} is known within the slack of its noise: neither exactly nor to {NEAR:g} patients."
    elif learnt.deduced:
        yield f"No number{others} that was withheld follows from what was told."
    else:
        yield "Nothing was withheld."
    if learnt.openly:
        small = _named([(one.text, str(n)) for one, n in learnt.openly], own)
        yield f"Told as they are: {plural(len(learnt.openly), 'count')}{others} from 1 to {counted.small - 1}: {small}."
    if learnt.values:
        single = _named([(one.text, ", ".join(f"{v:g}" for v in values)) for one, values in learnt.values], own)
        yield (
            f"A mean{others} is of one patient, or of two with their deviation, and so gives their values: {single}."
        )


def _named(found: Sequence[tuple[str, str]], own: bool) -> str:
    """The first of what was found: which patients, and if it may be said, the value."""
    named = "; ".join(f"{text}: {value}" if own else text for text, value in found[:_NAMED])
    return named + ", and more" * (len(found) > _NAMED)


RECONSTRUCTION: Final = Attack(
    name="reconstruction",
    about=(
        "which withheld counts and sums follow from all those that were told, by linear programming (Dinur and Nissim "
        "2003; Garfinkel, Abowd and Martindale 2018)"
    ),
    applies=_applies,
    run=_run,
)
