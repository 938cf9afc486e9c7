"""Each method of [privacy]: what parties tell each other, the plan and the charge follow from the scenario alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from parties.tasks.linear.run import NOISY_LINEAR
from parties.tasks.logistic.private.columns.run import COLUMNS
from parties.tasks.logistic.private.gradients.run import GRADIENTS
from parties.tasks.logistic.private.output.run import OUTPUT
from parties.tasks.privacy.guarantee import SMALL_COUNTS
from parties.tasks.registry import job_of, planned
from parties.tasks.statistics.run import NOISY_STATISTICS
from protocols.privacy.accounting import epsilon_of
from tests.parties.tasks.linear.private.test_run import scenario as linear
from tests.parties.tasks.logistic.private import scenarios
from tests.parties.tasks.logistic.private.test_columns import scenario as columns
from tests.parties.tasks.logistic.private.test_objective import OBJECTIVE
from tests.parties.tasks.statistics.private.test_run import scenario as statistics

METHODS: dict[str, tuple[Any, Any, int]] = {
    "statistics": (statistics, NOISY_STATISTICS, 20),
    "linear": (linear, NOISY_LINEAR, 20),
    "gradients": (scenarios.scenario, GRADIENTS, 20),
    "gradients of columns": (columns, COLUMNS, 700),
    "output": (scenarios.split_rows, OUTPUT, 700),
    "output of columns": (scenarios.split_columns, OUTPUT, 700),
    "objective": (partial(scenarios.split_rows, privacy=OBJECTIVE), OUTPUT, 700),
}
"""How a scenario is written, with so many rows of each owner; its job; and what is told of these rows."""


@pytest.mark.parametrize("name", METHODS)
def test_no_message_depends_on_the_numbers_of_rows(name: str, tmp_path: Path) -> None:
    """With few rows, with many and without data, the shapes that parties tell and the plan are the same."""
    make, job, told = METHODS[name]
    digests = set()
    for rows in (40, 300, None):
        one = make(tmp_path, **({} if rows is None else {"rows": rows}))
        if rows is None:
            for owner in one.owners:
                (tmp_path / f"{owner}.csv").unlink()
        assert job_of(one) is job
        assert job.data.counts(one, 300) == (told, 0)
        assert job.data.extent(one, None).rows == dict.fromkeys(one.owners, told)
        digests.add(planned(one)[1].digest)
    assert len(digests) == 1


@pytest.mark.parametrize("name", METHODS)
def test_what_is_charged_is_epsilon(name: str, tmp_path: Path) -> None:
    make, job, _ = METHODS[name]
    one = make(tmp_path)
    charge = job.notice.charge(one)
    assert (charge.epsilon, charge.delta) == (one.privacy.epsilon, one.privacy.delta)
    assert 0.97 < epsilon_of(charge.mechanisms, charge.delta, near=charge.epsilon) / charge.epsilon <= 1
    assert job.notice.small_counts(one, 5) == [SMALL_COUNTS]
