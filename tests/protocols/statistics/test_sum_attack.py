"""Sums, deviations, correlations, t-tests and quantiles under attack: they give no count of few rows back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.job import statistics_job
from protocols.statistics.settings import Grid, StatisticsSettings
from tests.cell_attack import Rows, Values, drawn
from tests.helpers import lockstep, owner_names
from tests.sum_attack import Known, known, recovered

NAN = float("nan")
FLAGS: dict[str, Any] = {
    "columns": ("fracture", "score"),
    "statistics": ("count", "missing", "mean", "sd"),
    "correlations": ("fracture", "score"),
}
FLAGS_VALUES: Values = {"fracture": (0.0, 1.0, NAN), "score": (1.0, 2.0, 3.0, NAN)}
ARMS: dict[str, Any] = {
    "columns": ("fracture",),
    "statistics": ("count", "sum"),
    "levels": (("arm", ("old", "new")),),
    "t_tests": (("fracture", "arm"), ("score", "arm")),
}
ARMS_VALUES: Values = {"fracture": (0.0, 1.0), "score": (0.0, 2.0, 5.0, NAN), "arm": (0.0, 1.0, NAN)}
GRIDS: dict[str, Any] = {
    "columns": ("age", "fracture"),
    "statistics": ("count", "mean", "sd", "min", "max"),
    "quantiles": (0.25, 0.5),
    "grids": (("age", Grid(0, 100, 10)), ("fracture", Grid(0, 1, 1))),
}
GRIDS_VALUES: Values = {"age": (20.0, 40.0, 50.0, 60.0, 70.0, 90.0), "fracture": (0.0, 1.0, NAN)}
ASKED = {"flags": (FLAGS, FLAGS_VALUES), "arms": (ARMS, ARMS_VALUES), "grids": (GRIDS, GRIDS_VALUES)}


def told_by(rows: Rows, s: StatisticsSettings) -> tuple[Disclosure, np.ndarray]:
    """What a run tells of these rows, and what it found on grids."""
    owned = [rows.of(k) for k in range(len(rows.counts))]
    programs = {
        owner: lambda p, own=own: statistics_job(p, None if p.dry else own, s)
        for owner, own in zip(s.owners, owned, strict=True)
    }
    opened = lockstep(programs).results[s.owners[0]]
    return opened.disclosure, opened.found


def settings(rows: Rows, asked: dict[str, Any], min_cell: int) -> StatisticsSettings:
    counts = tuple(int(n) for n in rows.counts.sum(axis=1))
    return StatisticsSettings(owners=owner_names(len(counts)), helper="helper", rows=counts, min_cell=min_cell, **asked)


def attacks(name: str, seeds: range, *, tested: bool = True) -> tuple[int, int, list[str]]:
    """How many runs told some sum, how many of these withheld one, and what was given back."""
    asked, values = ASKED[name]
    told_some = withheld = 0
    given: list[str] = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        rows = drawn(values, 2 + seed % 2, int(rng.integers(20, 300)), rng)
        s = settings(rows, asked, int(rng.choice([3, 5])))
        disclosure, found = told_by(rows, s if tested else replace(s, min_cell=0, dominance=0))
        sums = np.concatenate([disclosure.disclosed_sums(sample).reshape(-1) for sample in s.samples])
        told_some += bool(sums.any())
        withheld += not sums.all()
        everything: Known = known(rows, disclosure, found)
        for attacker in range(len(rows.counts)):
            given += [f"seed {seed}, {cell}" for cell in recovered(rows, everything, s, attacker)]
    return told_some, withheld, given


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        *((name, range(6)) for name in ASKED),
        *(pytest.param(name, range(334), marks=pytest.mark.sweep) for name in ASKED),
    ],
)
def test_sums_give_no_small_cell_back(name: str, seeds: range) -> None:
    disclosure, withheld, given = attacks(name, seeds)
    print(f"{name}: {len(seeds)} runs, {disclosure} told sums, {withheld} withheld some, {len(given)} cells given back")
    assert given == []
    assert disclosure and withheld


def test_the_attack_finds_what_sums_give_back() -> None:
    for name in ASKED:
        _, _, given = attacks(name, range(4), tested=False)
        assert given, name
