"""Settings that the scenario format has but that this version cannot carry out.

All of them stand here: what is built later takes its lines out of this file and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from parties.scenario.problems import Problem, shown

ROLES = ("server", "client")
"""Roles of the format that belong to kind = "secure_sum" alone."""


def without_unbuilt(task: Mapping[str, object], problems: list[Problem]) -> dict[str, object]:
    """The [task] table without the settings that are not available; each of those is added to `problems`.

    A setting that is taken out takes its default, so that the rest of the table is still checked.
    """
    left = dict(task)
    _take_out_unbuilt_reveal(left, problems)
    return left


def unbuilt_role(party: str, role: object) -> Problem | None:
    """The problem with a role that a training has not."""
    if not isinstance(role, str) or role not in ROLES:
        return None
    message = f'[parties.{party}] role = "{role}" is for kind = "secure_sum"'
    return Problem(message, 'a training has "owner" or "helper"')


def _take_out_unbuilt_reveal(left: dict[str, object], problems: list[Problem]) -> None:
    reveal = left.get("reveal")
    if not isinstance(reveal, list) or not all(isinstance(what, str) for what in reveal):
        return
    hint = (
        'use reveal = ["model", "metrics"], with "missing", "inference", "calibration"; without "model" nobody sees it'
    )
    for what in reveal:
        if what not in ("model", "metrics", "missing", "inference", "calibration"):
            problems.append(_not_available("reveal", f"[{shown(what)}]", hint))
            left.pop("reveal", None)


def _not_available(key: str, value: str, hint: str) -> Problem:
    return Problem(f"[task] {key} = {value} is not available in this version", hint)
