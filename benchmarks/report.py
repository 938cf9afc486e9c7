"""docs/benchmarks.md, written from the records alone."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import beside
from benchmarks.formats import clean, digits, ms, size, small, table
from benchmarks.in_short import is_ours, short
from benchmarks.jobs import JOBS, Job
from benchmarks.micro_programs import MICROS
from benchmarks.results import Floor, Micro, Results, Training

QUOTED = Path(__file__).resolve().parent / "mp_spdz.toml"


def report(results: Results) -> str:
    """The whole document."""
    quoted = tomllib.loads(QUOTED.read_text(encoding="utf-8"))
    parts = [
        "# Benchmarks\n",
        _opening(results),
        "## In short\n",
        short(results),
        "## Training\n",
        _reading(),
        *(_job(job, results, quoted) for job in JOBS),
        "## The floor of a step\n",
        _floors(results),
        "## Single operations\n",
        _micros(results, quoted),
        "## Comparisons and selection, beside their plans\n",
        beside.operations(results),
        "## Other kinds of jobs, beside their plans\n",
        beside.jobs(results),
        "## Secure aggregation\n",
        _sums(results),
        "## MP-SPDZ\n",
        _mp_spdz(quoted),
        "## How everybody was run\n",
        _how(results),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def _opening(results: Results) -> str:
    facts = "\n".join(f"- {name}: {value}" for name, value in results.machine.items())
    peers = "\n".join(
        f"- {peer.title}: **could not be set up**: {clean(peer.failure)}"
        if peer.failure
        else f"- {peer.title}: {peer.versions}"
        for peer in results.peers
    )
    return (
        f"Written by `{results.command}`; do not edit. Every table names the command that made it. Times are medians; "
        "the smallest and the largest run stand in brackets. All parties are processes of their own on one machine.\n\n"
        f"{facts}\n{peers}\n\n"
        "On a machine with fewer free cores than there are parties, everybody's times go up and vary: compare the "
        "figures of one report with each other, not with those of another machine or day. The load averages (1, 5 and "
        "15 minutes) before and after tell whether other work ran.\n"
    )


def _reading() -> str:
    return (
        "Everybody trains on the same rows, standardised alike (with a column of ones), in the same batches, from 0. "
        "*Step* is the time of all steps divided by their number, from when every party was ready for the first. "
        "*Set-up* is all before the first step: processes, connections, compilation, sharing of the rows; for us also "
        "the standardisation, which the peers are spared. "
        "*Online* is all after the handshake but the reading of files, evaluation included, where it is known. "
        "*Rounds* of ours are those of the plan, exact. Those of a peer are how many times a message's latency of "
        "10 ms is in what the WAN adds to a step; *all rounds* are those of the whole run. "
        "*Sent* is what a party sends a step: ours by the plan (frames of "
        "the protocol), a peer's as the relay of the WAN carried it, divided by the number of parties. The helper's "
        "correlations are a column of their own; they travel ahead of need. "
        "*max |dw|* is the largest difference of a weight from plain numpy float64 training with the exact sigmoid; "
        "a sigmoid in few pieces keeps the accuracy and loses the weights. The peers run without encryption, which is "
        "how they come, but for SPU over TLS; we are shown with it (CURVE) and without. *Memory* is the most that any "
        "one of our processes held. The machine is now fast and now slow: our runs of job A by mini-batches on "
        "localhost come in three series, at the beginning, after the peers and at the end.\n"
    )


def _job(job: Job, results: Results, quoted: dict[str, Any]) -> str:
    parts = [f"### {job.title}\n"]
    for network in ("localhost", "WAN"):
        rows = [one for one in results.trainings if one.job == job.key and one.network == network]
        if not rows:
            continue
        name = "Localhost TCP" if network == "localhost" else "Emulated WAN, round trips of 20 ms"
        parts.append(f"{name}; made by `{results.command}`.\n")
        parts.append(_training_table(rows))
        failed = [f"- {one.who}{_secured(one)}: no figures: {clean(one.failure)}" for one in rows if one.failure]
        notes = [f"- {one.who}: {one.note}" for one in rows if one.note and not one.failure]
        lines = list(dict.fromkeys([*failed, *notes]))
        if lines:
            parts.append("\n".join(lines) + "\n")
    key = {"A": "a_ms", "C": "c_ms", "B": "b_ms"}.get(job.key)
    if key is not None:
        lines = [f"{one['who']} {digits(one[key])} ms" for one in quoted["training"] if key in one]
        parts.append(f"Quoted beside them, measured earlier and elsewhere (see below), a step: {'; '.join(lines)}.\n")
    return "\n".join(parts)


def _training_table(rows: Sequence[Training]) -> str:
    head = (
        "who", "step, ms", "runs x steps", "rounds", "all rounds", "sent", "helper sends", "set-up, s", "online, s",
        "accuracy", "max |dw|", "loss", "memory",
    )  # fmt: skip
    shown = [
        (
            f"{one.who}{_secured(one)}",
            f"{ms(one.step_seconds)} {_spread(one.spread)}",
            f"{one.runs} x {one.steps}",
            "-" if one.rounds is None else f"{one.rounds:.0f}" if one.rounds >= 10 else f"{one.rounds:.3g}",
            "-" if one.all_rounds is None else f"{one.all_rounds:,}",
            size(one.step_bytes),
            size(one.helper_bytes),
            "-" if one.setup_seconds is None else f"{one.setup_seconds:.2f}",
            "-" if one.online_seconds is None else f"{one.online_seconds:.3f}",
            "-" if one.accuracy is None else f"{one.accuracy:.4f}",
            small(one.difference),
            "-" if one.log_loss is None else f"{one.log_loss:.5f}",
            size(one.peak_bytes),
        )
        for one in rows
        if not one.failure
    ]
    return table([cell.replace("|", "\\|") for cell in head], shown)


def _secured(one: Training | Micro) -> str:
    return "" if one.encrypted is None else ", encrypted" if one.encrypted else ", not encrypted"


def _spread(spread: tuple[float, float] | None) -> str:
    return "" if spread is None else f"({ms(spread[0])}-{ms(spread[1])})"


def _floors(results: Results) -> str:
    if not results.floors:
        return "Not measured in this run.\n"
    frames = " + ".join(str(count) for count in results.floors[0].frames)
    text = (
        f"What a step of job A cannot be faster than: two processes that exchange the same frames ({frames} bytes and "
        "their headers, one after the other) over the same transport and do nothing else, plus the plain step in "
        "numpy, plus one public expansion into sines and cosines. Beside it, the same exchanges over bare ZeroMQ "
        "sockets, without our transport's checks of who is connected. Measured beside each series of our runs, by as "
        "many pairs of processes as there are runs, of which the median; of the series, the mean. Microseconds; "
        f"made by `{results.command}`.\n\n"
    )
    return text + table(
        (
            "",
            "step",
            "frames, our transport",
            "plain step",
            "expansion",
            "floor",
            "step / floor",
            "frames, bare ZeroMQ",
            "step / bare floor",
        ),
        [_floor_row(one) for one in results.floors],
    )


def _floor_row(one: Floor) -> tuple[str, ...]:
    micro = [one.step, one.frames_transport, one.plaintext, one.expansion, one.line]
    return (
        "encrypted" if one.encrypted else "not encrypted",
        *(f"{value * 1e6:.0f}" for value in micro),
        f"{one.step / one.line:.2f}",
        f"{one.frames_zeromq * 1e6:.0f}",
        f"{one.step / one.bare_line:.2f}",
    )


def _micros(results: Results, quoted: dict[str, Any]) -> str:
    elsewhere = {one["operation"]: one["text"] for one in quoted["micro"]}
    rows, notes = [], []
    for operation in MICROS:
        for one in (m for m in results.micros if m.operation == operation.key):
            if one.failure:
                notes.append(f"- {one.who}, {operation.title}: no figures: {clean(one.failure)}")
                continue
            if one.note:
                notes.append(f"- {one.who}, {operation.title}: {one.note}")
            rows.append(
                (
                    operation.title,
                    f"{one.who}{_secured(one)}",
                    f"{ms(one.seconds)} {_spread(one.spread)}",
                    "in it" if one.dealing_seconds is None else ms(one.dealing_seconds),
                    "-" if one.rounds is None else str(one.rounds),
                    small(one.error),
                )
            )
        if operation.key in elsewhere:
            rows.append((operation.title, "MP-SPDZ (quoted)", elsewhere[operation.key], "in it", "-", "-"))
    text = (
        "Between processes, over the real channel; from the moment when the first party begins until the last is done. "
        "Our helper deals ahead of time: what that costs it stands in a column of its own (computing and handing "
        "over, for one operation); the peers' times hold theirs. The owners' own part of the correlations, drawn from "
        "their seeds, is in our time. Inputs: uniform in [-8, 8], for the sigmoid in [-30, 30]; the error is the "
        f"largest against float64. Milliseconds; made by `{results.command}`.\n\n"
    )
    head = ("operation", "who", "ms", "dealing, ms", "rounds", "largest error")
    lines = "\n".join(dict.fromkeys(notes))
    return text + table(head, rows) + (f"\n{lines}\n" if lines else "")


def _sums(results: Results) -> str:
    if not results.sums:
        return "Not measured.\n"
    rows, theirs = [], None
    for one in results.sums:
        if not is_ours(one.who):
            theirs = one
        known = theirs is not None and theirs.seconds and one.seconds and is_ours(one.who)
        ratio = f"{theirs.seconds / one.seconds:.1f}" if known and theirs and theirs.seconds and one.seconds else "-"
        who = f"{one.who}, signatures and consistency round" if one.signed else one.who
        took = clean(one.failure) if one.failure else f"{one.seconds:.2f}"
        rows.append((f"{who}; {one.note}", took, ratio, size(one.up), size(one.down), small(one.error)))
    head = ("who", "seconds", "times faster", "a client sends", "a client receives", "max error")
    return (
        "One round of 100 clients with 10,000 values each, 10 of which vanish after they gave shares; all clients and "
        "the server in one process, processor time, no network. Flower's masks come from 32-bit seeds, ours from "
        "256-bit ones; both quantise to 2^22 levels. `python -m benchmarks --only sums`\n\n" + table(head, rows)
    )


def _mp_spdz(quoted: dict[str, Any]) -> str:
    keys = ("a_ms", "a_plain_ms", "a_kb", "rounds", "a_wan_ms", "c_ms", "b_ms", "b_mb")
    head = ("who", "A, ms", "A without TLS, ms", "A, kB", "rounds", "A over WAN, ms", "C, ms", "B, ms", "B, MB")
    rows = [(one["who"], *(str(one.get(key, "-")) for key in keys)) for one in quoted["training"]]
    return (
        f"Quoted from `benchmarks/mp_spdz.toml`, not measured by this command. {' '.join(quoted['note'].split())}\n\n"
        + table(head, rows)
    )


def _how(results: Results) -> str:
    return (
        "- The programs are in `benchmarks/peers/`: each is the short program that a user of the framework would "
        "write from its public interface, with its default settings unless its name says otherwise.\n"
        "- SPU: `jax.nn.sigmoid` in a jax function, one compiled program a step, over SPU's own process link; SEMI2K "
        "by default (the first party deals), and ABY3 among three parties. From jax the sigmoid becomes "
        "1 / (1 + exp(-z)), so that SPU's `sigmoid_mode` does nothing; *pade* is its more accurate exponential.\n"
        "- SPU over TLS: `enable_ssl` of its link, with one certificate made for the run. Now and then a party of it "
        "ends as it connects (brpc: `error_code is 0`); the run is then tried again, thrice at most. CrypTen has no "
        "such setting; MPyC's is not used.\n"
        "- CrypTen: its `sigmoid`, its default provider (the first party deals); one thread a process. Its converter "
        "from ONNX, which does not load with this torch and is not used, is left out.\n"
        "- MPyC: three parties with an honest majority and no dealer. It has no sigmoid: the program has one from its "
        "products and comparisons.\n"
        "- Two-party peers with a dealing party inside, and three-party ones, trust differently from two owners and a "
        "helper who does not collude: nobody's figures are for exactly the same promise.\n"
        "- The WAN is the relay of `mpc run` (`[network]` in a scenario) as a process in front of everybody's ports: "
        "10 ms each way, no limit of bandwidth.\n"
        f"- Time that setting up the peers took, once: {_setups(results)}.\n"
    )


def _setups(results: Results) -> str:
    return ", ".join(f"{peer.title} {peer.seconds:.0f} s" for peer in results.peers) or "none"
