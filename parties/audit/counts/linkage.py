"""Attribute inference from counts: a patient's column follows where all who are like it in the others have the same.

The attacker knows all other columns of every patient, and the statistics. Then counts of which all are in one cell (no
smoker has the new implant) say what each of them has, however many they are (Machanavajjhala et al. 2007,
"l-diversity": the homogeneity attack). That follows with certainty or not at all: by linear programming, of
tables and overlapping groups together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from parties.audit.attack import Audited, Figure, Finding
from parties.audit.counts.bounds import InconsistentFacts
from parties.audit.counts.reconstruction import deduce
from parties.audit.counts.unknowns import clusters_of
from parties.tasks.audited.audit import Mask
from parties.tasks.audited.counts import Counted, Fact, Places, Query

_MOST: Final = 1000
"""Kinds of patients whose column is asked for."""
_WHOLE: Final = 0.99
_MOST_CELLS: Final = 6
_MOST_COLUMNS: Final = 6


def linked(counted: Counted, column: str, rng: Generator) -> Mask:
    """Of which patients (of all owners) a column follows from the counts and everybody's other columns.

    Raises:
        InconsistentFacts: the counts do not go together.
    """
    cells = {name: np.concatenate([own[name] for own in counted.cells.values()]) for name in counted.sizes}
    certain = np.zeros(len(cells[column]), dtype=bool)
    facts = tuple(fact for fact in counted.facts if fact.of is None)
    for names in clusters_of([fact.weights for fact in facts if fact.weights], counted.sizes):
        if column not in names:
            continue
        others = [name for name in names if name != column]
        like = np.zeros(len(certain), dtype=np.int64)
        for name in others:
            like = like * counted.sizes[name] + cells[name]
        known, queries = _of_kinds(counted.sizes, others, column, like, cells[column])
        joined = replace(counted, facts=(*facts, *known), queries=tuple(queries))
        sure = [int(one.query.text) for one in deduce(joined, None, rng, _MOST, _WHOLE) if one.exact]
        certain |= np.isin(like, sure)
    return certain


def _of_kinds(
    sizes: Mapping[str, int], others: Sequence[str], column: str, like: Places, own: Places
) -> tuple[list[Fact], list[Query]]:
    """The number of patients of each kind that there is, by all columns but one; and whether they have one cell of it.

    Args:
        like: each patient's kind; own: its cell of the column.
    """
    facts, queries = [], []
    shape = [sizes[name] for name in others]
    for kind, count in zip(*np.unique(like, return_counts=True), strict=True):
        place = np.unravel_index(kind, shape) if shape else ()
        weights = {name: np.eye(sizes[name])[k] for name, k in zip(others, place, strict=True)}
        facts.append(Fact({**weights, column: np.ones(sizes[column])}, float(count), float(count)))
        found = np.unique(own[like == kind])
        if len(found) == 1:
            queries.append(Query(str(kind), {**weights, column: np.eye(sizes[column])[found[0]]}))
    return facts, queries


def linkage(audited: Audited) -> tuple[Finding, ...]:
    """The attack on each column of few cells."""
    counted = audited.counted
    few = [name for name, size in counted.sizes.items() if size <= _MOST_CELLS and name not in counted.ranges]
    columns = [name for name in few if _is_told(counted, name)]
    shares = {}
    for column in columns:
        audited.say(f"attribute: what counts say of '{column}'")
        try:
            shares[column] = float(linked(counted, column, audited.rng(f"linkage/{column}")).mean())
        except InconsistentFacts:
            shares[column] = 0.0
    worst = sorted(shares, key=lambda name: -shares[name])[:_MOST_COLUMNS]
    return (
        Finding(
            attack="attribute",
            what=f"{len(counted.facts)} numbers told: {len(shares)} columns of each patient, from all others",
            against="whoever has the statistics, and all columns of everybody but one",
            figures=tuple(Figure(f"patients whose {name} follows", shares[name], share=True) for name in worst),
            sentence=_meaning({name: shares[name] for name in worst if shares[name]}),
        ),
    )


def _is_told(counted: Counted, column: str) -> bool:
    return any(fact.of is None and column in fact.weights for fact in counted.facts)


def _meaning(shares: Mapping[str, float]) -> str:
    if not shares:
        return "No column of any patient follows from the counts, whatever else of it is known."
    name, share = next(iter(shares.items()))
    return (
        f"For {100 * share:.2g} of 100 patients '{name}' follows from the counts, if all other columns are known: all "
        "patients who are alike in these have the same value."
    )
