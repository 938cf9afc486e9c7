"""What `make bench` measures beside its plan: the scenarios, one run, the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import _beside_plans
from benchmarks.analyses import ANALYSES, Analysis, NotThere, demo, measure, scenario_file
from benchmarks.effort import QUICK
from benchmarks.micro_programs import COMPARISONS, each_time, plan_of
from benchmarks.report import report
from benchmarks.results import BesidePlan, Results, read
from parties.plan_scenario import planned
from parties.scenario import load_scenario

OWNERS = ("hospital_a", "hospital_b")
HERE = tuple(one for one in ANALYSES if not one.key.endswith("predict"))


def some_results() -> Results:
    one = BesidePlan("minimum", "WAN", 2, 0.09, (0.08, 0.1), None, 0.08, 8.0, 8.0, 4.5e6, 4.5e6, 4.3e6, 4.3e6)
    return Results(
        command="make bench",
        comparisons=[one, BesidePlan("select", failure="RuntimeError: it is wrong by 1")],
        analyses=[
            BesidePlan("statistics", "localhost", 1, 0.1, (0.1, 0.1), 1.2, None, 25, 27, 89228, 90000, 24348, 24348),
            BesidePlan("predict", "WAN", failure="NotThere: no model was trained before"),
        ],
    )


def test_the_report_says_what_was_measured_and_what_was_planned(tmp_path: Path) -> None:
    results = some_results()
    text = report(results)
    assert (
        "| minimum 1e5 | WAN | 2 | 8 (as planned) | 4.50 MB (as planned) | 4.30 MB (as planned) | "
        "90.0 (80.0-100) | 80.0 |"
    ) in text
    assert "| statistics: 910 x 9, three owners | localhost | 1 | 25 (planned 27) | 89.2 kB (planned 90.0 kB) |" in text
    assert "- selection 1e5, by a shared bit, localhost: no figures: RuntimeError: it is wrong by 1" in text
    assert "WAN: no figures: NotThere: no model was trained before" in text
    assert (
        "- Rounds and bytes of 2 measurements beside their plans: all but statistics (localhost) as planned, exactly; "
        "2 without figures."
    ) in text
    results.write(tmp_path / "results.json")
    assert read(tmp_path / "results.json") == results


@pytest.mark.parametrize("analysis", HERE, ids=lambda one: one.key)
@pytest.mark.parametrize("wan", [False, True])
def test_every_scenario_is_whole(analysis: Analysis, wan: bool, tmp_path: Path) -> None:
    scenario = load_scenario(scenario_file(analysis, tmp_path, wan=wan))
    assert (scenario.network is not None) == wan
    assert all(Path(str(scenario.parties[owner].data)).is_file() for owner in scenario.owners)


def test_a_job_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotThere, match=r"no scenarios/none\.toml"):
        demo("none")
    (predict,) = (one for one in ANALYSES if one.key == "predict")
    with pytest.raises(NotThere, match="no model that nobody sees was trained before"):
        measure(predict, tmp_path, runs=1, wan=False)


def test_a_job_is_as_planned(tmp_path: Path) -> None:
    (analysis,) = (one for one in ANALYSES if one.key == "open-fisher")
    one = measure(analysis, tmp_path, runs=1, wan=False)
    _, plan = planned(load_scenario(scenario_file(analysis, tmp_path, wan=False)))
    assert one.rounds == one.planned_rounds == len(plan.rounds) > 14
    assert one.owner_bytes == one.planned_owner_bytes > 0 and one.helper_bytes == one.planned_helper_bytes
    assert one.seconds and one.command_seconds and one.seconds < one.command_seconds
    assert one.planned_seconds and 0 < one.planned_seconds < 1


def test_an_operations_share_of_its_session() -> None:
    select = next(one for one in COMPARISONS if one.key == "select")
    plan, repeats = plan_of(select, OWNERS, "helper", repeats=3)
    rounds, sent = each_time(plan, repeats, len(plan.rounds), plan.bytes_sent["hospital_a"])
    assert rounds == 1 and 8 * 100_000 + 12_500 < sent < 8 * 100_000 + 12_500 + 64
    assert each_time(plan, repeats, len(plan.rounds) + 4, plan.bytes_sent["hospital_a"] + 400) == (2, sent + 100)


def test_what_fails_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*args: object, **kwargs: object) -> BesidePlan:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("benchmarks.ours.beside_plan", broken)
    monkeypatch.setattr("benchmarks.analyses.measure", broken)
    monkeypatch.setattr("benchmarks.telling.KEPT", tmp_path / "results.json")
    results = Results(command="make bench")
    _beside_plans(results, QUICK)
    assert [one.failure for one in results.comparisons] == ["RuntimeError: no such thing"] * len(COMPARISONS)
    assert [one.key for one in results.analyses] == [one.key for one in ANALYSES]
