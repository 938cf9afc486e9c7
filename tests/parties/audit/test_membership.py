"""Membership inference finds what is there, and nothing where there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from parties.audit.attack import Audited, Effort, Finding
from parties.audit.likelihood_ratio import laws, leave_one_out_laws
from parties.audit.membership import MEMBERSHIP, Shadows, gains_of, reach_of
from parties.audit.target import audit_of
from parties.report.record import record_of
from parties.session.lockstep import run_in_one_thread
from parties.tasks.audited.audit import Audit, Mask, Population, Random
from parties.tasks.registry import load_scenario
from tests.scenario_texts import two_owners
from tests.studies import study_of_two

ROWS = 200
EFFORT = Effort(shadows=64)


def population(release: Callable[[Mask, Random], Array]) -> Population:
    def draw(rng: Random) -> Mask:
        return rng.permutation(ROWS) < ROWS // 2

    return Population("patient", "a vector", "everybody", ("a",) * ROWS, draw, release, lambda seen: seen)


def attack(of: Population) -> dict[str, Any]:
    (found,) = MEMBERSHIP.run(Audited(None, Audit(lambda *_: of), effort=EFFORT))  # type: ignore[arg-type]
    return {one.name: one for one in found.figures} | {"sentence": found.sentence}


def test_nothing_is_found_where_nothing_is_told() -> None:
    found = attack(population(lambda mask, rng: rng.normal(size=ROWS)))
    assert found["AUC"].low < 0.5 < found["AUC"].high + 0.01
    assert abs(found["AUC"].value - 0.5) < 0.02
    assert abs(found["true positives at 1 % false ones"].value - 0.01) < 0.005
    assert found["sentence"].startswith("No better than guessing")


@pytest.mark.sweep
def test_intervals_hold_what_they_say() -> None:
    """Targets are each other's shadows: intervals that take them for independent miss in 23 of 100 audits."""
    missed = np.zeros(2)
    for k in range(60):
        rng = np.random.default_rng(k)
        members = np.array([rng.permutation(60) < 42 for _ in range(128)])
        shadows = Shadows(members, -np.abs(rng.normal(size=(128, 6)) @ rng.normal(size=(6, 60))))
        off = np.abs(gains_of(shadows, np.arange(128)) - 0.5)[:, 0]
        missed += off > reach_of(shadows, rng)[:, 0]
    assert missed.max() <= 7


def test_the_gain_is_that_of_the_best_attack() -> None:
    found = attack(population(lambda mask, rng: mask + rng.normal(size=ROWS)))
    assert found["AUC"].value == pytest.approx(0.7602, abs=0.015)  # Phi(1 / sqrt 2)
    assert found["AUC without runs that have the candidate"].value == pytest.approx(0.7602, abs=0.015)
    assert 0.05 < found["true positives at 1 % false ones"].value < 0.11  # Phi(1 - 2.326) = 0.092, of known laws
    assert "some patients took part can be told" in found["sentence"]


def test_each_candidate_has_its_own_laws() -> None:
    """Scores of other sizes: without laws of its own, a candidate with large scores would always look like a member."""
    level, sign = np.random.default_rng(5).normal(0, 30, ROWS), np.where(np.arange(ROWS) % 2, 1.0, -1.0)
    found = attack(population(lambda mask, rng: level + sign * 2 * mask + rng.normal(size=ROWS)))
    assert found["AUC"].value > 0.9
    assert found["AUC without runs that have the candidate"].value < 0.6  # it takes members for the larger ones


def test_a_target_is_no_shadow_of_its_own() -> None:
    rng = np.random.default_rng(6)
    scores, members = rng.normal(size=(12, 5)) + 7, rng.random((12, 5)) < 0.5
    others = leave_one_out_laws(scores, members)
    for k in range(12):
        without = laws(np.delete(scores, k, axis=0), np.delete(members, k, axis=0))
        for name in ("mean_in", "mean_out", "deviation", "deviation_out"):
            assert vars(others)[name][k] == pytest.approx(vars(without)[name])


def rows(seed: int, count: int, columns: int) -> str:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, columns)).round(3)
    y = (x[:, 0] + rng.normal(size=count) > 0).astype(int)
    names = ",".join(f"x{k}" for k in range(columns))
    return "\n".join([f"{names},y", *(",".join(map(str, [*line, label])) for line, label in zip(x, y, strict=True))])


def findings(folder: Path, kind: str, columns: int, more: str, *, run: bool = False) -> tuple[Finding, ...]:
    task = f'target = "y"\nmin_rows_per_feature = 1\n{more}\n'
    scenario = study_of_two(folder, kind, task, *(rows(k, 60, columns) for k in range(2)))
    record = record_of(scenario, run_in_one_thread(scenario)) if run else None
    return MEMBERSHIP.run(Audited(scenario, audit_of(scenario), record, EFFORT))


NEWTON = 'solver = "newton"\niterations = 12\ntest_fraction = 0.5\nreveal = ["model"]\nl2 = '


def test_a_model_of_many_columns_tells_members(tmp_path: Path) -> None:
    (wide,) = findings(tmp_path, "logistic_regression", 20, NEWTON + "0.001")
    (narrow,) = findings(tmp_path, "logistic_regression", 1, NEWTON + "1000")
    assert wide.figures[0].value > 0.62 > 0.55 > narrow.figures[0].value
    assert wide.against.startswith("a and b, ")


def test_a_fit_of_many_columns_tells_members(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "linear_regression", 20, "")
    assert found.figures[0].value > 0.65 and (found.figures[0].low or 0) > 0.6


def test_a_run_is_attacked_by_what_it_disclosed(tmp_path: Path) -> None:
    this, study = findings(tmp_path, "logistic_regression", 20, NEWTON + "0.001", run=True)
    assert "60 patients in it, 60 held out" in this.what and "64 runs" in study.what
    area = this.figures[0]
    assert (area.low or 0) > 0.5 and abs(area.value - study.figures[0].value) < 0.15


def test_a_model_that_nobody_sees_is_not_attacked(tmp_path: Path) -> None:
    for k, name in enumerate("ab"):
        (tmp_path / f"{name}.csv").write_text(rows(k, 60, 2))
    path = tmp_path / "study.toml"
    path.write_text(
        two_owners("logistic_regression").replace('.csv"', '.csv"\nmodel = "shares"')
        + 'target = "y"\nreveal = ["metrics"]\n'
    )
    scenario = load_scenario(path)
    assert MEMBERSHIP.applies(Audited(scenario, audit_of(scenario)))


def test_where_no_row_is_held_out_half_are(tmp_path: Path) -> None:
    """And trainings on separable rows, whose weights have no end, give figures all the same."""
    (found,) = findings(tmp_path, "logistic_regression", 40, 'reveal = ["inference"]\ntest_fraction = 0.005', run=False)
    assert all(np.isfinite(one.value) for one in found.figures)
    (found,) = findings(tmp_path, "logistic_regression", 1, NEWTON.replace("0.5", "0.005") + "1")
    assert all(np.isfinite(one.value) for one in found.figures)
