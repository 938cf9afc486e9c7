"""The report: every table is written by one function from the lines, and so is what the text says of them."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from benchmarks import federated_scale
from benchmarks.federated import SECURE, SHOWN, STUDIES, Study
from benchmarks.jobs import JOBS, OPERATIONS
from benchmarks.results import Line, Results

WAN = "WAN"
"""The table of the first job over the emulated WAN."""
RIGHT = 0.01
"""The largest error at which a result counts as right."""
OURS = "beaverlodge, encrypted"
OURS_PLAIN = "beaverlodge"

_FOLDERS = re.compile(r"(?<![\w.~-])/(?:[\w.+@-]+/)+")
_ADDRESS = re.compile(r"\S*(?:https?:|pypi|pythonhosted)\S*", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A column: its head, the key of its values, and how they are written."""

    head: str
    key: str
    write: Callable[[float], str]


def digits(value: float) -> str:
    """Three digits, and no more than three after the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _ms(value: float) -> str:
    return digits(1e3 * value)


def _megabytes(value: float) -> str:
    return digits(value / 1e6)


def _kilobytes(value: float) -> str:
    return digits(value / 1e3)


def _small(value: float) -> str:
    return f"{value:.1e}"


_SENT = Column("sent by all, MB", "sent", _megabytes)
_TRAINING = (
    Column("all in, s", "all_in", digits),
    Column("a step alone, ms", "step", _ms),
    _SENT,
    Column("weights off by", "error", _small),
)
_OPERATION = (Column("all in, ms", "all_in", _ms), _SENT, Column("largest error", "error", _small))
_KIND = (
    Column("command, s", "command", digits),
    Column("online, s", "online", digits),
    Column("rounds", "rounds", digits),
)
_FEDERATED = (
    Column("all in, s", "all_in", digits),
    Column("a round, s", "round", digits),
    Column("processor, s", "processor", digits),
    Column("a client sends a round, kB", "up", _kilobytes),
    Column("receives, kB", "down", _kilobytes),
    Column("memory, MB", "memory", _megabytes),
    *(Column(f"accuracy after {t}", f"accuracy {t}", digits) for t in SHOWN),
    Column("weights off by", "error", _small),
)
_SCALE = (
    Column("neighbours", "neighbours", "{:.0f}".format),
    Column("a client, ms", "client", _ms),
    Column("planned", "planned_client", _ms),
    Column("the server, s", "server", digits),
    Column("planned", "planned_server", digits),
    Column("a client sends, kB", "up", _kilobytes),
    Column("planned", "planned_up", _kilobytes),
    Column("receives, kB", "down", _kilobytes),
    Column("planned", "planned_down", _kilobytes),
    Column("memory, MB", "memory", _megabytes),
    Column("all in, s", "all_in", digits),
)
_SUM = (
    Column("seconds", "seconds", digits),
    Column("a client sends, kB", "up", _kilobytes),
    Column("a client receives, kB", "down", _kilobytes),
    Column("largest error", "error", _small),
)

_TEXT = Path(__file__).with_suffix(".md")


def report(results: Results) -> str:
    """The whole document."""
    trainings = []
    for job in JOBS:
        trainings.append(f"### {job.key}: {job.title}\n\n{_table(results, job.key, _TRAINING)}")
        if job.wan:
            head = f"### {job.key}, with round trips of 20 ms and 100 Mbit/s"
            trainings.append(f"{head}\n\n{_table(results, WAN, _TRAINING)}")
    operations = [f"### {one.title}\n\n{_table(results, one.key, _OPERATION)}" for one in OPERATIONS]
    facts = results.machine | results.peers
    return Template(_TEXT.read_text(encoding="utf-8")).substitute(
        machine="\n".join(f"- {name}: {_clean(text)}" for name, text in facts.items()),
        right=f"{RIGHT:g}",
        short="\n".join(_short(results)) or "Not measured in this run.",
        trainings="\n".join(trainings).rstrip(),
        operations="\n".join(operations).rstrip(),
        kinds=_table(results, "kinds", _KIND).rstrip(),
        sums=_table(results, "sums", _SUM).rstrip(),
        scale=_table(results, federated_scale.TABLE, _SCALE).rstrip(),
        federated="\n".join(
            f"### {study.title}\n\n{_table(results, study.table, _FEDERATED)}" for study in STUDIES
        ).rstrip(),
    )


def middle(value: Any) -> float:
    """The median of a line's values."""
    return float(statistics.median(value)) if isinstance(value, list) else float(value)


def _table(results: Results, key: str, columns: tuple[Column, ...]) -> str:
    """One table: its lines in the order in which they were measured; below it, why some have no figures."""
    lines = [line for line in results.lines if line.table == key]
    if not lines:
        return "Not measured in this run.\n"
    head = ["who", "runs", *(column.head for column in columns)]
    rows = ["| " + " | ".join(head) + " |", "| :-- |" + " --: |" * (len(head) - 1)]
    for line in lines:
        if not line.failure:
            runs = max(len(value) if isinstance(value, list) else 1 for value in line.values.values())
            cells = [line.who, str(runs), *(_cell(column, line.values.get(column.key)) for column in columns)]
            rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    failed = [f"- {line.who}: no figures: {_clean(line.failure)}" for line in lines if line.failure]
    return "\n".join(rows) + "\n" + ("\n" + "\n".join(failed) + "\n" if failed else "")


def _cell(column: Column, value: Any) -> str:
    if value is None:
        return "-"
    if column.key == "error" and middle(value) > RIGHT:
        return f"{column.write(middle(value))}, wrong"
    if isinstance(value, list) and column.key in ("all_in", "step", "command", "online", "round") and len(value) > 1:
        return f"{column.write(middle(value))} ({column.write(min(value))}-{column.write(max(value))})"
    return column.write(middle(value))


def fastest(results: Results, table: str, key: str) -> Line | None:
    """The peer with the least time among those whose result is right; None if there is none."""
    peers = [
        line
        for line in results.lines
        if line.table == table and not line.who.startswith("beaverlodge") and not line.failure
    ]
    right = [line for line in peers if middle(line.values["error"]) <= RIGHT]
    return min(right, key=lambda line: middle(line.values[key]), default=None)


def line_of(results: Results, table: str, who: str) -> Line | None:
    """Somebody's line, if it has figures."""
    return next((one for one in results.lines if (one.table, one.who) == (table, who) and not one.failure), None)


def _short(results: Results) -> list[str]:
    """Us, with encryption and without, beside the fastest peer, whoever it is."""
    said = []
    trainings = [(job.key, f"Job {job.key}") for job in JOBS if job.peers]
    for table, title in [*trainings[:1], (WAN, "Job A over the WAN"), *trainings[1:]]:
        said += [
            _beside(results, table, title, "all_in", "all in"),
            _beside(results, table, title, "step", "a step alone"),
        ]
    said += [_beside(results, one.key, one.title.capitalize(), "all_in", "all in") for one in OPERATIONS]
    said += [_beside_flower(results, study) for study in STUDIES]
    return [text for text in said if text]


def _beside_flower(results: Results, study: Study) -> str:
    """Our federated study beside Flower's with SecAgg+, at as many neighbours."""
    lines = [one for one in results.lines if one.table == study.table and not one.failure]
    theirs, ours = (next((one for one in lines if one.who.startswith(who)), None) for who in SECURE)
    if theirs is None or ours is None:
        return ""
    less = {key: middle(theirs.values[key]) / middle(ours.values[key]) for key in ("round", "processor", "up", "down")}
    return (
        f"- Federated learning, {study.clients} clients: {digits(less['round'])} times less time a round and "
        f"{digits(less['processor'])} times less processor time than Flower's SecAgg+; a client sends "
        f"{digits(less['up'])} times less, and receives {digits(less['down'])} times less."
    )


def _beside(results: Results, table: str, title: str, key: str, what: str) -> str:
    peer = fastest(results, table, key)
    own = [(who, line_of(results, table, who)) for who in (OURS, OURS_PLAIN)]
    if peer is None or not any(line for _, line in own):
        return ""
    theirs = middle(peer.values[key])
    parts = []
    for who, line in own:
        if line is not None:
            ours = middle(line.values[key])
            how = "with encryption" if who == OURS else "without"
            times, word = (theirs / ours, "faster") if ours <= theirs else (ours / theirs, "**slower**")
            parts.append(f"{how} {_ms(ours)} ms, {digits(times)} times {word}")
    return f"- {title}, {what}: {'; '.join(parts)} than {peer.who} ({_ms(theirs)} ms)."


def _clean(text: str) -> str:
    """A message without this machine's folders and without addresses of servers."""
    return _ADDRESS.sub("(address)", _FOLDERS.sub("", " ".join(text.split())))
