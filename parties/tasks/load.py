"""A scenario file of whichever kind: of a secure sum, or one for owners and a helper."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from parties.scenario.file import Scenario, load_scenario, read_toml

if TYPE_CHECKING:
    from parties.tasks.secure_sum.settings import SumScenario


def load_any(path: Path) -> Scenario | SumScenario:
    """Read and check a scenario file; what only a secure sum needs is imported for one.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario.
    """
    raw = read_toml(path)
    task = raw.get("task")
    if not isinstance(task, Mapping) or task.get("kind") != "secure_sum":
        return load_scenario(path)
    from parties.tasks.secure_sum.settings import read_sum

    return read_sum(path, raw)
