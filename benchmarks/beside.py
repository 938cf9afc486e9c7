"""The report's sections on what is measured beside its plan, and not beside peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.analyses import ANALYSES
from benchmarks.formats import clean, digits, ms, size, table
from benchmarks.micro_programs import COMPARISONS
from benchmarks.results import BesidePlan, Results

_READING = (
    "Rounds and bytes are those that the parties counted while they ran; *planned* is what `mpc plan` says of them "
    'before anything is sent, and "as planned" means equal, to the byte. WAN: round trips of 20 ms, emulated.'
)


def operations(results: Results) -> str:
    """Comparisons and selection."""
    text = (
        "Each operation on 100,000 shared values of 64 bits, two owners and the helper, between processes and with "
        f"encryption; all of it on one vector, so that rounds do not grow with its length. {_READING} Milliseconds, "
        "from the moment when the first owner begins until the last is done; the helper deals ahead of time. Planned: "
        f"the rounds' latencies alone. Made by `{results.command}`.\n\n"
    )
    titles = {operation.key: operation.title for operation in COMPARISONS}
    return _section(text, results.comparisons, titles, per_run=False)


def jobs(results: Results) -> str:
    """Inference, statistics, shared models."""
    text = (
        "Each job by the command `mpc run`, with encryption. *Online* is all after the handshake; *command* is from "
        "the command to the result, the start of all processes and the reading of the files included. A job whose plan "
        f"has forks may take fewer rounds than planned, never more. {_READING} Planned seconds: handling the messages, "
        f"and on the WAN the time on the wire; large products come on top. Made by `{results.command}`.\n\n"
    )
    titles = {analysis.key: analysis.title for analysis in ANALYSES}
    return _section(text, results.analyses, titles, per_run=True)


def _section(text: str, records: Sequence[BesidePlan], titles: Mapping[str, str], *, per_run: bool) -> str:
    if not records:
        return "Not measured in this run.\n"
    head = ["what", "network", "runs", "rounds", "an owner sends", "the helper sends"]
    head += ["online, s", "planned, s", "command, s"] if per_run else ["ms", "planned, ms"]
    rows = [_row(one, titles, per_run=per_run) for one in records if not one.failure]
    failed = [
        f"- {titles.get(one.key, one.key)}, {one.network}: no figures: {clean(one.failure)}"
        for one in records
        if one.failure
    ]
    lines = "\n".join(failed)
    return text + table(head, rows) + (f"\n{lines}\n" if lines else "")


def _row(one: BesidePlan, titles: Mapping[str, str], *, per_run: bool) -> list[str]:
    times = [f"{ms(one.seconds)} {_spread(one, ms)}", ms(one.planned_seconds)]
    if per_run:
        times = [f"{_s(one.seconds)} {_spread(one, _s)}", _s(one.planned_seconds), _s(one.command_seconds)]
    return [
        titles.get(one.key, one.key),
        one.network,
        str(one.runs),
        _beside(one.rounds, one.planned_rounds, _count),
        _beside(one.owner_bytes, one.planned_owner_bytes, size),
        _beside(one.helper_bytes, one.planned_helper_bytes, size),
        *times,
    ]


def _beside(measured: float, planned: float, write: Callable[[float], str]) -> str:
    said = "as planned" if measured == planned else f"planned {write(planned)}"
    return f"{write(measured)} ({said})"


def _spread(one: BesidePlan, write: Callable[[float | None], str]) -> str:
    if one.spread is None or one.runs < 2:
        return ""
    return f"({write(one.spread[0])}-{write(one.spread[1])})"


def _s(seconds: float | None) -> str:
    return "-" if seconds is None else digits(seconds)


def _count(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.1f}"
