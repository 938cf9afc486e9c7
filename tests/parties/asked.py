"""What a party is shown, before its approval and right after it, and what its policy says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.data.own_table import OwnTable
from parties.report.consent import consent_blocks, read_blocks
from parties.scenario.file import Scenario
from parties.show.blocks import Block, Grid
from parties.tasks.registry import job_of, request_of
from parties.trust.policy import load_policy


def asked_and_read(
    scenario: Scenario,
    me: str,
    table: OwnTable | None,
    publics: Mapping[str, str],
    changes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> list[Block]:
    """All of it; nothing is read of a helper."""
    read = [] if table is None else read_blocks(scenario, me, table, warnings)
    return [*consent_blocks(scenario, me, publics, changes), *read]


def asked_text(scenario: Scenario, me: str) -> str:
    """All of it as text, once the party's data are read."""
    table = job_of(scenario).data.load(scenario, me)
    blocks = asked_and_read(scenario, me, table, {name: f"bl1-{name}" for name in scenario.parties})
    return json.dumps([block.rows if isinstance(block, Grid) else block.text for block in blocks])


def check_policy(
    scenario: Scenario, me: str, folder: Path, policy: str, refused: str | None, rows: int | None = None
) -> None:
    """That a policy in the folder refuses the scenario with these words, or without any lets it through."""
    (folder / "policy.toml").write_text(policy)
    rules = load_policy(folder)
    publics = {name: f"bl1-{name}" for name in scenario.parties}
    if not refused:
        rules.check(request_of(scenario), me, publics, rows)
        return
    with pytest.raises(UsageError) as caught:
        rules.check(request_of(scenario), me, publics, rows)
    assert refused in caught.value.message
