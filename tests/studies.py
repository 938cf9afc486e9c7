"""Small studies of two owners: their files and their scenario, written and read."""

from __future__ import annotations

from pathlib import Path

from parties.scenario.file import Scenario
from parties.tasks.registry import load_scenario
from tests.scenario_texts import two_owners


def study_of_two(folder: Path, kind: str, task: str, *tables: str) -> Scenario:
    """The scenario of `two_owners` with these settings.

    Args:
        tables: the files of a and b; none: they are there, or are not needed.
    """
    for name, text in zip("ab", tables, strict=False):
        (folder / f"{name}.csv").write_text(text)
    path = folder / "study.toml"
    path.write_text(two_owners(kind) + task)
    return load_scenario(path)
