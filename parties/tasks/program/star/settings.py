"""A scenario in which a server and clients run a protocol of somebody's own: read, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from parties.scenario.models import MIN_ROWS, TestingSpec
from parties.scenario.problems import Problem
from parties.scenario.star import StarScenario
from parties.scenario.star_file import check_star, read_star
from parties.tasks.program.settings import check_inputs
from parties.tasks.program.star.models import StarProgramTask

MOST_CLIENTS: Final = 10_000
"""Of a program's clients: its plan runs all of them in one thread."""


class StarProgramScenario(StarScenario):
    """A whole scenario file, checked.

    Args:
        seed: public: what made-up inputs are drawn from.
    """

    task: StarProgramTask
    seed: int = 0
    testing: TestingSpec | None = None

    @property
    def test_seed(self) -> int | None:
        """The seed of all secret randomness, where there is one."""
        return None if self.testing is None else self.testing.insecure_seed

    @property
    def least_rows(self) -> int:
        """The fewest rows of a client's table."""
        return self.task.min_rows or MIN_ROWS

    def agreement(self) -> dict[str, Any]:
        """All that server and clients must agree on, as plain JSON values."""
        testing = None if self.testing is None else self.testing.model_dump(mode="json")
        return {**super().agreement(), "seed": self.seed, "testing": testing}


def read_star_program(path: Path, raw: Mapping[str, Any]) -> StarProgramScenario:
    """Check what a scenario file of this kind holds.

    Raises:
        UsageError: it is not a valid scenario.
    """
    head = ("schema", "name", "seed")
    return read_star(path, raw, StarProgramScenario, StarProgramTask, _check, head, testing=True)


def _check(scenario: StarProgramScenario) -> Iterator[Problem]:
    task = scenario.task
    yield from check_star(scenario, None, has_data=task.has_table)
    yield from check_inputs(task.inputs, "client")
    if scenario.helper is not None:
        yield Problem(f"[parties.{scenario.helper}] is a helper, and such a protocol has none", "remove it")
    if scenario.count < 1:
        yield Problem("there is no client", "add [clients] count =, or parties with the role client")
    if scenario.count > MOST_CLIENTS:
        yield Problem(f"{scenario.count} clients are more than {MOST_CLIENTS}", "its plan runs all in one thread")
    if task.has_table and task.columns is None:
        yield Problem("[task] has a table, and does not say which of its columns", "add columns =")
    if not task.has_table:
        for key, value in (("columns", task.columns), ("min_rows", task.min_rows)):
            if value is not None:
                yield Problem(f"[task] has {key}, but no input is a table", "remove it")
