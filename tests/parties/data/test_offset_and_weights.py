"""Columns of offsets and weights: the settings that name them, and how an owner's file gives them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataError, UsageError
from parties.data.table import Table, load_owner_table, load_table
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.registry import load_scenario
from parties.tasks.rows.regression import own_columns, own_rows, split_of

CSV = "y,age,log_time,times\n1,40,0.5,2\n0,50,-1.5,0\n1,60,0,1.5\n0,70,2,3\n1,45,1,1\n"


def task(**changes: Any) -> LogisticTask:
    usual = {"kind": "logistic_regression", "target": "y", "reveal": ("inference",), "offset": "log_time"}
    return LogisticTask(**{**usual, "weights": "times", **changes})


def read(folder: Path, content: str, **changes: Any) -> Table:
    (folder / "a.csv").write_text(content)
    return load_table("a.csv", task(**changes), "clinic", folder)


def test_they_are_read_and_are_no_features(tmp_path: Path) -> None:
    table = read(tmp_path, CSV)
    assert table.columns == ("age",) and table.ignored == () and table.missing == (0, 0)
    assert table.offset_weights.offset is not None and table.offset_weights.counts is not None
    assert table.offset_weights.offset.tolist() == [0.5, -1.5, 0, 2, 1]
    assert table.offset_weights.counts.tolist() == [2, 0, 1.5, 3, 1]
    assert table.digest != read(tmp_path, CSV.replace("0,50,-1.5,0", "0,50,-1.5,1")).digest
    assert read(tmp_path, CSV, weights=None).columns == ("age", "times")


def test_rows_without_one_are_dropped_with_the_rest_of_the_row(tmp_path: Path) -> None:
    table = read(tmp_path, CSV.replace("-1.5,0", ",0").replace("60,", ","), missing="drop")
    assert table.values[:, 0].tolist() == [40, 70, 45] and table.missing == (1, 0)
    assert table.offset_weights.counts is not None and table.offset_weights.counts.tolist() == [2, 3, 1]


@pytest.mark.parametrize(
    ("content", "changes", "words"),
    [
        (CSV.replace("-1.5,0", "-1.5,-3"), {}, ["'times'", "in 1 row", "data row 2", "no number from 0 to 1,000,000"]),
        (CSV.replace("-1.5,0", "-1.5,2000000"), {}, ["'times'", "data row 2"]),
        (CSV.replace("-1.5,0", "-300,0"), {}, ["'log_time'", "beyond 256", "give the logarithm"]),
        (CSV.replace("-1.5,0", "-1.5,many"), {}, ["'times'", "not numeric", "data row 2", "`offset` and `weights`"]),
        (CSV.replace("-1.5,0", ",0"), {}, ["values are missing", "1 in column 'log_time'"]),
        (CSV.replace("-1.5,0", ",0"), {"missing": "mean"}, ["no mean can stand for", "'log_time'"]),
        (CSV, {"offset": "log_tim"}, ["no column 'log_tim' (the offset)", "did you mean 'log_time'?"]),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str, changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, content, **changes)
    told = f"{caught.value.message}; {caught.value.hint}"
    assert all(word in told for word in ["clinic", *words]), told


PARTIES = (
    'schema = 1\nname = "v"\n[parties.a]\nrole = "owner"\ndata = "a.csv"\n[parties.b]\nrole = "owner"\ndata = "b.csv"\n'
    '[parties.helper]\nrole = "helper"\n'
)
TASK = '[task]\nkind = "logistic_regression"\ntarget = "y"\nreveal = ["inference"]\n'
BOTH = 'offset = "log_time"\nweights = "times"\n'


def test_they_are_split_as_the_rows_are(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(CSV)
    (tmp_path / "v.toml").write_text(PARTIES + TASK + BOTH)
    scenario = load_scenario(tmp_path / "v.toml")
    table = load_owner_table(scenario, "a")
    own = own_rows(table, scenario, ("age",))
    ages = {40: (0.5, 2.0), 50: (-1.5, 0.0), 60: (0.0, 1.5), 70: (2.0, 3.0), 45: (1.0, 1.0)}
    for x, beside in ((own.x_train, own.offset_weights_train), (own.x_test, own.offset_weights_test)):
        assert beside.offset is not None and beside.counts is not None and len(x)
        assert [ages[age] for age in x[:, 0]] == list(zip(beside.offset, beside.counts, strict=True))
    settings = settings_for(scenario, {"a": (4, 1), "b": (4, 1)}, 1)
    assert settings.offset and settings.weighted and settings.calibration is None


def test_of_split_columns_the_owner_of_the_target_has_them(tmp_path: Path) -> None:
    text = PARTIES + TASK.replace("[task]", '[task]\npartition = "vertical"\nid = "who"') + BOTH
    (tmp_path / "v.toml").write_text(text)
    (tmp_path / "a.csv").write_text("who,y,log_time,times\nd,1,0.5,2\nc,0,-1.5,0\nb,1,0,1.5\na,0,2,3\ne,0,0,0\n")
    (tmp_path / "b.csv").write_text("who,age\na,1\nb,2\nc,3\nd,4\ne,5\n")
    scenario = load_scenario(tmp_path / "v.toml")
    tables = {owner: load_owner_table(scenario, owner) for owner in ("a", "b")}
    counts = tables["a"].offset_weights.counts
    assert counts is not None and counts.tolist() == [3, 1.5, 0, 2, 0]
    assert tables["b"].offset_weights.counts is None and tables["b"].columns == ("age",)
    own = own_columns(tables["a"], scenario, split_of(tables), b"")
    assert own.offset_weights_train.offset is not None and len(own.offset_weights_train.offset) == 4
    (tmp_path / "b.csv").write_text("who,age,times\na,1,1\nb,2,1\nc,3,1\nd,4,1\ne,5,1\n")
    with pytest.raises(DataError, match=r"'times' .the weights. is here, but the target 'y' is not"):
        load_owner_table(scenario, "b")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('offset = "y"\n', "offset = 'y' is the target, too"),
        ('offset = "t"\nweights = "t"\n', "weights = 't' is the offset, too"),
        ('features = ["t", "u"]\nweights = "t"\n', "weights = 't' is among the features, too"),
        ('reveal = ["model"]\noffset = "t"\n', "'offset' goes with reveal"),
        ('reveal = ["inference", "calibration"]\n', 'goes with "metrics" and "inference"; add "metrics" to reveal'),
        ('reveal = ["inference", "metrics", "calibration"]\nmin_cell = 1\n', "a calibration's are always tested"),
        ("min_cell = 2\n", "a whole number from 3 to 100, or 1 to test no cell"),
        ("min_cell = 101\n", "a whole number from 3 to 100, or 1 to test no cell"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path: Path, written: str, words: str) -> None:
    text = TASK if "reveal" not in written else TASK.replace('reveal = ["inference"]\n', "")
    (tmp_path / "v.toml").write_text(PARTIES + text + written)
    with pytest.raises(UsageError) as caught:
        load_scenario(tmp_path / "v.toml")
    assert words in f"{caught.value.message}; {caught.value.hint}"
