"""`--set`: values as a scenario file would have them, and what is no setting is said before anything is run."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.errors import UsageError
from parties.sweep.settings import apply_settings, read_settings, value_text


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("task.l2=0,0.1,1", (0, 0.1, 1)),
        ("task.solver=sgd,newton", ("sgd", "newton")),
        ('task.solver="sgd","newton"', ("sgd", "newton")),
        ("task.learning_rate=0.5, auto", (0.5, "auto")),
        ("task.compare_ranges=true,false", (True, False)),
        ('task.reveal=["model"],["model", "metrics"]', (["model"], ["model", "metrics"])),
        ("parties.a.data=north.csv,b=c.csv", ("north.csv", "b=c.csv")),
        ('task.positive="1"', ("1",)),
    ],
)
def test_values_are_those_of_a_scenario_file(said: str, values: tuple[Any, ...]) -> None:
    (setting,) = read_settings([said])
    assert setting.key == said.split("=")[0]
    assert [(type(one), one) for one in setting.values] == [(type(one), one) for one in values]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["task.l2"], "task.l2 is no setting with values"),
        (["=1"], "is no setting with values"),
        (["task.l2="], "is no setting with values"),
        (["task..l2=1"], "is no setting with values"),
        (["task.l2=1,2,1"], "value 1 twice"),
        (["task.l2=1", "task.l2=2"], "'task.l2' twice"),
        (["seed=1,2"], "every repeat has a seed"),
    ],
)
def test_what_is_no_setting_is_refused(said: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_settings(said)


@pytest.mark.parametrize("values", [(1, "1"), (True, "true"), (0.1, "0.1"), ([1], "[1]")])
def test_a_text_is_told_from_what_it_looks_like(values: tuple[Any, Any]) -> None:
    assert value_text(values[0]) != value_text(values[1])
    assert value_text("sgd") == "sgd"


def test_a_missing_table_is_added_to_a_copy() -> None:
    tables = {"task": {"l2": 0, "epochs": 2}, "parties": {"a": {"rows": 3}}}
    changed = apply_settings(tables, {"task.l2": 1, "network.latency_ms": 5, "parties.a.rows": 9})
    assert changed == {
        "task": {"l2": 1, "epochs": 2},
        "parties": {"a": {"rows": 9}},
        "network": {"latency_ms": 5},
    }
    assert tables == {"task": {"l2": 0, "epochs": 2}, "parties": {"a": {"rows": 3}}}


def test_a_party_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        apply_settings({"parties": {"hospital_a": {}}}, {"parties.hospitl_a.rows": 3})
    assert caught.value.hint == "did you mean 'hospital_a'?"


def test_a_setting_within_no_table_is_refused() -> None:
    with pytest.raises(UsageError, match="'name' is no table"):
        apply_settings({"name": "x"}, {"name.short": 1})
