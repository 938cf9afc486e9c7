"""The summary at the end of a run: how good the model is, what it cost, and what each party learnt.

Everything comes from the run's record. It is made here as lines and grids of text, which `print_blocks` shows on a
terminal or as plain text, and `parties.report.page` as HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parties.base.record_files import REPORT, RESULT
from parties.report.about_text import about_line
from parties.report.audit import audit_blocks
from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    bytes_text,
    count_text,
    entries,
    is_number,
    owners_of,
    plural,
    print_blocks,
    seconds_text,
    size_text,
    table,
)
from parties.tasks.base import told_beside
from parties.tasks.registry import kind_of_record

if TYPE_CHECKING:
    from rich.console import Console

_PLACES: Final = {RESULT: "Record", REPORT: "Report"}
ALIGNMENT: Final = "row alignment"
"""Reveals that exist only where the owners have other columns of the same rows."""


def print_summary(record: Mapping[str, Any], out: Path, console: Console | None = None) -> None:
    """Prints the summary of a run: in colour on a terminal, as plain text elsewhere.

    Args:
        record: as `result.json` holds it; what it lacks is left out.
        out: the folder of the record.
        console: where to; standard output.
    """
    print_blocks(summary_blocks(record, out), console)


def ending_blocks(record: Mapping[str, Any], out: Path, *, recorded: bool = True) -> list[Block]:
    """A run's ending and the place of its record, without results."""
    name = str(table(record.get("scenario")).get("name") or "the run")
    where = f" Record: {out / RESULT}" if recorded else ""
    alarm = [Line(insecure_text(record), "bold red")] if is_insecure(record) else []
    return [Line(f"{name}: done.{where}", wrap=False), *alarm]


def summary_blocks(record: Mapping[str, Any], out: Path, *, recorded: bool = True) -> list[Block]:
    """The whole summary, in order.

    Args:
        recorded: whether the record is in its folder, as it should be.
    """
    blocks: list[Block] = [*status_lines(record)]
    if record.get("status") == "ok" and (text := about_line(record)):
        blocks.append(Line(text))
    show = kind_of_record(record).show()
    result = show.blocks(record)
    if record.get("status") == "ok" and not result:
        result = [Line(""), Line(no_result_text(record))]
    blocks += result
    if table(record.get("parties")) and not (show.costs and result):
        blocks += [traffic_grid(record), seconds_grid(record, trains=show.trains)]
        if record.get("status") == "ok":
            blocks += [Line(""), plan_line(record)]
    blocks += faults_blocks(record)
    if record.get("revealed"):
        blocks += [reveals_grid(record), Line(""), Line(nothing_else(record))]
    blocks += audit_blocks(table(record.get("audit")))
    there = [out / name for name in (RESULT, REPORT) if name == RESULT or (out / name).exists()] if recorded else []
    blocks += [Line(""), *(Line(f"{_PLACES[path.name]}: {path}", wrap=False) for path in there)]
    return blocks


def faults_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The faults on purpose, and when each first struck, if it did."""
    rows = []
    for one in map(table, entries(record.get("faults"))):
        struck = [at for at in entries(one.get("struck")) if is_number(at)]
        first = f"after {struck[0]:.2f} s" if struck else "never happened"
        more = f", {len(struck)} times in all" if len(struck) > 1 else ""
        rows.append((str(one.get("fault")), f"{first}{more}"))
    return [Grid("What went wrong on purpose", ("fault", "happened"), tuple(rows), frozenset({0, 1}))] if rows else []


def status_lines(record: Mapping[str, Any]) -> list[Line]:
    """How the run ended, with a warning in capitals if it protected nothing."""
    name = str(table(record.get("scenario")).get("name") or "the run")
    parties = table(record.get("parties"))
    status = kind_of_record(record).show().status
    if record.get("status") == "ok" and status is not None:
        lines = [status(record)]
    elif record.get("status") == "ok":
        total = max((_seconds(entry, "total") for entry in parties.values()), default=math.nan)
        online = max((_seconds(entry, "online") for entry in parties.values()), default=math.nan)
        owners = len(owners_of(record))
        who = f"{plural(owners, 'owner')} and {plural(len(parties) - owners, 'helper')}"
        if len(parties) == 1:  # of `mpc party`: one party's record
            who = f"The record of {next(iter(parties))}"
        lines = [Line(f"{name}: done. {who}, {seconds_text(total)} s in all, {seconds_text(online)} s online.", "bold")]
    else:
        error = table(record.get("error"))
        lines = [Line(f"{name}: FAILED. {error.get('message') or 'the record does not say why'}", "bold red")]
        if error.get("hint"):
            lines.append(Line(f"What to do: {error['hint']}"))
        about = f", about {error['party']}" if error.get("party") else ""
        if error.get("code"):
            lines.append(Line(f"Kind of error: {error['code']}{about}"))
    if is_insecure(record):
        lines.append(Line(insecure_text(record), "bold red"))
    return lines


def is_insecure(record: Mapping[str, Any]) -> bool:
    """Whether the run's secrets came from a test seed; also true for a record that does not say."""
    return any(table(told).get("insecure_seed", "") is not None for told in table(record.get("testing")).values())


def insecure_text(record: Mapping[str, Any]) -> str:
    """The warning of a run under a test seed."""
    named = ", ".join(map(str, table(record.get("testing")))) or "its parties"
    return (
        f"WARNING: THIS RUN PROTECTED NOTHING. The scenario's [testing] insecure_seed made the secret randomness of "
        f"{named} known to all who know the seed. Never use it with real patients."
    )


def no_result_text(record: Mapping[str, Any]) -> str:
    """Why a record of a kind that trains no model has no result."""
    if not owners_of(record):
        return "A helper is told nothing of the result."
    return "The record holds no result."


def traffic_grid(record: Mapping[str, Any]) -> Grid:
    """Each party's process, rounds, messages and bytes."""
    rows = []
    for name, entry in table(record.get("parties")).items():
        party = table(entry)
        traffic = [bytes_text(party.get(key)) for key in ("bytes_sent", "bytes_received")]
        pid = str(party["pid"]) if isinstance(party.get("pid"), int) else MISSING
        counts = (count_text(party.get("rounds")), count_text(party.get("messages")))
        rows.append((str(name), str(party.get("role", MISSING)), pid, *counts, *traffic))
    columns = ("party", "role", "process", "rounds", "messages", "bytes sent", "bytes received")
    return Grid("What it cost", columns, tuple(rows), frozenset({0, 1}))


def seconds_grid(record: Mapping[str, Any], *, trains: bool) -> Grid:
    """Each party's seconds; a helper has no training time, and other kinds of task have none at all.

    Args:
        trains: whether a part of the online time is a training.
    """
    trained = trains
    keys = tuple(key for key in ("connect", "setup", "online", "training", "total") if trained or key != "training")
    rows = tuple(
        (
            str(name),
            *(
                MISSING
                if key == "training" and table(entry).get("role") != "owner"
                else seconds_text(_seconds(entry, key))
                for key in keys
            ),
        )
        for name, entry in table(record.get("parties")).items()
    )
    return Grid("Seconds (training is a part of online)" if trained else "Seconds", ("party", *keys), rows)


def plan_line(record: Mapping[str, Any]) -> Line:
    """Whether rounds and bytes were as planned, or where they were not."""
    found = plan_differences(record)
    if found:
        return Line("NOT AS PLANNED: " + "; ".join(found) + ".", "bold red")
    return Line("Rounds and bytes sent were as planned, exactly, for every party.")


def plan_differences(record: Mapping[str, Any]) -> list[str]:
    """Differences between the measured and the planned costs, in words."""
    plan, parties = table(record.get("plan")), table(record.get("parties"))
    found = []
    for name, entry in parties.items():
        party = table(entry)
        planned = {
            "rounds": plan.get("rounds") if party.get("role") == "owner" else None,
            "bytes_sent": table(plan.get("bytes")).get(name, MISSING),
            "messages": table(plan.get("messages")).get(name),
        }
        for key, expected in planned.items():
            if expected is not None and party.get(key) != expected:
                words = key.replace("_", " ")
                found.append(f"{name} {words} {count_text(party.get(key))}, planned {count_text(expected)}")
    return found


def correlations_grid(correlations: object, title: str) -> Grid:
    """The helper's correlations by kind."""
    rows = tuple(
        (str(kind), count_text(table(row).get("count")), bytes_text(table(row).get("correction_bytes")))
        for kind, row in table(correlations).items()
    )
    return Grid(title, ("kind", "count", "bytes sent"), rows)


def reveals_grid(record: Mapping[str, Any], title: str = "What was revealed") -> Grid:
    """The reveals: what, to whom and why; those with the same reader and reason share a row."""
    owners = owners_of(record)
    items = _group_reveals([table(item) for item in entries(record.get("revealed"))])
    rows = []
    for (to, why), group in groupby(items, key=lambda item: (_readers(item, owners), str(item.get("why", "")))):
        same = list(group)
        numbers = " + ".join(size_text(item.get("shape")) for item in same)
        rows.append((", ".join(str(item.get("what", MISSING)) for item in same), numbers, to, why))
    return Grid(title, ("what", "numbers", "to", "why"), tuple(rows), frozenset({0, 1, 2, 3}))


def _group_reveals(reveals: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The reveals, with those that differ in their place only joined."""
    found: list[Mapping[str, Any]] = []
    for _, group in groupby(reveals, key=lambda item: [item.get(key) for key in ("what", "to", "why", "shape")]):
        same = list(group)
        one, times = same[0], len(same)
        what, shape = f"{one.get('what', MISSING)} ({times} times)", [times, *entries(one.get("shape"))]
        found.append(one if times == 1 else {**one, "what": what, "shape": shape})
    return found


def nothing_else(record: Mapping[str, Any]) -> str:
    """A sentence on what nobody learnt, and what the helper did."""
    show = kind_of_record(record).show()
    if show.nothing_else is not None:
        return show.nothing_else if isinstance(show.nothing_else, str) else show.nothing_else(record)
    helpers = [str(n) for n, entry in table(record.get("parties")).items() if table(entry).get("role") == "helper"]
    split = any(table(item).get("what") == ALIGNMENT for item in entries(record.get("revealed")))
    private = bool(table(record.get("privacy")))
    counts = "columns" if private else "rows and columns"
    helper = f" {', '.join(helpers)} was shown no value, only how many {counts} there are." if helpers else ""
    told = told_beside(show, split=split, private=private)
    return f"Nothing else was opened but under uniform masks, each used once. {told}{helper}"


def _readers(item: Mapping[str, Any], owners: Sequence[str]) -> str:
    to = [str(name) for name in entries(item.get("to"))]
    return "all owners" if owners and to == list(owners) else ", ".join(to) or MISSING


def _seconds(entry: object, key: str) -> Any:
    value = table(table(entry).get("seconds")).get(key)
    return value if is_number(value) else math.nan
