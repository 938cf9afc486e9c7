"""Figures are those of the record's kind; medians and intervals are over the runs with the same settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parties.show.blocks import Grid, Line
from parties.sweep.settings import Setting
from parties.sweep.summary import Interval, figures_of, rows_of
from parties.sweep.tables import result_blocks
from parties.tasks.registry import KINDS

RUNS = Path(__file__).resolve().parents[2] / "run" / "older" / "runs"
COSTS = {"rounds", "bytes sent", "seconds", "seconds online"}


def record(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RUNS / name / "result.json").read_text())
    return found


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("logistic", {"steps", "weight error"}),
        ("linear", {"R2", "residual standard error"}),
        ("statistics", set()),
        ("secure_sum", {"clients", "attempt", "slowest client's seconds"}),
    ],
)
def test_a_record_has_the_figures_of_its_kind_and_its_costs(name: str, own: set[str]) -> None:
    found = figures_of(record(name))
    assert found.keys() - COSTS == own
    assert {"rounds", "bytes sent"} < found.keys()


@pytest.mark.parametrize("which", ["test", "train"])
def test_figures_are_the_records_own_numbers(which: str) -> None:
    """On held-out rows; on those of the training where none were held out."""
    one = record("logistic") | {"metrics": {"train": {"auc": 0.7}, "test": None}}
    one["metrics"][which] = {"auc": 0.75, "accuracy": 0.5, "log_loss": None}
    found = figures_of(one)
    assert (found[f"AUC ({which})"], found[f"accuracy ({which})"]) == (0.75, 0.5)
    assert not any(name.startswith("log-loss") for name in found)
    assert found["bytes sent"] == sum(party["bytes_sent"] for party in one["parties"].values())
    assert found["seconds"] == max(party["seconds"]["total"] for party in one["parties"].values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_without_its_part_has_no_figures_of_it(kind: str) -> None:
    assert not figures_of({"kind": kind, "parties": {}, "plan": {}})


def test_rows_are_medians_and_extremes_of_like_runs() -> None:
    runs = [({"l2": l2}, {"AUC": auc}) for l2, auc in ((0, 0.7), (1, 0.5), (0, 0.9), (1, 0.6), (0, 0.8))]
    first, second = rows_of([*runs, ({"l2": 1}, None)])
    assert (first.figures["AUC"], first.done, first.runs) == (Interval(0.8, 0.7, 0.9, 3), 3, 3)
    assert (second.figures["AUC"], second.done, second.runs) == (Interval(0.55, 0.5, 0.6, 2), 2, 3)


def test_values_that_python_takes_for_equal_stay_apart() -> None:
    assert len(rows_of([({"x": 1}, None), ({"x": True}, None), ({"x": 1.0}, None), ({"x": "1"}, None)])) == 4


def test_what_is_the_same_everywhere_is_said_once() -> None:
    settings = [Setting("task.l2", (0, 1)), Setting("task.epochs", (2,))]
    runs = [({"task.l2": l2, "task.epochs": 2}, {"AUC": 0.5 + l2 / 4, "rounds": 30}) for l2 in (0, 1, 0, 1)]
    grid, _, line = result_blocks(settings, rows_of(runs))
    assert isinstance(grid, Grid) and isinstance(line, Line)
    assert (grid.columns, grid.rows) == (("l2", "AUC"), (("0", "0.5000"), ("1", "0.7500")))
    assert line.text == "The same in every run: task.epochs = 2, rounds 30."


def test_no_table_is_wider_than_the_terminal() -> None:
    figures = {f"figure {k}": k + 0.5 for k in range(9)}
    runs = [({"task.l2": l2}, {name: value + l2 for name, value in figures.items()}) for l2 in (0, 1)]
    grids = [one for one in result_blocks([Setting("task.l2", (0, 1))], rows_of(runs), 40) if isinstance(one, Grid)]
    assert [name for grid in grids for name in grid.columns if name != "l2"] == [*figures]
    assert all(sum(map(len, grid.columns)) + 2 * len(grid.columns) <= 40 for grid in grids)
    assert len(grids) > 1
