"""`kind = "statistics"`: its settings, its data, and what a policy, an approval and a summary say of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.show.blocks import Grid, Line
from parties.tasks.coefficients import p_text
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.statistics.data import load_statistics_table
from parties.tasks.statistics.plan import cell_rules
from parties.tasks.statistics.run import STATISTICS
from parties.tasks.statistics.settings import StatisticsTask
from parties.tasks.statistics.shape import statistics_settings
from parties.tasks.statistics.show import statistics_blocks
from tests.parties.asked import asked_and_read, check_policy
from tests.scenario_texts import STATISTICS as FULL
from tests.studies import study_of_two

ROWS = """age,bmi,sex,smoker,arm,months,died,note
61,22.5,f,never,1,12,no,x
,30.1,M,current,2.0,70,yes,y
48,,m,,1,3,,z
77,27.25,,never,2,59,no,x
55,19,f,NA,1,60,yes,y
"""


def scenario(folder: Path, task: str = FULL, rows: str = ROWS) -> Scenario:
    return study_of_two(folder, "statistics", task, rows, rows)


def test_everything_that_can_be_said_is_read(tmp_path: Path) -> None:
    task = scenario(tmp_path).task_as(StatisticsTask)
    assert task.quantiles == (0.5, 0.9)  # in order, so that equal runs have equal digests
    assert task.categories["arm"] == ("1", "2")
    assert task.numbers == ("age", "bmi", "months") and task.events == ("died",)
    assert task.grouping == ("sex", "smoker", "arm")


def test_a_statistics_scenario_is_no_training(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    with pytest.raises(Exception, match='kind = "statistics" is taken for LogisticTask'):
        one.task_as(LogisticTask)


def test_numbers_levels_and_events_are_read_with_their_gaps(tmp_path: Path) -> None:
    table = load_statistics_table(scenario(tmp_path), "a")
    assert table.columns == ("age", "bmi", "months", "sex", "smoker", "arm", "died")
    nan = np.nan
    expected = {
        "age": [61, nan, 48, 77, 55],
        "bmi": [22.5, 30.1, nan, 27.25, 19],
        "sex": [0, 1, 1, nan, 0],
        "smoker": [0, 1, nan, 0, nan],
        "arm": [0, 1, 0, 1, 0],
        "died": [0, 1, nan, 0, 1],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(table.values[:, table.columns.index(name)], values)
    assert [note.text for note in table.notes] == ["columns that are not used: note"]
    assert "61" not in repr(table)
    part = table.select(("age", "sex"))
    assert part.values.shape == (5, 2) and part.digest != table.digest
    assert part.digest == PlainTable("b", "elsewhere", part.columns, part.values.copy()).digest


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("61,", "161,"), "column 'age' has values outside of its grid, from 0 to 110, in 1 row (first in data row 1)"),
        (("1,12,no", "1,-2,no"), "column 'months' has values below its grid"),
        (("f,never", "x,never"), "column 'sex' holds 1 value that [task.categories] does not list"),
        (("22.5", "light"), "column 'bmi' is not numeric"),
        (("12,no", "12,perhaps"), "the event column 'died' must hold 0 and 1 only"),
        (("bmi,sex", "bmj,sex"), "there is no column 'bmi'"),
        (("22.5", "1e13"), "beyond 2^40"),
        (("\n55,19,f,NA,1,60,yes,y", ""), "4 rows of data, but an owner needs at least 5"),
    ],
)
def test_data_that_do_not_fit_are_refused(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in ROWS
    one = scenario(tmp_path, rows=ROWS.replace(change[0], change[1], 1))
    with pytest.raises(DataError) as caught:
        load_statistics_table(one, "b")
    assert caught.value.message.startswith("b, b.csv: ") and says in caught.value.message
    assert "161" not in caught.value.message and "features" not in caught.value.hint


def test_values_too_small_for_the_sums_are_refused(tmp_path: Path) -> None:
    rows = "dose\n" + "\n".join(f"{k}e-12" for k in range(1, 9)) + "\n"
    with pytest.raises(DataError, match="column 'dose' has values too small"):
        load_statistics_table(scenario(tmp_path, 'columns = ["dose"]\n', rows), "a")


def test_a_policy_names_each_kind_of_statistic(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    rules = 'kinds = ["statistics"]\nreveals = ["count", "sd", "quantiles", "tables"]\n'
    refused = "it reveals 'max', 'histograms', 'correlations', 't_tests' and 'survival'"
    check_policy(one, "a", tmp_path, rules, refused)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("", "minimum_cell = 7, but min_cell = 5"),
        ("min_cell = 0\n", "minimum_cell = 7, but min_cell = 0 tells every cell"),
        ('min_cell = 8\nmissing_cells = "told"\n', 'minimum_cell = 7, but missing_cells = "told"'),
        ("min_cell = 7\n", ""),
    ],
)
def test_a_policy_insists_on_a_least_cell(tmp_path: Path, task: str, says: str) -> None:
    one = scenario(tmp_path, task + FULL)
    check_policy(one, "a", tmp_path, "minimum_cell = 7\n", says)


@pytest.mark.parametrize(
    ("task", "least", "share"), [("", 5, 75), ("min_cell = 0\n", 0, 0), ("min_cell = 3\ndominance = 0\n", 3, 0)]
)
def test_what_small_cells_do_is_said_before_a_run(tmp_path: Path, task: str, least: int, share: int) -> None:
    one = scenario(tmp_path, task + FULL)
    assert (one.task_as(StatisticsTask).min_cell, one.task_as(StatisticsTask).dominance) == (least, share)
    said = " ".join(cell_rules(statistics_settings(one, {"a": (5, 0), "b": (5, 0)}, 7)))
    assert ("Small cells" in said) == bool(least) and ("Dominance" in said) == bool(share)
    assert ("11 rounds" in said, "9 rounds" in said) == (bool(share), least == 3)
    assert ("min_cell = 0: every count is disclosed" in said) == (not least)


def test_that_the_others_have_too_few_rows_is_said_before_a_run(tmp_path: Path) -> None:
    agreed: Any = SimpleNamespace(rows={"a": (900, 0), "b": (5, 0)})
    assert STATISTICS.run.before(scenario(tmp_path), agreed) == []
    (said,) = STATISTICS.run.before(scenario(tmp_path, "min_cell = 6\n" + FULL), agreed)
    assert said.startswith("beside a the others have fewer than min_cell = 6 rows")


def test_withheld_numbers_are_marked_and_explained() -> None:
    group = {"group": None, "count": None, "mean": None, "withheld": ["count", "mean"]}
    rule = {"min_cell": 5, "dominance": 75, "cells": 3, "withheld": 1}
    grid, _, legend = statistics_blocks({"statistics": {"columns": {"age": [group]}, "small_cells": rule}})
    assert isinstance(grid, Grid) and grid.rows == (("age", "*", "*"),)
    assert isinstance(legend, Line) and "1 to 4 patients" in legend.text and "1 of 3 counts" in legend.text


def test_a_curve_of_which_no_point_is_told_has_no_error() -> None:
    curve = {"level": None, "count": 66, "events": 19, "survival": [None], "error": [None], "withheld": ["survival"]}
    one = {"time": "months", "event": "died", "times": [12], "groups": [{"deferred": 18, "curves": [curve]}]}
    grid, note = statistics_blocks({"statistics": {"survival": [one]}})
    assert isinstance(grid, Grid) and [row[0] for row in grid.rows] == ["rows", "events", "median"]
    assert isinstance(note, Line) and note.text.startswith("No point of a curve is told")


def test_what_is_asked_and_learnt_is_shown_before_approval(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    blocks = asked_and_read(one, "a", load_statistics_table(one, "a"), dict.fromkeys(one.parties, "key"))
    text = " ".join(
        block.text if isinstance(block, Line) else " ".join(map(" ".join, (block.columns, *block.rows)))
        for block in blocks
    )
    for words in (
        "withheld cells",
        "min_cell",
        "age, bmi, months",
        "sex, smoker, arm",
        "died",
        "centred squares",
        "values on grids",
    ):
        assert words in text


def test_a_summary_of_a_record_that_lacks_things() -> None:
    assert statistics_blocks({}) == []
    assert statistics_blocks({"statistics": {"columns": {"age": [{"group": None, "count": 3}]}}})
    (grid,) = statistics_blocks({"statistics": {"columns": {"age": [{"group": None, "count": 3, "mean": None}]}}})
    assert isinstance(grid, Grid) and grid.rows == (("age", "3", "-"),)
    assert (p_text(None), p_text(0.03), p_text(1e-9)) == ("-", "0.0300", "< 0.0001")
