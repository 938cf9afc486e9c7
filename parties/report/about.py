"""The description of a run in its record: the kind of task, the outcome, the settings; nothing of the data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from parties.base.version import VERSION

_OF_LINKS: Final = ("address", "public_key")
_USUAL_POSITIVE: Final = "1, yes or true"
"""The values of a target that count as 1 where the scenario names none."""


class Approved(Protocol):
    """What a record needs of a scenario."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    def agreement(self) -> dict[str, Any]: ...


def about(scenario: Approved) -> dict[str, Any]:
    """The description of a run for its record, all of it known before the run begins.

    Returns:
        `kind`, `outcome` (column and positive value; None of a kind without one), `reference_levels` (by column: the
        level that has no coefficient), `missing` (the policy), `seed`, `version`, `started` (UTC), and `settings`: all
        that the parties agreed on but their addresses and keys, for a record may be published. It holds no path.
    """
    settings = scenario.agreement()
    settings["parties"] = {
        name: {key: value for key, value in party.items() if key not in _OF_LINKS}
        for name, party in settings["parties"].items()
    }
    task = settings["task"]
    levels: Mapping[str, Any] = task.get("categories") or {}
    return {
        "kind": task["kind"],
        "outcome": _outcome(task),
        "reference_levels": {column: names[0] for column, names in levels.items()},
        "missing": task.get("missing"),
        "seed": settings.get("seed"),
        "version": VERSION,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "settings": settings,
    }


def _outcome(task: Mapping[str, Any]) -> dict[str, Any] | None:
    if task.get("target") is None:
        return None
    if "positive" not in task:  # a target of numbers
        return {"column": task["target"], "positive": None}
    return {"column": task["target"], "positive": task["positive"] or _USUAL_POSITIVE}
