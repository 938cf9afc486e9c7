"""Missing values and unlike ranges over all owners, under the kit's four checks; and the hints that owners get."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.runtime.lockstep import Outcome, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from protocols.scaling.data_summary import typical_sizes, unlike_ranges
from protocols.training.rows_job import training_job
from tests.helpers import entropy, example_tables, job, train


@pytest.mark.parametrize("times", [9.99, 10.0, 10.01, 0.1, 0.1001])
def test_ten_times_is_far_and_a_little_less_is_not(times: float) -> None:
    sizes = np.array([[3.7, -3.7e-6, 3.7e11, 1.0, 123.456]])
    assert [word != 0 for word in joint([sizes, sizes * times])] == [times >= 10 or times <= 0.1] * 5


def test_typical_sizes_leave_out_zeros_and_signs() -> None:
    rows = np.array([[0.0, -4.0, 0.0], [8.0, 4.0, 0.0], [-8.0, 1e9, 0.0], [0.0, 4.0, 0.0]])
    sizes, known = typical_sizes(rows)
    assert sizes.tolist() == [3 << 20, 2 << 20, 0]
    assert known.tolist() == [1, 1, 0]


def joint(rows: list[np.ndarray]) -> list[int]:
    def factory(k: int) -> ProgramFactory:
        return lambda p: unlike_ranges(p, np.zeros((1, rows[0].shape[1])) if p.dry else rows[k])

    owners = tuple(f"owner{k}" for k in range(len(rows)))
    outcome = run_lockstep({name: factory(k) for k, name in enumerate(owners)}, entropy=entropy(owners, 1))
    return [int(word) for word in outcome.results["owner0"].value]


# -- in a training


def summed(**changes: Any) -> Outcome:
    tables = example_tables([40, 30, 20], 3, 5)
    tables["owner1"][0][:, 1] *= 18.0
    own_rows, how = job(tables, epochs=1, **changes)
    if how.missing:
        for k, rows in enumerate(own_rows.values()):
            object.__setattr__(rows, "missing", np.array([k, 0, 2, 1], dtype=np.uint64))
    return train(own_rows, how)


def test_a_training_tells_its_owners_what_was_agreed_and_goes_on() -> None:
    outcome = summed(missing=True, compare_ranges=True)
    for trained in outcome.results.values():
        assert trained.data.missing == (3, 0, 6, 3)
        assert trained.data.unlike_ranges == ("x1",)
    assert [(item.what, item.shape) for item in outcome.reveals][:3] == [
        ("missing values", (4,)),
        ("range comparison", (3,)),
        ("feature means", (3,)),
    ]
    plain = summed()
    assert len(outcome.plan.rounds) == len(plain.plan.rounds) + 11
    assert all(trained.data is None for trained in plain.results.values())


@pytest.mark.parametrize("asked", ["missing", "compare_ranges"])
def test_each_part_is_opened_only_if_asked_for(asked: str) -> None:
    outcome = summed(**{asked: True})
    whats = {item.what for item in outcome.reveals}
    assert ("missing values" in whats) == (asked == "missing")
    assert ("range comparison" in whats) == (asked == "compare_ranges")
    data = outcome.results["owner0"].data
    assert (data.missing is None) == (asked != "missing") and (data.unlike_ranges is None) == (asked == "missing")


def test_every_owner_gets_the_hint_before_the_training() -> None:
    heard: list[tuple[str, str, str]] = []
    tables = example_tables([40, 30], 2, 5)
    tables["owner1"][0][:, 0] *= 1000.0
    own_rows, how = job(tables, epochs=1, compare_ranges=True)

    def factory(name: str) -> ProgramFactory:
        async def program(p: Party) -> Any:
            p._observer.hinted = lambda text: heard.append((name, p._observer.stages[-1][0], text))  # type: ignore[attr-defined,method-assign]
            return await training_job(p, None if p.dry else own_rows[name], how)

        return lambda p: training_job(p, None, how) if p.dry else program(p)

    run_lockstep({name: factory(name) for name in own_rows}, entropy=entropy(tuple(own_rows), 1))
    assert {stage for _, stage, _ in heard} == {"data summary"}
    for owner in own_rows:
        (text,) = [text for name, _, text in heard if name == owner and "column x0" in text]
        assert text.startswith("column x0: its typical values differ 10 times or more between owners")


def test_an_owner_with_nothing_but_zeros_is_compared_with_nobody() -> None:
    assert joint([np.zeros((3, 1)), np.full((3, 1), 1e12)]) == [0]
    assert joint([np.zeros((3, 1)), np.full((3, 1), 1e12), np.full((3, 1), 1.0)]) != [0]
