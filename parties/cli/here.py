"""A scenario as one party of it has it before it, and that party's word at its terminal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario


@dataclass(frozen=True)
class Here:
    """A scenario's file, which party this is, and where its keys and its own data are."""

    scenario: Path
    name: str
    keys: Path
    data: Path | None
    sql: Path | None

    def load(self) -> Scenario | StarScenario:
        """The scenario as this party takes part in it."""
        from parties.session.own_data import apply_own_data
        from parties.tasks.registry import load_any

        return apply_own_data(load_any(self.scenario), self.name, self.keys, self.data, self.sql)


def typed_yes() -> bool:
    """Whether who sits at the terminal approves the scenario that was shown."""
    answer = click.prompt('Type "yes" to approve this scenario', default="", show_default=False, err=True)
    return str(answer).strip().lower() == "yes"
