"""`kind = "linear_regression"`: its settings, its data, and what a policy, an approval and a summary say of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.errors import DataError
from parties.data.table import load_owner_table
from parties.doctor.estimate import estimate_plan
from parties.doctor.findings import Finding
from parties.report.plan import plan_json, plan_tables
from parties.scenario.file import Scenario
from parties.show.blocks import Grid, Line
from parties.tasks.linear.plan import USES
from parties.tasks.linear.record import fit_facts, inference_rows
from parties.tasks.linear.run import linear_settings
from parties.tasks.linear.settings import LinearTask
from parties.tasks.linear.show import linear_blocks
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.registry import load_scenario, planned
from protocols.plain.linear import fit_plain
from tests.helpers import FEW
from tests.parties.asked import asked_and_read, check_policy
from tests.scenario_texts import two_owners

HEAD = two_owners("linear_regression") + 'target = "stay"\n'
FULL = """features = ["age", "stage", "age:stage"]
missing = "drop"
reveal = ["missing", "inference"]
[task.categories]
stage = ["I", "II"]
"""
ROWS = """id,age,stage,stay,note
1,61,I,3.5,x
2,,II,4,y
3,48,II,,z
4,77,i,-12.25,x
5,55,ii,6,y
6,57,I,1e3,y
7,58,II,2,y
8,59,I,7,y
"""


def scenario(folder: Path, task: str = FULL, rows: str = ROWS) -> Scenario:
    for name in ("a", "b"):
        (folder / f"{name}.csv").write_text(rows)
    path = folder / "small.toml"
    kind = 'kind = "linear_regression"\n'
    path.write_text((HEAD + task).replace(kind, kind + FEW))
    return load_scenario(path)


def lines(blocks: list[Grid | Line]) -> str:
    return "\n".join(
        one.text if isinstance(one, Line) else "\n".join((one.title, *(" ".join(row) for row in one.rows)))
        for one in blocks
    )


def test_the_rows_are_as_in_a_training_and_the_target_a_number(tmp_path: Path) -> None:
    table = load_owner_table(scenario(tmp_path), "a")
    assert table.columns == ("age", "stage=II", "age:stage=II")
    assert table.target.tolist() == [3.5, -12.25, 6.0, 1000.0, 2.0, 7.0]
    assert table.values[2].tolist() == [55.0, 1.0, 55.0]
    assert table.missing == (1, 0, 1, 1)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("long", "column 'stay' is not numeric: data row 1 does not hold a number"),
        ("1e13", "column 'stay' holds a value beyond 2^40"),
        ("inf", "column 'stay' holds an infinite value in data row 1"),
    ],
)
def test_a_target_that_is_no_number_is_named(tmp_path: Path, cell: str, says: str) -> None:
    one = scenario(tmp_path, rows=ROWS.replace("3.5", cell))
    with pytest.raises(DataError) as problem:
        load_owner_table(one, "a")
    assert says in problem.value.message


def test_equal_runs_have_equal_digests(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    assert one.task_as(LinearTask).reveal == ("inference", "missing") and one.task_as(LinearTask).reveal_to == (
        "a",
        "b",
    )
    other = scenario(tmp_path, FULL.replace('["missing", "inference"]', '["missing"]'))
    assert one.digest == other.digest


def test_a_linear_scenario_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(Exception, match='kind = "linear_regression" is taken for LogisticTask'):
        scenario(tmp_path).task_as(LogisticTask)


def test_too_few_rows_are_refused_before_the_run(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    with pytest.raises(DataError, match="4 rows of all owners for 3 features") as problem:
        linear_settings(one, {"a": (2, 0), "b": (2, 0)}, 3)
    assert "at least 5 rows" in problem.value.message
    assert linear_settings(one, {"a": (3, 0), "b": (2, 0)}, 3).features == 3


def test_a_doctor_tells_of_too_few_rows_and_approvals_go_on(tmp_path: Path) -> None:
    wide = ",".join(f"c{k}" for k in range(30))
    cells = "\n".join(",".join(str((k * row) % 7) for k in range(30)) + f",{row}" for row in range(6))
    one = scenario(tmp_path, 'missing = "drop"\n', rows=f"{wide},stay\n{cells}\n")
    table = load_owner_table(one, "a")
    found = estimate_plan(one, table)
    assert isinstance(found, Finding) and "12 rows of all owners for 30 features" in found.text
    assert "Revealed" not in lines(asked_and_read(one, "a", table, dict.fromkeys(one.parties, "key")))
    named = one.task_as(LinearTask).model_copy(update={"features": table.columns})
    stated = one.model_copy(update={"task": named, "parties": one.parties})
    assert "target, a number stay" in lines(asked_and_read(stated, "a", table, dict.fromkeys(one.parties, "key")))


def test_what_is_asked_and_told_before_an_approval(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    text = lines(asked_and_read(one, "a", load_owner_table(one, "a"), dict.fromkeys(one.parties, "key")))
    assert "target, a number stay" in text and "6: 6 in the fit, 0 held out" in text
    assert "inference, missing" in text


def test_a_plan_says_that_two_owners_learn_each_others_sums(tmp_path: Path) -> None:
    settings, plan = planned(scenario(tmp_path))
    text = lines(plan_tables(plan, settings, scenario(tmp_path)))
    assert "2 owners and a helper; 12 rows in the fit and 0 held out, 3 features." in text
    assert "added and inverted under sharing; only the result is opened" in text
    assert set(plan.correlations) <= set(USES)
    one = scenario(tmp_path, FULL.replace('"drop"', '"drop"\ninference = "open-gram"'))
    settings, plan = planned(one)
    text = lines(plan_tables(plan, settings, one))
    assert "and so each owner learns the other's" in text and len(plan.rounds) == 4
    assert plan_json(plan, settings, one)["inference"] == "open-gram"


@pytest.mark.parametrize(
    ("reveals", "task", "refused"),
    [
        (["inference", "missing", "scales"], FULL, None),
        (["inference", "missing", "standardisation"], FULL, None),
        (["inference", "scales"], FULL, "it reveals 'missing'"),
        (["inference", "missing"], FULL, "it reveals 'scales'"),
        (["inference", "missing", "scales"], FULL.replace('"drop"', '"drop"\ninference = "open-gram"'), "'open-gram'"),
    ],
)
def test_a_policy_lets_through_what_it_lists(
    tmp_path: Path, reveals: list[str], task: str, refused: str | None
) -> None:
    one = scenario(tmp_path, task)
    few = "minimum_rows = 1\nminimum_rows_per_feature = 0\n"
    rules = f"reveals = {reveals}\nkinds = ['linear_regression']\n{few}"
    check_policy(one, "a", tmp_path, rules.replace("'", '"'), refused, 6)


ASIDE = FULL.replace("missing = ", 'offset = "usual"\nweights = "times"\nmissing = ')
BESIDE = "\n".join(
    f"{line},{more}"
    for line, more in zip(
        ROWS.splitlines(),
        ("usual,times", "2.5,1", "3,1", "4,2", "-300,0", ",2", "2,1e3", "1,0.5", "1,1"),
        strict=True,
    )
)


def test_an_offset_is_in_the_targets_unit_and_no_feature(tmp_path: Path) -> None:
    one = scenario(tmp_path, ASIDE, BESIDE + "\n")
    table = load_owner_table(one, "a")
    assert table.columns == ("age", "stage=II", "age:stage=II") and table.target.tolist() == [3.5, -12.25, 1e3, 2, 7]
    assert table.offset_weights.offset is not None and table.offset_weights.offset.tolist() == [2.5, -300, 2, 1, 1]
    assert table.offset_weights.counts is not None and table.offset_weights.counts.tolist() == [1, 0, 1000, 0.5, 1]
    settings = linear_settings(one, {"a": (5, 0), "b": (5, 0)}, 3)
    assert (settings.offset, settings.weighted, settings.target) == (True, True, "stay less usual")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("2,1e3", "2,-1"),
            [
                "column 'times' has values that are no number from 0 to 1,000,000 in 1 row (first in data row ",
                "how much a row",
            ],
        ),
        (
            ("2,1e3", "2,inf"),
            ["column 'times' has values that are no number from 0 to 1,000,000 in 1 row (first in data row "],
        ),
        (("-300", "-1e13"), ["column 'usual' holds a value beyond 2^40"]),
        (("-300", "inf"), ["column 'usual' holds an infinite value in data row 4"]),
        (("usual,", "usually,"), ["no column 'usual' (the offset)", "did you mean 'usually'"]),
    ],
)
def test_an_offset_or_a_weight_that_cannot_be_used_is_named(
    tmp_path: Path, change: tuple[str, str], says: list[str]
) -> None:
    assert change[0] in BESIDE
    with pytest.raises(DataError) as problem:
        load_owner_table(scenario(tmp_path, ASIDE, BESIDE.replace(*change) + "\n"), "a")
    told = f"{problem.value.message}; {problem.value.hint}"
    assert all(words in told for words in says), told


def test_what_is_said_of_an_offset_and_weights_before_a_run(tmp_path: Path) -> None:
    one = scenario(tmp_path, ASIDE, BESIDE + "\n")
    text = lines(asked_and_read(one, "a", load_owner_table(one, "a"), dict.fromkeys(one.parties, "key")))
    assert "offset usual" in text and "weights times" in text and "sum of weights" in text
    settings, plan = planned(one)
    text = lines(plan_tables(plan, settings, one))
    assert "Weighted least squares of stay less usual, rows weighted by times: X'X and X'y are added" in text
    assert "Rows are weighted in the fit; the sum of all weights is opened." in text
    assert "The offset is taken off the target by who has both; nothing of it is opened." in text
    facts = plan_json(plan, settings, one)
    assert (facts["offset"], facts["weights"]) == ("usual", "times")


def test_of_split_columns_the_owner_of_the_target_has_both(tmp_path: Path) -> None:
    task = 'partition = "vertical"\nid = "id"\noffset = "usual"\nweights = "times"\n'
    one = scenario(tmp_path, task, "id,stay,usual,times\n" + "".join(f"{k},{k % 3},{k},{k}\n" for k in range(6)))
    (tmp_path / "b.csv").write_text("id,age,dose\n" + "".join(f"{k},{k},{k * k}\n" for k in range(6)))
    text = lines(asked_and_read(one, "b", load_owner_table(one, "b"), dict.fromkeys(one.parties, "key")))
    assert "weights times, which another owner has" in text
    settings, plan = planned(one)
    text = lines(plan_tables(plan, settings, one))
    assert "and a power of two that none is above, in units of their mean, is opened" in text
    assert set(plan.correlations) <= set(USES)
    (tmp_path / "b.csv").write_text("id,age,times\n" + "".join(f"{k},{k},1\n" for k in range(6)))
    with pytest.raises(DataError, match=r"'times' .the weights. is here, but the target 'stay' is not"):
        load_owner_table(one, "b")


def record_of(x: np.ndarray, y: np.ndarray) -> dict[str, object]:
    fit = fit_plain(x, y, tuple(f"x{k}" for k in range(x.shape[1])))
    return {"status": "ok", "inference": inference_rows(fit), "fit": fit_facts(fit)}


def test_an_exact_fit_is_said() -> None:
    x = np.random.default_rng(2).normal(size=(25, 2))
    record = record_of(x, x.sum(axis=1))
    assert "The features determine the target" in lines(linear_blocks(record))
    assert "F test" not in lines(linear_blocks(record))
