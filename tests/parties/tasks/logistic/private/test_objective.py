"""[privacy] method = "objective", of columns split and rows split: what a run tells, says, and is charged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from parties.report.plan import plan_json
from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.audited.models import pooled_rows
from parties.tasks.logistic.private.compare import compare_noisy
from parties.tasks.logistic.private.output.audit import output_fit
from parties.tasks.logistic.private.output.run import OUTPUT
from parties.tasks.registry import job_of, planned
from parties.trust.budget import Ledger
from protocols.privacy.accounting import epsilon_of
from tests.parties.shown import summary_text
from tests.parties.tasks.logistic.private.scenarios import (
    PRIVACY,
    ROWS_SPLIT,
    SEED,
    loaded,
    split_columns,
    split_rows,
)
from tests.parties.trust.test_budget import nth
from tests.run.command import mpc
from tests.run.command import record as result
from tests.scenario_texts import two_owners

OBJECTIVE = PRIVACY.replace("output", "objective").replace("20", "3", 1)


def columns(folder: Path) -> Scenario:
    return split_columns(folder, privacy=OBJECTIVE + SEED)


def rows(folder: Path) -> Scenario:
    return split_rows(folder, privacy=OBJECTIVE)


BOTH = pytest.mark.parametrize("make", [columns, rows])


def ran(one: Scenario, folder: Path) -> dict[str, Any]:
    """Each party a process of its own, where columns are split."""
    if not one.vertical:
        return record_of(one, run_in_one_thread(one))
    assert mpc("run", folder / "output.toml", "--out", folder / "out").code == 0
    return result(folder / "out")


@BOTH
def test_a_run_tells_a_model_and_what_it_cost(make: Any, tmp_path: Path) -> None:
    one = make(tmp_path)
    assert job_of(one) is OUTPUT
    settings, plan = planned(one)
    how, c = settings.how, settings.how.linear
    record = ran(one, tmp_path)
    facts = plan_json(plan, settings, one)
    assert facts["rounds"] == 3 * how.course.steps + 3 + 2 * one.vertical
    assert {item["what"] for item in record["revealed"]} - {"row alignment"} == {"noisy model"}
    age, bmi, dose, _ = record["model"]["weights"]
    assert age > 0 > bmi and dose > 0
    exact, which = compare_noisy(one, record), "test" if one.vertical else "train"
    assert exact["run"][which]["auc"] == pytest.approx(exact["pooled"][which]["auc"], abs=0.04)
    noise = record["privacy"]["noise"]
    assert noise["method"] == "objective" and noise["variance"] == c.noise.variance
    assert noise["on_result"]["variance"] == how.noise.variance
    assert noise["curvature_epsilon"] == c.excess.epsilon
    text = summary_text(record)
    assert "Objective perturbation:" in text and "in the sum of gradients" in text
    assert "epsilon = 3 and delta = 1e-06 were spent" in text


def test_noise_is_less_than_that_of_an_output(tmp_path: Path) -> None:
    """Of a model whose data are clear: the training in the clear with its noise, as the audit draws it."""
    relative = []
    for one in (columns(tmp_path), split_columns(tmp_path, privacy=PRIVACY.replace("20", "3", 1) + SEED)):
        data, rng = pooled_rows(one, None), np.random.default_rng(1)
        fit = output_fit(one, data)
        every = {"a": np.arange(len(data.y))}
        drawn = np.array([fit(every, rng)[[0, 2]] for _ in range(40)])
        relative.append(drawn.std(axis=0) / drawn.mean(axis=0))
    assert (relative[0] < 0.75 * relative[1]).all()


def test_a_run_is_charged_as_it_is_calibrated(tmp_path: Path) -> None:
    charge = OUTPUT.notice.charge(columns(tmp_path))
    assert charge is not None
    assert 0.99 * 3 < epsilon_of(charge.mechanisms, 1e-6) <= 3
    ledger = Ledger(tmp_path / "keys")
    for k in (1, 2):
        ledger.charge(nth(k), charge)
    read = ledger.read()
    assert [one.mechanisms for one in read.charges] == [charge.mechanisms] * 2
    assert 3.5 < read.spent(1e-5) < 5


def test_output_and_objective_are_told_apart(tmp_path: Path) -> None:
    output, objective = (planned(make(tmp_path))[1].digest for make in (split_rows, rows))
    assert output != objective
    with pytest.raises(UsageError, match="'iterations' has no part in this"):
        loaded(tmp_path, two_owners("logistic_regression") + "iterations = 5\n" + ROWS_SPLIT + OBJECTIVE)
