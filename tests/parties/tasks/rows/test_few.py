"""Few rows of an owner, or for each feature: refused, unless a scenario and all policies say otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataError, UsageError
from parties.tasks.registry import load_scenario, request_of
from parties.tasks.rows.few import refuse_few
from parties.trust.policy import Policy, Rules
from tests.run.scenarios import write_scenario


def test_an_owner_with_few_rows_to_train_on_is_named(tmp_path: Path) -> None:
    plain = load_scenario(write_scenario(tmp_path, rows=60))
    refuse_few(plain, {"hospital_a": (20, 5), "hospital_b": (20, 0)}, 4)
    with pytest.raises(DataError, match=r"^hospital_b has 19 rows to train on, and min_rows = 20"):
        refuse_few(plain, {"hospital_a": (400, 5), "hospital_b": (19, 400)}, 3)
    fewer = load_scenario(write_scenario(tmp_path, rows=60, min_rows=1, min_rows_per_feature=0))
    refuse_few(fewer, {"hospital_a": (400, 5), "hospital_b": (1, 0)}, 3)


def test_few_held_out_rows_are_refused_where_they_are_told_of(tmp_path: Path) -> None:
    rows = {"hospital_a": (400, 0), "hospital_b": (30, 4), "hospital_c": (400, 5)}
    said = r"^hospital_b has 4 held-out rows, and min_cell = 5"
    with pytest.raises(DataError, match=said):
        refuse_few(load_scenario(write_scenario(tmp_path, 3, rows=60)), rows, 3)
    settings: list[dict[str, Any]] = [{"reveal": ["model"]}, {"min_cell": 4}, {"min_cell": 1}]
    for allowed in settings:
        refuse_few(load_scenario(write_scenario(tmp_path, 3, rows=60, **allowed)), rows, 3)
    refuse_few(load_scenario(write_scenario(tmp_path, 3, rows=60)), rows | {"hospital_b": (34, 0)}, 3)


def test_a_model_without_a_penalty_rests_on_enough_rows(tmp_path: Path) -> None:
    rows = {"hospital_a": (1000, 0), "hospital_b": (24, 0)}
    with pytest.raises(DataError, match=r"the others of an owner have 24 rows .* asks for 25 with 5 features"):
        refuse_few(load_scenario(write_scenario(tmp_path, rows=60)), rows, 5)
    settings: list[dict[str, Any]] = [{"l2": 0.1}, {"reveal": ["metrics"], "features": ["years"]}]
    for allowed in (*settings, {"min_rows_per_feature": 4}):
        refuse_few(load_scenario(write_scenario(tmp_path, rows=60, **allowed)), rows, 5)


def test_few_held_out_rows_of_a_linear_regression_are_refused(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, rows=60)
    text = path.read_text().split("[task]")[0] + '[task]\nkind = "linear_regression"\ntarget = "outcome"\n'
    path.write_text(text + 'id = "patient"\ntest_fraction = 0.1\nreveal = ["inference", "metrics"]\n')
    rows = {"hospital_a": (90, 10), "hospital_b": (27, 3)}
    with pytest.raises(DataError, match="hospital_b has 3 held-out rows, and min_cell = 5"):
        refuse_few(load_scenario(path), rows, 3)


def test_a_linear_regression_rests_on_enough_rows_too(tmp_path: Path) -> None:
    """It has no penalty; and where columns are split all owners have parts of the same rows, which count once."""
    path = write_scenario(tmp_path, 3, rows=60)
    text = path.read_text().split("[task]")[0] + '[task]\nkind = "linear_regression"\ntarget = "outcome"\n'
    path.write_text(text + 'id = "patient"\n')
    rows = {"hospital_a": (30, 0), "hospital_b": (24, 0), "hospital_c": (25, 0)}
    with pytest.raises(DataError, match=r"the others of an owner have 49 rows .* asks for 50 with 10 features"):
        refuse_few(load_scenario(path), rows, 10)
    path.write_text(text + 'id = "patient"\npartition = "vertical"\n')
    with pytest.raises(DataError, match=r"there are 30 rows .* asks for 35 with 7 features"):
        refuse_few(load_scenario(path), dict.fromkeys(rows, (30, 0)), 7)
    refuse_few(load_scenario(path), dict.fromkeys(rows, (30, 0)), 6)


@pytest.mark.parametrize(
    ("rules", "task", "says"),
    [
        (Rules(), {}, ""),
        (Rules(minimum_rows=100), {}, ""),
        (Rules(minimum_rows=5), {"min_rows": 5}, ""),
        (Rules(minimum_rows=6), {"min_rows": 5}, "minimum_rows is 6, but [task] min_rows = 5"),
        (Rules(), {"min_rows": 19}, "minimum_rows is 20 where it says nothing, but [task] min_rows = 19"),
        (Rules(minimum_rows_per_feature=0), {"min_rows_per_feature": 0}, ""),
        (Rules(), {"min_rows_per_feature": 4}, "minimum_rows_per_feature is 5 where it says nothing"),
    ],
)
def test_a_scenario_with_lower_minimums_needs_every_policy(
    tmp_path: Path, rules: Rules, task: dict[str, Any], says: str
) -> None:
    scenario = load_scenario(write_scenario(tmp_path, rows=60, **task))
    one = Policy(tmp_path / "policy.toml", rules, written=False)
    if not says:
        return one.check(request_of(scenario), "hospital_a", {}, 300)
    with pytest.raises(UsageError) as caught:
        one.check(request_of(scenario), "hospital_a", {}, 300)
    assert says in caught.value.message
