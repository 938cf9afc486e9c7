"""What the summary and the report say of a run: the results, what the server saw in each stage, and the cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    bytes_text,
    count_text,
    entries,
    is_number,
    seconds_text,
    table,
)
from parties.tasks.base import Show
from parties.tasks.program.show import comparison_lines, drawn_lines, figures, result_rows
from parties.tasks.star.record import (
    as_planned,
    done_line,
    names_text,
    processes_grid,
    run_name,
    server_of,
    traffic_line,
)

_MOST_ROWS: Final = 12


def status(record: Mapping[str, Any]) -> Line:
    """How a run that succeeded ended, in one sentence."""
    part = _part(record)
    if "rounds_due" in part:
        done = "its part is done" if part.get("rounds_done") == part["rounds_due"] else "it was left out"
        return Line(f"{run_name(record)}: done; {done}. The result is the server's to tell.", "bold")
    return done_line(record, f"A server and {part.get('of')} clients")


def blocks(record: Mapping[str, Any]) -> list[Block]:
    """The results, what the server saw, and the cost."""
    return [*result_blocks(record), *cost_blocks(record)] if _part(record) else []


def result_blocks(record: Mapping[str, Any]) -> list[Block]:
    """What the protocol gave to whom, and what the server saw on the way."""
    part = _part(record)
    what = f"{part.get('function', MISSING)} of {part.get('file', MISSING)}"
    inputs = "; ".join(_input_text(table(one)) for one in entries(part.get("inputs")))
    rows = [(name, "the server", shape, values) for name, _, shape, values in _rows(part.get("results"))]
    rows += _client_rows(table(part.get("given_to_clients")))
    grid = Grid(f"What {what} gave", ("result", "to", "shape", "values"), tuple(rows), frozenset({0, 1, 2, 3}))
    digest = Line(f"SHA-256 of the file: {part.get('sha256') or MISSING}.")
    if "rounds_due" in part:
        return [digest, *([grid] if rows else [])]
    return [
        Line(f"Each client gave: {inputs}."),
        digest,
        *drawn_lines(record, part),
        grid if rows else Line("The protocol returned nothing."),
        *_over(part),
        *comparison_lines(table(record.get("comparison"))),
        *_seen(part),
    ]


def _input_text(one: Mapping[str, Any]) -> str:
    """An input and its shape at a client."""
    (shape,) = entries(one.get("shapes")) or ((),)
    sizes = " x ".join("rows" if size == -1 else count_text(size) for size in entries(shape))
    return f"{one.get('input', MISSING)} ({sizes})"


def _over(part: Mapping[str, Any]) -> list[Block]:
    """Over which clients a result is, where that is not all."""
    counts = [len(entries(one)) for one in entries(part.get("over"))]
    of = part.get("of")
    if not counts or all(count == of for count in counts):
        return []
    return [Line(f"Over {', '.join(map(str, dict.fromkeys(counts)))} of {of} clients.")]


def _seen(part: Mapping[str, Any]) -> list[Block]:
    stages = [table(one) for one in entries(part.get("stages"))]
    rows = tuple(
        (
            str(one.get("label")),
            count_text(one.get("messages")),
            bytes_text(one.get("bytes_received")),
            bytes_text(one.get("bytes_sent")),
            str(one.get("sees")),
        )
        for one in stages
    )
    columns = ("stage", "messages", "bytes", "answers' bytes", "a message showed it")
    gone = [f"{names_text(one['dropped'])} in '{one.get('label')}'" for one in stages if entries(one.get("dropped"))]
    return [
        Grid("What the server saw", columns, rows, frozenset({0, 4})),
        Line(""),
        Line(f"Did not answer: {'; '.join(gone)}." if gone else "Every client answered in every stage."),
    ]


def cost_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Traffic and computation, beside the plan."""
    grid = processes_grid(record)
    part, server = _part(record), server_of(record)
    if "rounds_due" in part:
        return [grid]
    median: Any = table(part.get("client_seconds")).get("median")
    each = f", a client {1000 * median:.1f} ms (median)" if is_number(median) else ""
    return [
        grid,
        Line(""),
        _plan_line(record),
        Line(f"Computation: the server {seconds_text(server.get('computation'))} s{each}."),
    ]


def _plan_line(record: Mapping[str, Any]) -> Line:
    server, plan = server_of(record), table(record.get("plan"))
    if plan.get("failed"):
        return Line(f"Traffic of the server: there is no plan to compare it with. {plan['failed']}", "bold red")
    if as_planned(record):
        return traffic_line(record)
    planned = table(plan.get("bytes"))
    text = f"sent {bytes_text(server.get('bytes_sent'))}, planned {bytes_text(planned.get('server'))}; "
    text += f"received {bytes_text(server.get('bytes_received'))}, planned {bytes_text(planned.get('clients'))}"
    return Line(f"NOT AS PLANNED: the server {text}. The sizes of messages depend on data.", "bold red")


def _client_rows(given: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    rows = []
    for who, results in given.items():
        whom = "each client" if who == "all" else who
        rows += [(name, whom, shape, values) for name, _, shape, values in _rows(results)]
    if len(rows) > _MOST_ROWS:
        more = len(rows) - _MOST_ROWS
        return [*rows[:_MOST_ROWS], ("", f"and {count_text(more)} more in the record", "", "")]
    return rows


def _rows(results: object) -> list[tuple[str, str, str, str]]:
    return [row for one in entries(results) for row in result_rows(table(one))]


def _part(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return table(record.get("program"))


def _sections(record: Mapping[str, Any]) -> list[str]:
    from parties.show.html import blocks_section

    if not _part(record):
        return []
    return [
        blocks_section("What the protocol gave", result_blocks(record)),
        blocks_section("What it cost", cost_blocks(record)),
    ]


SHOW: Final = Show(
    "What the protocol gave",
    blocks,
    sections=_sections,
    status=status,
    note="The protocol is its author's own, and so is the choice of what it reveals.",
    nothing_else=(
        "The server saw the messages above, and what they show it is their author's word: docs/clients.md says how a "
        "test looks for more. The clients saw its answers."
    ),
    costs=True,
    figures=figures,
    declared=True,
)
