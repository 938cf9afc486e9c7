"""Two runs that differ by one patient tell that patient; with noise they tell nothing of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from parties.audit.attack import Audited, Finding
from parties.audit.counts.differencing import DIFFERENCING, RUN, joined
from parties.audit.counts.reconstruction import RECONSTRUCTION, deduce
from parties.audit.target import records_beside
from parties.report.about import about
from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.audited.counts import Counted, Fact, Query
from parties.tasks.registry import job_of
from parties.tasks.statistics.audit import AUDIT
from tests.studies import study_of_two

TASK = """columns = ["age"]
statistics = ["count", "missing", "mean"]
tables = [["sex", "arm"]]
{more}
[task.categories]
sex = ["f", "m"]
arm = ["old", "new"]
"""


def study(folder: Path, more: str = "min_cell = 5", end: str = "") -> Scenario:
    rng = np.random.default_rng(1)
    tables = []
    for _ in range(2):
        lines = [f"{rng.choice(['f', 'm'])},{rng.choice(['old', 'new'])},{rng.integers(30, 90)}" for _ in range(60)]
        tables.append("\n".join(["sex,arm,age", *lines]))
    return study_of_two(folder, "statistics", TASK.format(more=more) + end, *tables)


def shares(found: Finding) -> list[float]:
    return [one.value for one in found.figures]


def test_a_patient_who_left_is_told_exactly(tmp_path: Path) -> None:
    scenario = study(tmp_path)
    audited = Audited(scenario, AUDIT)
    (found,) = DIFFERENCING.run(audited)
    assert shares(found) == [1.0, 1.0]
    rng = audited.rng("differencing")
    owner = scenario.owners[int(rng.integers(2))]
    table: Any = job_of(scenario).data.load(scenario, owner)
    of = dict(zip(table.columns, table.values[int(rng.integers(60))], strict=True))
    assert f"sex = {'fm'[int(of['sex'])]} and arm = {['old', 'new'][int(of['arm'])]}" in found.sentence
    assert f"the sum of age = {of['age']:g}" in found.sentence or f"age = {of['age']:g}" in found.sentence


def test_noise_tells_nothing_of_the_patient(tmp_path: Path) -> None:
    scenario = study(tmp_path, 'missing_cells = "told"', "[privacy]\nepsilon = 2.0\n[privacy.clip]\nage = [20, 100]\n")
    (found,) = DIFFERENCING.run(Audited(scenario, AUDIT))
    assert shares(found) == [0.0, 0.0] and found.sentence.startswith("Nothing is certain about")


def test_records_of_two_runs_are_compared(tmp_path: Path) -> None:
    scenario = study(tmp_path)
    tables: Any = {owner: job_of(scenario).data.load(scenario, owner) for owner in scenario.owners}
    first = record_of(scenario, run_in_one_thread(scenario))
    fewer = {**tables, "a": replace(tables["a"], values=tables["a"].values[1:])}
    second = record_of(scenario, run_in_one_thread(scenario, given=fewer))
    (found,) = DIFFERENCING.run(Audited(scenario, AUDIT, first, beside=(second,)))
    assert shares(found) == [1.0, 1.0] and found.what == "2 runs"
    assert "about the patient who left: 6 counts and 1 value, exactly." in found.sentence  # others see a record
    (same,) = DIFFERENCING.run(Audited(scenario, AUDIT, first, beside=(first,)))
    assert shares(same) == [0.0] and "Nothing is certain" in same.sentence


def test_only_runs_of_one_study_are_compared(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="goes with the folder of a run"):
        records_beside(None, [tmp_path])


def test_what_both_runs_withhold_stays_withheld() -> None:
    """Only a total is told of each run: which cell the one patient was in, nobody knows."""
    sizes = {"a": 2}
    cells = {"x": {"a": np.array([0, 0, 1, 1])}}
    asked = (Query("a = 0", {"a": np.array([1.0, 0.0])}),)
    runs = [Counted(sizes, (Fact({}, n, n),), asked, (), cells, {"x": {}}, {}, 5) for n in (4, 3)]
    of = joined(runs, (1, 0), {"x": np.array([0, 0, 0, 1])})
    assert of.sizes[RUN] == 2
    (found,) = deduce(of, None, np.random.default_rng(1), near=0.99)
    assert not found.exact and (found.low, found.high) == pytest.approx((0, 1)) and found.truth == 0


GROUPED = """columns = ["age"]
statistics = ["count", "missing"]
by = "sex"
[task.categories]
sex = ["f", "m"]
"""
OTHER = """columns = ["age"]
statistics = ["count", "missing"]
min_cell = 0
"""


def test_another_grouping_gives_a_withheld_count_back(tmp_path: Path) -> None:
    """One run withholds how many women lack an age, for they are two; the other tells how many patients do."""
    study(tmp_path)
    for name, lacking in (("a", 2), ("b", 0)):
        text = (tmp_path / f"{name}.csv").read_text().splitlines()
        women = [k for k, line in enumerate(text) if line.startswith("f,")][:lacking]
        (tmp_path / f"{name}.csv").write_text(
            "\n".join(line.rpartition(",")[0] + "," if k in women else line for k, line in enumerate(text))
        )
    scenario, other = (study_of_two(tmp_path, "statistics", task) for task in (GROUPED, OTHER))
    first = record_of(scenario, run_in_one_thread(scenario))
    second = {**record_of(other, run_in_one_thread(other)), "about": about(other)}
    alone, both = (Audited(scenario, AUDIT, first, beside=beside) for beside in ((), (second,)))
    assert "equally many" in DIFFERENCING.applies(both) and not DIFFERENCING.applies(alone)
    found, more = (RECONSTRUCTION.run(one)[0] for one in (alone, both))
    assert found.figures[0].value == 0 and more.figures[0].value > 0
    assert "with age among sex = f" in more.sentence and "without age among sex = f" in more.sentence
