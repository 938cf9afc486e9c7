"""The summary of a secure sum, from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    count_text,
    entries,
    is_number,
    seconds_text,
    short_bytes,
    table,
)
from parties.tasks.base import Show
from parties.tasks.secure_sum.small_cells import bias_blocks, zero_text
from parties.tasks.star.noise import spent_blocks
from parties.tasks.star.record import done_line, names_text, processes_grid, run_name, server_of, traffic_line

WITHHELD = "*"
_STAGES = {
    "keys": "before it sent keys",
    "choice": "before it chose neighbours",
    "shares": "before it gave shares",
    "masked": "before its vector came",
    "consistency": "after its vector had come",
    "unmask": "after its vector had come",
}


def sum_status(record: Mapping[str, Any]) -> Line:
    """How a run that succeeded ended, in one sentence."""
    sums = table(record.get("sums"))
    if "rounds_due" in sums:
        done, due = sums.get("rounds_done"), sums.get("rounds_due")
        me = next((str(table(one).get("role")) for one in table(record.get("parties")).values()), "client")
        part = f"this {me}'s part" if done == due else f"{done} of {due} rounds with this {me} in them"
        return Line(f"{run_name(record)}: done, {part}. The sums are the server's to tell.", "bold")
    return done_line(record, f"Sums over {sums.get('clients')} of {sums.get('of')} clients")


def sum_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The sums, the clients that are not in them, what privacy was spent, and the cost."""
    if not table(record.get("sums")):
        return []
    return [*sums_blocks(record), *spent_blocks(table(record.get("privacy"))), *cost_blocks(record)]


def sums_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The sums, and who is not in them, round by round."""
    sums = table(record.get("sums"))
    if "rounds_due" in sums:
        return []
    rounds = entries(sums.get("rounds"))
    blocks: list[Block] = []
    for place, one in enumerate(rounds, start=1):
        blocks += [Line(""), Line(f"Round {place} of {len(rounds)}", "bold"), *_round_blocks(table(one))]
    return blocks or _round_blocks(sums)


def _round_blocks(sums: Mapping[str, Any]) -> list[Block]:
    columns = table(sums.get("columns"))
    kinds = [kind for kind in ("count", "weight", "sum", "mean") if any(kind in table(one) for one in columns.values())]
    small = table(sums.get("small_cells"))
    withheld = table(small.get("withheld"))
    rows = tuple(
        (
            str(name),
            *(WITHHELD if kind in entries(withheld.get(name)) else _number(table(one).get(kind)) for kind in kinds),
        )
        for name, one in columns.items()
    )
    blocks: list[Block] = [Grid(f"Over {sums.get('clients')} clients together", ("column", *kinds), rows), Line("")]
    if noisy := [str(name) for name, one in columns.items() if "intervals" in table(one)]:
        blocks = [_noisy_grid(sums, noisy, kinds), Line("")]
    m = int(small.get("min_cell") or 0)
    if "withheld" in small:
        hidden = sum(len(entries(kinds)) for kinds in withheld.values())
        what = (
            f"{WITHHELD}: withheld, for a cell of fewer than {m} rows; nobody saw it."
            if hidden
            else "None was withheld."
        )
        text = f"{small.get('suppressed_by')} compared the cells with {m} before any was opened. {what}"
        blocks.append(Line(text))
    elif small:
        text = (
            f"Each client added 0 where it had fewer than {m} rows, and its commonest value for fewer that differ. "
            f"{zero_text(m)}"
        )
        blocks += [Line(text), *bias_blocks(small)]
    dropped = table(sums.get("dropped"))
    if dropped:
        lines = [f"{names_text(gone)} {_STAGES.get(str(stage), str(stage))}" for stage, gone in dropped.items()]
        blocks.append(Line(f"Dropped out: {'; '.join(lines)}."))
    else:
        blocks.append(Line("No client dropped out."))
    failed = entries(sums.get("failed_attempts"))
    if failed:
        blocks.append(Line(f"It took {len(failed) + 1} attempts; nothing was opened in the others: {failed[-1]}."))
    wrong = table(sums.get("wrong_shares"))
    if wrong:
        blocks.append(Line(f"WRONG SHARES came from {names_text(list(wrong))}; none was used.", "bold red"))
    return blocks


def _noisy_grid(sums: Mapping[str, Any], names: Sequence[str], kinds: Sequence[str]) -> Grid:
    """The numbers with their intervals."""
    rows = []
    for name in names:
        one = table(table(sums.get("columns")).get(name))
        intervals = table(one.get("intervals"))
        rows += [
            (f"{kind} of {name}", _number(one.get(kind)), *(_number(end) for end in entries(intervals.get(kind))))
            for kind in kinds
        ]
    title = f"Over {sums.get('clients')} clients together, with noise: what their clipped rows give, in 95 of 100 runs"
    return Grid(title, ("number", "value", "at least", "at most"), tuple(rows), frozenset({0}))


def cost_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Traffic and computation."""
    sums, server, grid = table(record.get("sums")), server_of(record), processes_grid(record)
    if "rounds_due" in sums:
        return [grid]
    client = table(sums.get("client_seconds"))
    median: Any = client.get("median")
    each = f", a client {1000 * median:.1f} ms (median)" if is_number(median) else ""
    processes = [table(one).get("pid") for one in table(record.get("parties")).values()]
    among = ", with clients in its process," if processes.count(server.get("pid")) > 1 else ""
    return [
        grid,
        Line(""),
        traffic_line(record),
        Line(
            f"Computation: the server {seconds_text(server.get('computation'))} s{each}; "
            f"the server{among} took {short_bytes(server.get('peak_memory') or 0)} of memory."
        ),
        Line(
            f"Each client had {sums.get('neighbours')} neighbours; {sums.get('threshold')} of them open what it hid. "
            f"Vectors of {sums.get('bits')} bits a number; the server was taken to be {sums.get('server')}."
        ),
    ]


def _number(value: object) -> str:
    if isinstance(value, int):
        return count_text(value)
    return f"{value:,.6g}" if isinstance(value, float) else MISSING


def _sections(record: Mapping[str, Any]) -> list[str]:
    from parties.show.html import blocks_section

    if not table(record.get("sums")):
        return []
    told = [*sums_blocks(record), *spent_blocks(table(record.get("privacy")))]
    return [blocks_section("The sums", told), blocks_section("What it cost", cost_blocks(record))]


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    sums = table(record.get("sums"))
    slowest = table(sums.get("client_seconds")).get("most")
    return {"clients": sums.get("clients"), "attempt": sums.get("attempt"), "slowest client's seconds": slowest}


_NOTHING_ELSE: Final = "No client's vector was opened, nor the sum of fewer: the masks cancel in the whole sum only."

SHOW: Final = Show(
    "The sums",
    sum_blocks,
    sections=_sections,
    status=sum_status,
    nothing_else=_NOTHING_ELSE,
    costs=True,
    figures=_figures,
)
