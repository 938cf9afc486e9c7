"""The page of a recorded run: `trace.html`, one file with all it needs, which loads nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from parties.show.blocks import Grid, count_text, join_words, plural, short_bytes, table, to_digits
from parties.show.html import escape, grid_table, paragraph, section, whole_page
from parties.trace.data import timeline
from parties.trace.lanes import Lane, RoundSeen
from parties.trace.totals import Spent, by_label, slowest, spent, where
from parties.trace.value_tables import values_section
from parties.trace.values import values_of

MOST_LANES: Final = 100
"""Parties that a page shows one by one; all are in the times by label."""
_MOST_LABELS: Final = 200
_HELP: Final = (
    "Drag to move; pinch, or hold Ctrl and turn the wheel, to zoom; click a lane to see a round. Keys, once the "
    "timeline has the focus (the wheel zooms then, too): + and - zoom, the arrows move and change the lane, full stop "
    "and comma go from round to round, Enter zooms to one, 0 shows the protocol and a everything."
)
KINDS: Final = ("computing", "dealing", "sending", "waiting")


def trace_html(lanes: Sequence[Lane], record: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        record: of the run, or an empty one.
    """
    name = str(table(record.get("scenario")).get("name") or "run")
    shown = lanes[:MOST_LANES]
    data, left_out = timeline(shown)
    sections = [
        _head(name, lanes, record),
        _timeline(shown, left_out),
        values_section(
            values_of(lanes, record), [lane.party for lane in shown if lane.told], table(record.get("comparison"))
        ),
        _where(shown, len(lanes) - len(shown)),
        _labels(lanes),
        _planned(shown),
        _slowest(shown),
        f'<script type="application/json" id="trace-data">{data}</script>',
    ]
    script = Path(__file__).with_name("timeline.js").read_text(encoding="utf-8")
    return whole_page(f"{name}: trace", sections, style=_STYLE, script=script)


def _head(name: str, lanes: Sequence[Lane], record: Mapping[str, Any]) -> str:
    parts = [f"<h1>{escape(name)}: what each party did, round by round</h1>"]
    if any(lane.values for lane in lanes):
        parts.append(
            '<p class="alarm" role="alert">INSECURE: a test seed. All shares, masks and values of this run are known, '
            "and those that were recorded are on this page.</p>"
        )
    error = table(record.get("error"))
    if error:
        parts.append(f'<p class="alarm">Failed: {escape(str(error.get("message")))}</p>')
    parts += [paragraph(text) for text in endings(lanes)]
    rounds = max(len(lane.protocol) for lane in lanes)
    total = milliseconds(max(spent(lane).total for lane in lanes))
    parties = "one party" if len(lanes) == 1 else f"{count_text(len(lanes))} parties"
    parts.append(paragraph(f"{parties}; {plural(rounds, 'round')} in {total} ms, from the end of the handshake on."))
    return "<header>\n" + "\n".join(parts) + "\n</header>"


def endings(lanes: Sequence[Lane]) -> list[str]:
    """How the lanes ended that did not come to the end of the protocol, and what is not in the record."""
    found, left, cut = [], [], []
    for lane in lanes:
        last = lane.unfinished
        if lane.failed is not None:
            _, code, party = lane.failed
            about = f" about {party}" if party else ""
            found.append(f"{lane.party} ended with '{code}'{about}{_within(last)}.")
        elif not lane.closed:
            cut.append(lane.party)
        elif lane.finished is None:
            after = f" after '{lane.rounds[-1].label}'" if lane.rounds else " before its first round"
            left.append(f"{lane.party}{_within(last) if last else after}")
        if lane.dropped:
            count = count_text(sum(row[0] for row in lane.dropped.values()))
            found.append(f"{lane.party}: {count} rounds beyond the bound of its record are in the totals only.")
    if cut:
        found.append(f"The record of {join_words(cut)} is cut off: killed, or still running.")
    return [*found, *([f"Ended before the protocol did: {'; '.join(left)}."] if left else [])]


def _within(last: RoundSeen | None) -> str:
    """The round in which a lane ended, where it was awaited, and for whom it waited."""
    if last is None:
        return ""
    missing = [peer for peer in last.sent if peer not in last.came] if last.ready is not None else []
    waited = f", waiting for {join_words(missing)}" if missing else ""
    return f" in '{last.label}'{f' ({where(last)})' if last.place else ''}{waited}"


def milliseconds(microseconds: float) -> str:
    """A time as milliseconds."""
    return f"{microseconds / 1000:,.2f}" if microseconds < 99_995 else f"{microseconds / 1000:,.0f}"


def _timeline(lanes: Sequence[Lane], left_out: int) -> str:
    keys = "".join(f'<span class="key"><i class="k-{kind}"></i>{kind}</span>' for kind in KINDS)
    buttons = (
        ("+", "zoom in"),
        ("-", "zoom out"),
        ("ArrowLeft", "earlier"),
        ("ArrowRight", "later"),
        ("0", "the protocol"),
        ("a", "all"),
        (",", "previous round"),
        (".", "next round"),
        ("Enter", "zoom to the round"),
    )
    controls = "".join(f'<button type="button" data-action="{key}">{text}</button>' for key, text in buttons)
    names = ", ".join(lane.party for lane in lanes)
    about = f"The rounds of {names} over time; keys: plus, minus, arrows, comma, full stop, 0, a, Enter"
    return section(
        "Timeline",
        f'<p class="keys">{keys}</p>',
        f'<div id="controls" hidden>{controls}</div>',
        '<div class="lanes"><svg id="timeline" tabindex="0" role="application" '
        f'aria-label="{escape(about)}"></svg></div>',
        '<p class="note"><output id="readout"></output></p>',
        '<div id="seen" aria-live="polite"></div>',
        paragraph(_HELP, "note screen"),
        paragraph(f"Not drawn: {count_text(left_out)} rounds in the middle; the totals have them." if left_out else ""),
    )


def _where(lanes: Sequence[Lane], others: int) -> str:
    totals = {lane.party: spent(lane) for lane in lanes}
    rows = tuple(
        (
            name,
            milliseconds(one.computing),
            milliseconds(one.dealing),
            milliseconds(one.sending),
            milliseconds(one.waiting),
            milliseconds(one.total),
            ", ".join(f"{peer} {milliseconds(time)}" for peer, time in one.waited_for.most_common(2) if time),
        )
        for name, one in totals.items()
    )
    grid = Grid("Milliseconds", ("party", *KINDS, "in all", "waited for"), rows, frozenset({0, 6}))
    return section(
        "Where the time went",
        _bars(totals),
        grid_table(grid),
        paragraph(f"{plural(others, 'other')} are not shown one by one." if others else ""),
        paragraph(
            "From the end of the handshake on. Dealing is the helper's making of its windows, and the last owner's "
            "wait for them. A round counts as waiting for the peer whose message came last.",
            "note",
        ),
    )


def _bars(totals: Mapping[str, Spent]) -> str:
    """A bar a party, by what its time went to."""
    height, left, width = 22, 170, 720
    longest = max((one.total for one in totals.values()), default=0) or 1
    rows = []
    for place, (name, one) in enumerate(totals.items()):
        y, x = place * height, float(left)
        short = name if len(name) <= 22 else name[:21] + "…"
        rows.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(short)}</text>')
        for kind, time in zip(KINDS, (one.computing, one.dealing, one.sending, one.waiting), strict=True):
            size = (width - left) * time / longest
            rows.append(
                f'<rect class="k-{kind}" x="{x:.1f}" y="{y + 3}" width="{size:.1f}" height="{height - 6}">'
                f"<title>{escape(name)}: {kind} {milliseconds(time)} ms</title></rect>"
            )
            x += size
    label = "Each party's time by what it went to"
    box = f"0 0 {width} {len(totals) * height}"
    svg = f'<svg viewBox="{box}" role="img" aria-label="{label}">{"".join(rows)}</svg>'
    return f'<div class="scroll bars">{svg}</div>'


def _labels(lanes: Sequence[Lane]) -> str:
    found = by_label(lanes)
    rows = tuple(
        (
            row.label,
            count_text(row.rounds),
            *(milliseconds(time) for time in (row.computing, row.dealing, row.sending, row.waiting)),
            short_bytes(row.sent),
            ", ".join(f"{count} {kind}" for kind, count in row.draws.most_common()),
            ", ".join(row.places),
        )
        for row in found[:_MOST_LABELS]
    )
    columns = ("label", "rounds", *KINDS, "sent", "correlations drawn before it", "awaited at")
    more = f"and {len(found) - _MOST_LABELS} more labels" if len(found) > _MOST_LABELS else ""
    return section(
        "By label",
        grid_table(Grid("Rounds and bytes of one party; milliseconds, the mean", columns, rows, frozenset({0, 7, 8}))),
        paragraph(more),
    )


def _planned(lanes: Sequence[Lane]) -> str:
    plan = next((lane.plan for lane in lanes if lane.plan is not None), None)
    if plan is None:
        return ""
    network = table(plan.get("network"))
    rows = []
    for lane in lanes:
        sent = sum(sum(one.sent.values()) for one in lane.protocol)
        sent += sum(push.size for push in lane.pushes if lane.started is not None and push.began >= lane.started)
        planned = table(plan.get("bytes")).get(lane.party)
        rounds = len(lane.protocol)
        counts = (count_text(plan.get("rounds")), count_text(rounds)) if rounds else ("-", "-")
        rows.append((lane.party, *counts, count_text(planned), count_text(sent)))
    measured = max(spent(lane).total for lane in lanes) / 1e6
    bandwidth = network.get("bandwidth_mbit")
    rate = f"{bandwidth:g} Mbit/s" if bandwidth else "no limit"
    link = f"{2 * network.get('latency_ms', 0):g} ms round trip, {rate}"
    which = "the scenario's network" if network.get("given") else "a local network"
    return section(
        "The plan beside the measurement",
        grid_table(
            Grid(
                "Rounds and bytes",
                ("party", "rounds planned", "rounds", "bytes planned", "bytes sent"),
                tuple(rows),
            )
        ),
        paragraph(
            f"Planned for {which} ({link}): {to_digits(plan.get('seconds'), 3)} s; measured: {measured:.3g} s. The "
            "plan counts messages and their handling; large products and reading data come on top."
        ),
    )


def _slowest(lanes: Sequence[Lane]) -> str:
    rows = []
    numbers = {lane.party: place for place, lane in enumerate(lanes)}
    for lane, one, took in slowest(lanes):
        go = f'<button type="button" data-go="{numbers[lane.party]} {one.number}">show</button>'
        cells = (lane.party, str((one.number or 0) + 1), one.label, milliseconds(took), one.last or "", where(one))
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{go}</td></tr>")
    if not rows:
        return ""
    heads = "".join(
        f'<th scope="col">{text}</th>'
        for text in ("party", "round", "label", "milliseconds", "waited for", "awaited at", "")
    )
    return section(
        "The rounds that took longest",
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>',
    )


_STYLE: Final = """
:root { --computing: #1f6fb2; --dealing: #c4681c; --sending: #1a8f5a; --waiting: #d9dfe4; --pick: #c2185b; }
@media (prefers-color-scheme: dark) { :root { --computing: #5aa9e6; --dealing: #f0a05a; --sending: #4cc38a;
  --waiting: #3a434b; --pick: #ff79b0; } }
@media print { :root { --computing: #1f6fb2; --dealing: #c4681c; --sending: #1a8f5a; --waiting: #d9dfe4; }
  #controls, .screen, button { display: none !important; } * { print-color-adjust: exact; }
  .lanes { break-inside: avoid; } .lanes svg, .bars svg { height: auto; max-height: 17cm; }
  .scroll { overflow: visible; } table { font-size: .7rem; }
  th, td, tbody th { padding-right: .5rem; overflow-wrap: break-word; white-space: normal; min-width: 0 !important; }
  td:last-child { overflow-wrap: anywhere; }
  table.values { table-layout: fixed; width: 100%; font-size: .55rem; } .values td { min-width: 0 !important; } }
main { max-width: 76rem; }
.lanes { border: 1px solid var(--line); margin: .5rem 0; }
.lanes svg { display: block; width: 100%; max-width: none; touch-action: pan-y; cursor: grab; user-select: none; }
.lanes svg:focus-visible { outline: 3px solid var(--plus); }
.k-computing { fill: var(--computing); background: var(--computing); }
.k-dealing { fill: var(--dealing); background: var(--dealing); }
.k-sending { fill: var(--sending); background: var(--sending); }
.k-waiting { fill: var(--waiting); background: var(--waiting); }
.keys { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .3rem 0; }
.key i { display: inline-block; width: .9rem; height: .9rem; margin-right: .4rem; vertical-align: -.1rem; }
#controls { display: flex; flex-wrap: wrap; gap: .4rem; }
#controls[hidden] { display: none; }
button { font: inherit; font-size: .9rem; padding: .3rem .7rem; color: var(--ink); background: var(--paper);
  border: 1px solid var(--soft); border-radius: .3rem; cursor: pointer; }
button:focus-visible { outline: 3px solid var(--plus); }
svg .tick { stroke: var(--line); } svg .stage { stroke: var(--soft); stroke-dasharray: 3 3; }
svg text.small { font-size: 10px; } svg text.soft { fill: var(--soft); } svg text.chosen { font-weight: 700; }
svg .row { fill: var(--line); opacity: .35; } svg .failed { stroke: var(--alarm); stroke-width: 3; }
svg text.lane { paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
svg .message { stroke: var(--ink); stroke-width: .8; opacity: .6; } svg .many { opacity: .3; }
svg .arrived { fill: var(--ink); }
svg .picked { fill: none; stroke: var(--pick); stroke-width: 2; }
#seen dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
#seen dd { margin: 0; }
#seen h3 { margin: .6rem 0 .2rem; }
tbody th { min-width: 7rem; }
.values { font-size: .8rem; }
.values td { font-family: ui-monospace, monospace; overflow-wrap: anywhere; min-width: 8.4rem; padding-right: .4rem; }
.amiss th, .amiss td { background: var(--alarm-paper); color: var(--alarm); }
@media screen and (max-width: 40rem) { td { white-space: nowrap; } .values td { white-space: normal; }
  .bars svg { min-width: 36rem; } }
@media (max-width: 40rem) { #seen dl { grid-template-columns: 1fr; } #seen dd { margin-bottom: .3rem; } }
"""
