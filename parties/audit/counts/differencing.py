"""Differencing: what two runs tell together of the patients who are in one of them only.

Each run withholds small cells by itself. But the difference of two tables of which the second lacks one patient is the
table of this patient (Denning, Denning and Schwartz 1979, "The tracker"; Dinur and Nissim 2003). The numbers of both
runs are facts about the same unknowns: patients in both, and those in one only, of whom it is known how many they are.

Of a study, and of a run that is attacked alone, the second run is made here: the same study after one patient has left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.random import Generator

from parties.audit.attack import Attack, Audited, Figure, Finding
from parties.audit.counts.bounds import InconsistentFacts
from parties.audit.counts.reconstruction import Deduced, deduce
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.show.blocks import plural
from parties.tasks.audited.counts import Counted, Fact, Places, Query

RUN: Final = "\0run"
"""The column that says in which runs a patient is: cell 0 in all, cell k in the k-th alone."""
_WHOLE: Final = 0.99
_NAMED: Final = 4


def joined(runs: Sequence[Counted], only: Sequence[int], whose: Mapping[str, Places]) -> Counted:
    """All facts of several runs, and the questions about the patients who are in one only.

    Args:
        runs: by the same cells; the rows are those of the first.
        only: how many patients are in each alone.
        whose: by owner, the cell of `RUN` of each row (n,).
    """
    cells = [k for k, count in enumerate(only, 1) if count]
    size = 1 + len(cells)
    facts, queries = [], []
    for k, (run, count) in enumerate(zip(runs, only, strict=True), 1):
        here = np.zeros(size)
        here[0] = 1.0
        if count:
            alone = np.eye(size)[1 + cells.index(k)]
            here += alone
            facts.append(Fact({RUN: alone}, float(count), float(count)))
            queries += [replace(one, weights={**one.weights, RUN: alone}, disclosed=None) for one in run.queries]
            queries += [Query(name, {**_valued(run, name), RUN: alone}, of=name) for name in run.ranges]
        facts += [replace(fact, weights={**fact.weights, RUN: here}) for fact in run.facts]
    first = runs[0]
    return replace(
        first,
        sizes={**first.sizes, RUN: size},
        facts=tuple(facts),
        queries=tuple(queries),
        moments=(),
        cells={owner: {**own, RUN: whose[owner]} for owner, own in first.cells.items()},
    )


def _valued(run: Counted, column: str) -> dict[str, Any]:
    return {column: np.append(np.ones(run.sizes[column] - 1), 0.0)}


@dataclass(frozen=True)
class _Pair:
    """Two runs or more, and the rows that are in the first alone."""

    runs: tuple[Counted, ...]
    only: tuple[int, ...]
    whose: Mapping[str, Places]
    made: bool


def _applies(audited: Audited) -> str:
    if audited.audit.counted is None:
        return "no counts or sums are disclosed that are modelled here"
    if audited.owner is not None and not audited.beside:
        return "with one owner's rows alone it takes a second run: name it by --with"
    if audited.beside and len({audited.rows_of(one) for one in (audited.run_record, *audited.beside)}) == 1:
        return "all runs have equally many patients: reconstruction takes them together"
    return ""


def _run(audited: Audited) -> tuple[Finding, ...]:
    rng = audited.rng("differencing")
    pair = _others(audited) if audited.beside else _after_one_left(audited, rng)
    audited.say("differencing: linear programmes over all runs")
    both = joined(pair.runs, pair.only, pair.whose)
    try:
        deduced = deduce(both, None, rng, near=_WHOLE)
    except InconsistentFacts:
        deduced = []
    return (_found(pair, deduced, named=audited.record is None),)


def _others(audited: Audited) -> _Pair:
    """The runs that the attacker has: those with more patients have these alone."""
    assert audited.audit.counted is not None
    runs = audited.audit.counted(audited.scenario, (audited.run_record, *audited.beside), audited.owner)
    sizes = [audited.rows_of(one) or 0 for one in (audited.run_record, *audited.beside)]
    nobody = {owner: np.zeros_like(next(iter(own.values()))) for owner, own in runs[0].cells.items()}
    return _Pair(runs, tuple(size - min(sizes) for size in sizes), nobody, made=False)


def _after_one_left(audited: Audited, rng: Generator) -> _Pair:
    """The run, and one of the same study without a patient who is drawn."""
    from parties.report.record import record_of
    from parties.session.lockstep import run_in_one_thread
    from parties.tasks.registry import job_of

    scenario = audited.scenario
    assert isinstance(scenario, Scenario)
    assert audited.audit.counted is not None
    audited.say("differencing: the study without one patient")
    tables = {owner: job_of(scenario).data.load(scenario, owner) for owner in scenario.owners}
    owner = scenario.owners[int(rng.integers(len(tables)))]
    table = tables[owner]
    assert isinstance(table, PlainTable)
    row = int(rng.integers(table.rows))
    whose = {name: np.zeros(one.rows, dtype=np.int64) for name, one in tables.items()}
    whose[owner][row] = 1
    second = record_of(
        scenario,
        run_in_one_thread(
            scenario, given={**tables, owner: replace(table, values=np.delete(table.values, row, axis=0))}
        ),
    )
    return _Pair(audited.audit.counted(scenario, (audited.run_record, second), None), (1, 0), whose, made=True)


def _found(pair: _Pair, deduced: Sequence[Deduced], *, named: bool) -> Finding:
    """What follows, in words.

    Args:
        named: whether the patients' cells and values may be said: not in a record, which is shown to others.
    """
    counts = [one for one in deduced if one.query.of is None]
    values = [one for one in deduced if one.query.of is not None]
    follow = [one for one in counts if one.exact]
    has = [one.query.text for one in follow if one.low > 0]
    told = [f"{one.query.text} = {one.low:.6g}" for one in values if one.exact]
    figures = [
        Figure(
            "of all counts, those whose patients in one run only follow", len(follow) / max(1, len(counts)), share=True
        )
    ]
    if values:
        figures.append(Figure("of columns, those whose value or sum follows", len(told) / len(values), share=True))
    count = max(pair.only)
    whom = "the patient" if count == 1 else f"the {count} patients"
    if not follow and not told:
        sentence = f"Nothing is certain about {whom} who left."
    else:
        if named:
            said = _listed(has or ["in none of the cells that are told"])
            said += f"; and of values: {_listed(told)}" if told else ""
        else:
            said = f"{plural(len(follow), 'count')} and {plural(len(told), 'value')}, exactly"
        sentence = f"Both runs together disclose about {whom} who left: {said}."
        sentence += " After few patients came or left, do not run a study again; with [privacy] it may be."
    made = "a run, and one after a patient who was drawn has left" if pair.made else f"{len(pair.runs)} runs"
    return Finding("differencing", made, "whoever has the statistics of both runs", tuple(figures), sentence)


def _listed(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return "; ".join(texts[:_NAMED]) + more


DIFFERENCING: Final = Attack(
    name="differencing",
    about="what two runs whose patients differ by few tell of these, by linear programming (Denning et al. 1979)",
    applies=_applies,
    run=_run,
)
