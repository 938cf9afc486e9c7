"""What an audit is given of statistics: each row's part of what is told, and rows that move it as far as any can."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parties.audit.attack import Audited, Effort
from parties.audit.membership import MEMBERSHIP
from parties.tasks.registry import planned
from parties.tasks.statistics.audit import AUDIT, row_numbers, worst_rows
from parties.tasks.statistics.data import load_statistics_table
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import PrivateSettings, own_numbers, parts_of
from tests.parties.tasks.statistics.private.test_run import scenario
from tests.studies import study_of_two


def test_rows_add_up_to_what_an_owner_enters(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    settings, _ = planned(one)
    assert isinstance(settings, PrivateSettings)
    table = load_statistics_table(one, "a")
    own = OwnColumns(dict(zip(table.columns, table.values.T, strict=True)), table.rows)
    entered = parts_of(own_numbers(own, settings) / settings.calibration.sensitivity, settings)
    by_size = sorted(settings.releases, key=lambda release: release.size)
    sums, start = row_numbers(own, settings.statistics, settings).sum(axis=0), 0
    for release in by_size:
        found = sums[start : start + release.cells.size]
        start += release.cells.size
        wanted = entered[release.what, release.name].reshape(-1)[: release.cells.size]
        if release.what == "squares":  # 2 u^2 - 1 is entered, of as many rows as are counted
            counted = entered["count", release.cells.name][0].reshape(-1)
            wanted = (wanted + counted) / 2
        assert found == pytest.approx(wanted, abs=0.02), release.name
    assert start == len(sums)


def test_a_worst_row_changes_every_release_as_far_as_any_can(tmp_path: Path) -> None:
    settings, _ = planned(scenario(tmp_path))
    unit = settings.calibration.sensitivity
    for k, row in enumerate(worst_rows(settings)):
        own = OwnColumns({name: np.array([value]) for name, value in row.items()}, 1)
        parts = parts_of(own_numbers(own, settings) / unit, settings)
        changes = {name: np.abs(part).sum() for (_, name), part in parts.items()}
        assert max(changes.values()) == 1.0
        if k < 3:  # the last one lacks some values
            assert min(changes.values()) == 1.0
    lacking = sum(np.isnan(value) for value in row.values())
    assert 0 < lacking < len(row)


def test_exact_sums_of_few_rows_tell_who_is_in_them(tmp_path: Path) -> None:
    exact = 'columns = ["age"]\nstatistics = ["count", "sd"]\nmin_cell = 0\n'
    few = scenario(tmp_path, exact, "", rows=20)
    (found,) = MEMBERSHIP.run(Audited(few, AUDIT, effort=Effort(64)))
    assert (found.figures[0].low or 0) > 0.55
    hidden = scenario(
        tmp_path, exact.replace("min_cell = 0\n", ""), "[privacy]\nepsilon = 0.1\nclip = { age = [0, 100] }\n", rows=20
    )
    (found,) = MEMBERSHIP.run(Audited(hidden, AUDIT, effort=Effort(64)))
    assert found.figures[0].value < 0.52


def test_small_cells_are_no_part_of_the_attack(tmp_path: Path) -> None:
    task = 'tables = [["arm", "smoker"]]\n[task.categories]\narm = ["a", "b"]\nsmoker = ["never", "now"]\n'
    odd = "\n".join(["arm,smoker", *["a,never"] * 30, *["b,now"] * 30, "a,now"])
    found = AUDIT.population(study_of_two(tmp_path, "statistics", task, odd, odd), None)
    assert found is not None and found.what.startswith("2 counts and sums")
