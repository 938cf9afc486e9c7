"""What noise costs: each run beside the same rows without noise, and the epsilon that is enough."""

from __future__ import annotations

from typing import Any

import pytest

from parties.show.blocks import Grid, Line
from parties.sweep.folder import Outcome
from parties.sweep.page import page_html
from parties.sweep.settings import Setting
from parties.sweep.study import Cell, Study
from parties.sweep.summary import Run, figures_of, rows_of
from parties.sweep.tables import result_blocks
from parties.sweep.tradeoff import EPSILON, tradeoff_blocks

EPSILONS = Setting(EPSILON, (0.1, 1.0, 3.0))
PLAIN = {1: 0.99, 2: 0.90, 3: 0.95}
"""The AUC without noise, by seed: it differs by more than noise costs."""


def run(epsilon: float, seed: int, below: float, **more: Any) -> Run:
    figures = {"AUC (test)": PLAIN[seed] - below, "AUC (test), without noise": PLAIN[seed], "AUC (test), alone": 0.8}
    return {EPSILON: epsilon, **more}, figures


def runs(below: dict[float, float], **more: Any) -> list[Run]:
    return [run(epsilon, seed, by, **more) for epsilon, by in below.items() for seed in PLAIN]


def lines_of(blocks: list[Any]) -> list[str]:
    return [one.text for one in blocks if isinstance(one, Line) and one.text]


def test_a_run_is_held_against_its_own_rows_without_noise() -> None:
    grid, *rest = tradeoff_blocks([EPSILONS], runs({0.1: 0.2, 1.0: 0.009, 3.0: 0.001}))
    assert isinstance(grid, Grid) and [row[0] for row in grid.rows] == ["0.1", "1", "3"]
    assert [row[1].split(" ")[0] for row in grid.rows] == ["0.2000", "0.0090", "0.0010"]
    assert lines_of(rest) == [
        "For AUC (test) within 0.01 of that without noise (0.9500) you need epsilon = 1, the least of those "
        "tried, by the median of 3 runs."
    ]


@pytest.mark.parametrize("below", [{0.1: 0.2, 1.0: 0.3, 3.0: 0.05}, {0.1: 0.001, 1.0: 0.001, 3.0: 0.05}])
def test_more_noise_that_does_well_by_chance_is_not_enough(below: dict[float, float]) -> None:
    """An epsilon is enough where all larger ones are."""
    (text,) = lines_of(tradeoff_blocks([EPSILONS], runs(below)))
    assert text.endswith("no epsilon that was tried is enough.")


def test_other_settings_have_a_sentence_each() -> None:
    method = Setting("privacy.method", ("gradients", "output"))
    found = [
        *runs({0.1: 0.2, 1.0: 0.0, 3.0: 0.0}, **{"privacy.method": "gradients"}),
        *runs({0.1: 0.2, 1.0: 0.2, 3.0: 0.0}, **{"privacy.method": "output"}),
    ]
    first, second = lines_of(tradeoff_blocks([EPSILONS, method], found))
    assert first.startswith("With method = gradients: for") and "epsilon = 1," in first
    assert second.startswith("With method = output: for") and "epsilon = 3," in second


def test_nothing_is_said_without_privacy_or_figures() -> None:
    assert tradeoff_blocks([Setting("task.l2", (0, 1))], [({"task.l2": 0}, {"AUC": 0.5})]) == []
    assert tradeoff_blocks([EPSILONS], [({EPSILON: 1.0}, {"AUC (test)": 0.5}), ({EPSILON: 3.0}, None)]) == []


def record(privacy: bool) -> dict[str, Any]:
    def metrics(auc: float) -> dict[str, Any]:
        return {"test": {"auc": auc, "accuracy": auc / 2}}

    return {
        "kind": "logistic_regression",
        "metrics": metrics(0.4),
        "privacy": {"epsilon": 1.0} if privacy else None,
        "comparison": {
            "run": metrics(0.6),
            "pooled": metrics(0.9),
            "alone": {"a": metrics(0.7), "b": metrics(0.8)},
        },
    }


def test_figures_are_exact_where_a_record_has_them() -> None:
    """A private run's own metrics have noise; the comparison's do not, and stand beside the others'."""
    found = figures_of(record(privacy=True))
    assert found["AUC (test)"] == 0.6 and found["AUC (test), without noise"] == 0.9
    assert found["AUC (test), alone"] == 0.75 and found["accuracy (test), alone"] == 0.375
    assert not any("without noise" in name for name in figures_of(record(privacy=False)))


def test_what_does_not_depend_on_epsilon_is_one_line() -> None:
    (grid, *_) = result_blocks([EPSILONS], rows_of(runs({0.1: 0.2, 1.0: 0.0})))
    assert isinstance(grid, Grid) and grid.columns == ("epsilon", "AUC (test)")
    assert [row[0] for row in grid.rows] == ["0.1", "1.0", "without noise", "alone"]
    assert grid.rows[2][1].startswith("0.95") and grid.rows[3][1] == "0.8000"


def test_a_plot_has_the_three_lines() -> None:
    cells = [
        Outcome(Cell(f"{k:03d}-1", values, 1, "", ""), figures)
        for k, (values, figures) in enumerate(runs({0.1: 0.2, 1.0: 0.0}))
    ]
    study = Study("a", (EPSILONS,), tuple(one.cell for one in cells), 3, {}, None, {}, True, False, "")
    page = page_html(study, cells)
    assert page.count('class="plot"') == 1 and "What noise costs" in page
    for label in ("with noise", "without noise", "alone"):
        assert f">{label}</text>" in page
