"""What a party is shown before it approves a scenario: what is asked of its data, and revealed to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mpc.errors import DataError, UsageError
from mpc.plan import Plan
from parties.blocks import MISSING, Block, Grid, Line, count_text, plural
from parties.job import OwnTable
from parties.kinds import job_of, plan_for
from parties.scenario import Scenario, SqlSource
from parties.summary import also_learnt, revealed_grid

_STANDING_IN: Final = 100
"""An owner's rows, where only what does not depend on them is shown."""


def consent_blocks(
    scenario: Scenario,
    me: str,
    table: OwnTable | None,
    publics: Mapping[str, str],
    changes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> list[Block]:
    """All that is shown, in its order.

    Args:
        table: this party's data; None if it has none, or if they cannot be read yet.
        publics: every party's public text.
        changes: where the scenario differs from one that was approved earlier.
        warnings: earlier runs that this one repeats or nearly repeats.
    """
    return [
        Line(f"{scenario.name}: what {me} is asked to take part in. Nothing has been sent.", "bold"),
        *changed_grid(changes),
        _parties_grid(scenario, publics),
        *_asked(scenario, me, table),
        Grid("What is computed", ("setting", "value"), tuple(_settings(scenario)), frozenset({0, 1})),
        *_insecure(scenario),
        *_learnt(scenario, me, table),
        Line(""),
        Line(
            "Two runs that differ a little reveal their difference. An owner's releases.jsonl, beside its keys, keeps "
            "what was released about which data, and repeats are warned of."
        ),
        *(Line(text, "bold") for text in warnings),
        Line(""),
        Line("The scenario's digest, the same at every party that has the same scenario:"),
        Line(scenario.digest, wrap=False),
    ]


def changed_grid(changes: Sequence[str]) -> list[Block]:
    """Where a scenario differs from one that was approved earlier."""
    if not changes:
        return []
    title = "Changed since it was approved (here: now; there: as approved)"
    return [Grid(title, ("setting",), tuple((text,) for text in changes), frozenset({0}))]


def _parties_grid(scenario: Scenario, publics: Mapping[str, str]) -> Grid:
    rows = tuple(
        (name, spec.role, spec.address or MISSING, count_text(spec.rows) if spec.rows else MISSING, publics[name])
        for name, spec in scenario.parties.items()
    )
    return Grid("Who takes part", ("party", "role", "address", "rows", "public key"), rows, frozenset({0, 1, 2, 4}))


def _asked(scenario: Scenario, me: str, table: OwnTable | None) -> list[Block]:
    spec = scenario.parties[me]
    if spec.role != "owner":
        return [Line(""), Line(f"{me} has no data: it deals random numbers, and must side with no owner.")]
    source = spec.data
    where = f"{source.database}: {source.sql.strip()}" if isinstance(source, SqlSource) else source or MISSING
    rows = [("read", where), *job_of(scenario).asked(scenario, me, table)]
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(rows), frozenset({0, 1}))]


def _settings(scenario: Scenario) -> list[tuple[str, str]]:
    task: dict[str, Any] = scenario.agreed()["task"]
    rest = {key: value for key, value in task.items() if value is not None and value != {}}
    return [("seed", str(scenario.seed)), *((key, shown(value)) for key, value in rest.items())]


def shown(value: object) -> str:
    """A setting's value as it is shown."""
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return value if isinstance(value, str) else json.dumps(value)


def _insecure(scenario: Scenario) -> list[Block]:
    if scenario.testing is None or scenario.testing.insecure_seed is None:
        return []
    text = "THIS SCENARIO PROTECTS NOTHING: its [testing] insecure_seed makes all secret randomness known to all."
    return [Line(""), Line(text, "bold red")]


def _learnt(scenario: Scenario, me: str, table: OwnTable | None) -> list[Block]:
    """The whole plan, where the shapes are known; else what does not depend on them."""
    job = job_of(scenario)
    extent = job.extent(scenario, table)
    known, features = extent.rows, extent.features or 1
    rows = {owner: job.counts(scenario, known.get(owner, _STANDING_IN)) for owner in scenario.owners}
    if extent.exact and len(known) == len(scenario.owners):
        from parties.plan_text import plan_tables

        settings = job.settings(scenario, rows, features)
        return [Line(""), *plan_tables(job.plan(settings), settings, scenario)]
    try:
        plan = plan_for(scenario, rows, features)
    except (DataError, UsageError):  # of the rows that stand in: those that come may well do
        return [Line(""), Line(f"Revealed to {', '.join(scenario.owners)}: {job.wanted(scenario)}.")]
    told = also_learnt(split=scenario.vertical, scored=scenario.task.kind == "predict")
    return [
        _reveals_grid(plan),
        Line(""),
        Line(
            f"{told} {scenario.helper} learns how many rows and columns there are, but is shown no value. How much is "
            "sent depends on the rows: state each owner's `rows`, and list the `features`, for the whole plan. "
            f"({plural(len(known), 'owner')} of {len(scenario.owners)} so far.)"
        ),
    ]


def _reveals_grid(plan: Plan) -> Grid:
    """What is revealed, without the sizes, which depend on rows and columns."""
    items = dict.fromkeys((item.what, item.to, item.why) for item in plan.reveals)
    record = {
        "revealed": [{"what": what, "to": list(to), "why": why} for what, to, why in items],
        "parties": {owner: {"role": "owner"} for owner in plan.owners},
    }
    grid = revealed_grid(record, "What the owners will learn")
    return Grid(
        grid.title,
        (grid.columns[0], *grid.columns[2:]),
        tuple((row[0], *row[2:]) for row in grid.rows),
        frozenset({0, 1, 2}),
    )
