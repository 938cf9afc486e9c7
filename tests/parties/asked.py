"""What a party is shown, before its approval and right after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parties.blocks import Block
from parties.consent_text import consent_blocks, read_blocks
from parties.own_table import OwnTable
from parties.scenario import Scenario


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
