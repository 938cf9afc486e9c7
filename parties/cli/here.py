"""A scenario as one of its parties reads it, and the question at that party's terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mpc.errors import UsageError

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario


@dataclass(frozen=True)
class Own:
    """A party's learner and first weights in federated learning: see parties/scenario/step.py."""

    step: str | None
    start: Path | None


@dataclass(frozen=True)
class Here:
    """A scenario's file, which party this is, and where its keys and its own data are."""

    scenario: Path
    name: str
    keys: Path
    data: Path | None
    sql: Path | None
    program: str | None = None
    own: Own | None = None

    def load(self) -> Scenario | StarScenario:
        """The scenario as this party takes part in it.

        Raises:
            UsageError: it cannot be read, says what this party has not, or has things go wrong on purpose.
        """
        from parties.scenario.step import with_own
        from parties.session.own_data import apply_own_data
        from parties.tasks.registry import load_any, with_program

        scenario = with_program(load_any(self.scenario), self.program, alone=True)
        if self.own is not None:
            scenario = with_own(scenario, self.own.step, self.own.start, me=self.name)
        if scenario.faults is not None:
            raise UsageError(
                f"{self.scenario}: [faults] has things go wrong on purpose, which is for `mpc run` alone",
                "take [faults] out of every party's copy",
            )
        return apply_own_data(scenario, self.name, self.keys, self.data, self.sql)


def asker() -> Callable[[], bool] | None:
    """A function that asks at this terminal whether to approve the scenario; None without a terminal."""
    return _ask_yes if sys.stdin.isatty() else None


def _ask_yes() -> bool:
    answer = click.prompt('Type "yes" to approve this scenario', default="", show_default=False, err=True)
    return str(answer).strip().lower() == "yes"
