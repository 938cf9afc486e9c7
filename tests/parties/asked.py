"""What a party is shown, before its approval and right after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parties.data.own_table import OwnTable
from parties.report.consent import consent_blocks, read_blocks
from parties.scenario.file import Scenario
from parties.show.blocks import Block


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
