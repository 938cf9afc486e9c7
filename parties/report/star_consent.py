"""The text that a client, the server or the helper reads before it approves a scenario for a server and clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parties.report.consent import changes_grid, digest_lines, keys_lines, program_blocks, session_grid, setting_text
from parties.scenario.star import StarScenario
from parties.show.blocks import MISSING, Block, Grid, Line, count_text
from parties.tasks.registry import star_of

_MOST_LISTED = 64


def star_consent_blocks(
    scenario: StarScenario, me: str, publics: Mapping[str, str], changes: Sequence[str] = ()
) -> list[Block]:
    """The whole text, in order. Only a roster is opened for it.

    Args:
        publics: every party's public text.
        changes: where the scenario differs from one that was approved earlier.
    """
    star = star_of(scenario)
    task = scenario.task.model_dump(mode="json", by_alias=True, exclude_none=True)
    settings = tuple((key, setting_text(value)) for key, value in task.items())
    return [
        Line(f"{scenario.name}: what {me} is asked to take part in. Nothing has been opened or sent.", "bold"),
        *changes_grid(changes),
        *_parties(scenario, me, publics),
        *keys_lines(scenario),
        *star.data_notice(scenario, me),
        Grid("What is computed", ("setting", "value"), settings, frozenset({0, 1})),
        session_grid(scenario),
        Line(""),
        *star.protection(scenario),
        *star.knowledge(scenario),
        *program_blocks(scenario),
        Line(""),
        Line(
            "Two sums that differ by few clients, or by few rows of one, reveal their difference. A client's "
            "releases.jsonl, beside its keys, keeps what was released about which data, and repeats are warned of."
        ),
        *digest_lines(scenario, me),
    ]


def _parties(scenario: StarScenario, me: str, publics: Mapping[str, str]) -> list[Block]:
    listed = [name for place, name in enumerate(publics) if place < _MOST_LISTED or name == me]
    rows = []
    for name in listed:
        spec = scenario.parties.get(name)
        role = {scenario.server: "server", scenario.helper: "helper"}.get(name, "client")
        rows.append((name, role, (spec.address if spec is not None else None) or MISSING, publics[name]))
    title = "Who takes part"
    blocks: list[Block] = [Grid(title, ("party", "role", "address", "public key"), tuple(rows), frozenset(range(4)))]
    if len(listed) < len(publics):
        blocks.append(Line(f"And {count_text(len(publics) - len(listed))} more clients."))
    return blocks
