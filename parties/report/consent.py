"""The text that a party reads before it approves a scenario: what is asked of its data, and revealed to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from mpc.errors import DataError, UsageError, plain_text
from mpc.runtime.plan import Plan
from parties.data.own_table import OwnTable
from parties.report.summary import reveals_grid
from parties.scenario.file import Scenario, SqlSource
from parties.scenario.star import StarScenario
from parties.session.take_part import PATIENCE
from parties.show.blocks import MISSING, Block, Grid, Line, count_text, plural
from parties.tasks.base import told_beside
from parties.tasks.registry import Plans, job_of, kind_of
from parties.trust.consent import Approvable, consent_digest
from parties.trust.roster import Keyed

LINE_BREAK: Final = re.compile(r"\r\n|\n|\r")
"""Characters that end a line of a query, and so a comment."""

_SQL_WIDTH: Final = 88
_STANDING_IN: Final = 100
"""A stand-in for an owner's unknown rows, where the text does not depend on them."""


def consent_blocks(
    scenario: Scenario,
    me: str,
    publics: Mapping[str, str],
    changes: Sequence[str] = (),
    plans: Plans | None = None,
) -> list[Block]:
    """The whole text, in order. Only a roster is opened for it: facts of the data that are not stated are unknown.

    Args:
        publics: every party's public text.
        changes: where the scenario differs from one that was approved earlier.
        plans: keeps the plan that is made, for the run.
    """
    return [
        Line(f"{scenario.name}: what {me} is asked to take part in. Nothing has been opened or sent.", "bold"),
        *changes_grid(changes),
        _parties_grid(scenario, publics),
        *keys_lines(scenario),
        *_requests_grid(scenario, me),
        Grid("What is computed", ("setting", "value"), tuple(_settings(scenario)), frozenset({0, 1})),
        session_grid(scenario),
        *_insecure(scenario),
        *_learns_blocks(scenario, plans or Plans()),
        Line(""),
        Line(
            "Two runs that differ a little reveal their difference. An owner's releases.jsonl, beside its keys, keeps "
            "what was released about which data, and repeats are warned of."
        ),
        *digest_lines(scenario, me),
    ]


def read_blocks(scenario: Scenario, me: str, table: OwnTable, warnings: Sequence[str]) -> list[Block]:
    """The text on the approved data, once they were read and before anything is sent.

    Args:
        warnings: earlier runs that this one repeats or nearly repeats.
    """
    rows = tuple(job_of(scenario).notice.data(scenario, me, table))
    grid = Grid(f"What was read of the data of {me}", ("what", "which"), rows, frozenset({0, 1}))
    return [grid, *(Line(text, "bold") for text in warnings)]


def digest_lines(scenario: Approvable, me: str) -> list[Block]:
    """Both digests: the one to compare with the other parties, and the one for `--approve`."""
    return [
        Line(""),
        Line("The scenario's digest, the same at every party that has the same scenario; compare it by telephone:"),
        Line(scenario.digest, wrap=False),
        Line(f"What {me} approves, which covers its own data and query, too; approve it by this digest:"),
        Line(consent_digest(scenario, me), wrap=False),
    ]


def keys_lines(scenario: Keyed) -> list[Block]:
    """The source of the parties' keys, and who can change all of them."""
    if scenario.roster is None:
        return []
    text = (
        f"The keys come from the roster {scenario.roster.file}, as it is now. Who holds the key that signs it "
        "can change all of them, and so who takes part, without another approval:"
    )
    return [Line(text), Line(scenario.roster.signed_by, wrap=False)]


def session_grid(scenario: Scenario | StarScenario) -> Grid:
    """The session's time limits."""
    session = scenario.session
    patience = PATIENCE if session.patience is None else session.patience
    rows = (
        ("for the others to come (connect_timeout)", f"{session.connect_timeout:g} s"),
        ("for a message (deadline)", f"{session.deadline:g} s"),
        ("for a lost connection to come back (patience)", f"{patience:g} s"),
    )
    return Grid("How long it waits", ("for what", "at most"), rows, frozenset({0, 1}))


def changes_grid(changes: Sequence[str]) -> list[Block]:
    """Differences from a scenario that was approved earlier."""
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


def _requests_grid(scenario: Scenario, me: str) -> list[Block]:
    spec = scenario.parties[me]
    if spec.role != "owner":
        return [Line(""), Line(f"{me} has no data: it deals random numbers, and must side with no owner.")]
    source = spec.data
    query = source.sql if isinstance(source, SqlSource) else None
    where = source.database if isinstance(source, SqlSource) else source
    rows = [("read", MISSING if where is None else where + (", by the query below" if query else ""))]
    if scenario.data_from is not None:
        rows.append(("as this party itself says", f"{scenario.data_from}; the scenario has no say in it"))
    if (spec.encoding, spec.decimal, spec.thousands) != ("utf-8", ".", None):
        thousands = "" if spec.thousands is None else f", thousands {spec.thousands!r}"
        rows.append(("written in", f"{spec.encoding}, decimal {spec.decimal!r}{thousands}"))
    if spec.model is not None:
        rows.append(("its share of the model, a file", spec.model))
    rows += job_of(scenario).notice.data(scenario, me, None)
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(rows), frozenset({0, 1})), *_sql(query)]


def _sql(query: str | None) -> list[Block]:
    return [] if query is None else _listing("The query", query)


def program_blocks(scenario: Scenario | StarScenario) -> list[Block]:
    """The protocol that this party itself named: all of the file, which the approval covers."""
    program = scenario.program
    if program is None:
        return []
    return [
        *_listing(f"What {scenario.name} runs here, {program.function} of {program.path}", program.text),
        Line(""),
        Line("The SHA-256 of this file, which must be the same at every party:"),
        Line(program.sha256, wrap=False),
    ]


def _listing(title: str, text: str) -> list[Block]:
    """A text with numbered lines, so that code cannot pass for a part of a comment."""
    lines = LINE_BREAK.split(text)
    width = len(str(len(lines)))
    blocks: list[Block] = [Line(""), Line(f"{title}, {plural(len(lines), 'line')}:", "bold")]
    for blank, group in groupby(enumerate(lines, start=1), key=lambda one: not one[1].strip(" \t")):
        if blank:
            blocks.append(Line(f"{'':>{width}} | ({plural(len(list(group)), 'line')} without text)", wrap=False))
            continue
        for number, line in group:
            whole = plain_text(line)
            for start in range(0, len(whole), _SQL_WIDTH):
                mark = f"{number:>{width}} |" if start == 0 else f"{'':>{width}} +"
                blocks.append(Line(f"{mark} {whole[start : start + _SQL_WIDTH]}", wrap=False))
    return blocks


def _settings(scenario: Scenario) -> list[tuple[str, str]]:
    task = scenario.task.model_dump(mode="json", by_alias=True, exclude=set(scenario.task.unused), exclude_none=True)
    rest = {key: value for key, value in task.items() if value != {}}
    if scenario.privacy is not None:
        rest["privacy"] = scenario.privacy.text
    return [("seed", str(scenario.seed)), *((key, setting_text(value)) for key, value in rest.items())]


def setting_text(value: object) -> str:
    """A setting's value as text: tables, and lists in lists, as a scenario file has them."""
    if isinstance(value, list):
        return ", ".join(one if isinstance(one, str) else _toml(one) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} = {_toml(one)}" for key, one in value.items())
    return value if isinstance(value, str) else _toml(value)


def _toml(value: object) -> str:
    """A value in the form of TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(one)}' for key, one in value.items() if one is not None)} }}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)


def _insecure(scenario: Scenario) -> list[Block]:
    if scenario.testing is None or scenario.testing.insecure_seed is None:
        return []
    text = "THIS SCENARIO PROTECTS NOTHING: its [testing] insecure_seed makes all secret randomness known to all."
    return [Line(""), Line(text, "bold red")]


def _learns_blocks(scenario: Scenario, plans: Plans) -> list[Block]:
    """The reveals of the plan, where the shapes are known; else the part that does not depend on them."""
    job = job_of(scenario)
    if job.run.foreign:  # its plan is made by running it, which is what is to be approved
        return [Line(""), Line(job.notice.outcome(scenario)), *program_blocks(scenario)]
    extent = job.data.extent(scenario, None)
    known, features = extent.rows, extent.features or 1
    rows = {owner: job.data.counts(scenario, known.get(owner, _STANDING_IN)) for owner in scenario.owners}
    if extent.exact and len(known) == len(scenario.owners):
        from parties.report.plan import plan_tables

        settings, plan = plans.of(scenario, rows, features)
        return [Line(""), *plan_tables(plan, settings, scenario)]
    try:
        _, plan = plans.of(scenario, rows, features)
    except (DataError, UsageError):  # the stand-in rows were refused; the real ones may be accepted
        return [Line(""), Line(job.notice.outcome(scenario))]
    show, private = kind_of(scenario).show(), scenario.privacy is not None
    told = told_beside(show, split=scenario.vertical, private=private)
    return [
        _reveals_grid(plan),
        Line(""),
        Line(
            f"{told} {scenario.helper} learns how many rows and columns there are, but is shown no value. How much is "
            "sent depends on the rows: state each owner's `rows`, and list the `features`, for the whole plan. "
            f"({len(known)} of {plural(len(scenario.owners), 'owner')} so far.)"
        ),
    ]


def _reveals_grid(plan: Plan) -> Grid:
    """The reveals without their sizes, which depend on rows and columns."""
    items = dict.fromkeys((item.what, item.to, item.why) for item in plan.reveals)
    record = {
        "revealed": [{"what": what, "to": list(to), "why": why} for what, to, why in items],
        "parties": {owner: {"role": "owner"} for owner in plan.owners},
    }
    grid = reveals_grid(record, "What the owners will learn")
    return Grid(
        grid.title,
        (grid.columns[0], *grid.columns[2:]),
        tuple((row[0], *row[2:]) for row in grid.rows),
        frozenset({0, 1, 2}),
    )
