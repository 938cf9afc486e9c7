"""The plan of a long training, of which a dry run runs few steps, is the one of all its steps."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any

import pytest

from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from protocols.core.truncation import truncate
from protocols.rows.settings import TrainingSettings
from protocols.training import descent as logistic
from protocols.training import dual, range_check
from protocols.training.rows_job import training_job
from tests.helpers import example_tables, job

FORMS: dict[str, dict[str, Any]] = {
    "primal": {"form": "primal"},
    "primal with a penalty and weights": {"form": "primal", "l2": 0.01, "class_weights": (1.0, 3.0)},
    "dual": {"form": "dual", "l2": 0.01},
    "nesterov": {"solver": "nesterov", "iterations": 40, "momentum": 0.5, "epochs": 1},
    "newton": {"solver": "newton", "iterations": 40, "momentum": 0.5, "epochs": 1, "l2": 0.01},
    "nesterov that may stop": {"solver": "nesterov", "iterations": 40, "momentum": 0.5, "epochs": 1, "tolerance": 0.01},
}


def plan_of(how: TrainingSettings) -> Plan:
    return make_plan(lambda p: training_job(p, None, how), how.owners, "helper")


@pytest.mark.parametrize("chunk", [256, 1 << 18])
@pytest.mark.parametrize("form", FORMS)
def test_it_is_the_plan_of_all_steps(form: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Round by round and kind by kind, with batches of two sizes, and checks in between."""
    for module in (range_check, dual):
        monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(logistic, "_LATELY", 24)
    changes: dict[str, Any] = {"epochs": 12, "batch_size": 8, "learning_rate": 0.5, "metrics": False, **FORMS[form]}
    _, how = job(example_tables([19, 20], 3, 3), **changes)
    runs: list[Hashable] = []
    step = Party.step

    async def counted(self: Party, key: Hashable, place: int, run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        def ran() -> Coroutine[Any, Any, Any]:
            runs.append(key)
            return run()

        return await step(self, key, place, ran)

    async def every(self: Party, key: Hashable, place: int, run: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return await run()

    monkeypatch.setattr(Party, "step", counted)
    short = plan_of(how)
    monkeypatch.setattr(Party, "step", every)
    whole = plan_of(how)
    assert 2 <= len(runs) <= 6 < 40
    assert short == whole and short.digest == whole.digest  # kinds are equal where their rows are
    assert (short.bytes_sent, short.messages_sent, short.windows) == (
        whole.bytes_sent,
        whole.messages_sent,
        whole.windows,
    )
    assert short.opened == whole.opened and short.reveals == whole.reveals


def test_steps_that_are_not_alike_are_all_run() -> None:
    """What a step asks for is compared, and not only its key."""
    _, how = job(example_tables([19, 20], 3, 3), epochs=2, batch_size=8, metrics=False)
    shapes = [(1,), (2,), (1,), (2,), (3,)]

    async def program(p: Party) -> None:
        for place, shape in enumerate(shapes):

            async def one(shape: tuple[int, ...] = shape) -> None:
                x = p.input("owner0", None, shape, 0)
                await truncate(p, x, 2)

            await p.step("one", place, one)

    plan = make_plan(program, how.owners, "helper")
    assert [kind.drawn[0].shape for kind in plan.kinds] == shapes
