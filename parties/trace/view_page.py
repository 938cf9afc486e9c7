"""The page of a view: what parties saw with one secret beside what they saw with another, and the kit's verdict."""

from __future__ import annotations

from typing import Final

from mpc.ring.array import Array
from mpc.testing import SeenItem, View
from parties.show.blocks import count_text, join_words, plural
from parties.show.html import escape, paragraph, section, whole_page

_WIDTH: Final = 340
_HEIGHT: Final = 110
_BINS: Final = 16
_MOST_DRAWN: Final = 200


def view_html(view: View) -> str:
    """The whole page."""
    who = join_words(view.coalition)
    verdict = "".join(
        f'<p class="{"status" if view.passed else "alarm"}">{escape(line)}</p>' for line in view.verdict.splitlines()
    )
    ending = "The check found nothing" if view.passed else "The check FAILED"
    shown = sorted(view.items, key=lambda one: not (one.differing or one.uneven))[:_MOST_DRAWN]
    more = len(view.items) - len(shown)
    return whole_page(
        f"{view.protocol}: the view of {who}",
        [
            f"<header>\n<h1>{escape(view.protocol)}: what {escape(who)} saw</h1>\n"
            + paragraph(
                f"{plural(view.runs, 'run')} with one secret and as many with another of equal outputs. Each figure "
                "has four bits of the words of one message: how often they had each of their 16 values, with the first "
                "secret and with the second. What is masked is uniform, and whatever is seen is alike."
            )
            + "\n</header>",
            section(ending, verdict),
            section("What was seen", *(_figure(one) for one in shown), paragraph(_left_out(more))),
        ],
        style=_STYLE,
    )


def _left_out(count: int) -> str:
    return f"{count_text(count)} further messages, alike and uniform, are not drawn." if count > 0 else ""


def _figure(one: SeenItem) -> str:
    place = one.nibble
    found = []
    if one.differing:
        found.append(f"differs between the secrets (p = {min(p for _, p in one.differing):.0e})")
    if one.uneven:
        found.append(f"is not uniform (p = {min(p for _, p in one.uneven):.0e})")
    if not found:
        found.append("uniform, and alike with both secrets" if one.masked else "a declared output, alike with both")
    kind = "finding" if one.differing or one.uneven else ""
    sides = "".join(
        f"<div><h4>{name} secret</h4>{_histogram(counts[place], f'{one.name}, with the {name} secret', colour)}</div>"
        for name, counts, colour in (("first", one.counts[0], "plus"), ("second", one.counts[1], "minus"))
    )
    text = f"{one.name}, bits {4 * place} to {4 * place + 3} of {one.bits}, {count_text(one.words)} words: "
    return (
        f'<figure class="{kind}"><figcaption>{escape(text)}<strong>{escape("; ".join(found))}</strong></figcaption>'
        f'<div class="side">{sides}</div></figure>'
    )


def _histogram(counts: Array, label: str, colour: str) -> str:
    """Bars of 16 counts, with a line where all would be were they uniform."""
    total, highest = max(1, int(counts.sum())), max(1, int(counts.max()))
    even = total / _BINS
    scale = (_HEIGHT - 20) / max(highest, 2 * even)
    wide = _WIDTH / _BINS
    bars = "".join(
        f'<rect class="{colour}" x="{k * wide + 1:.1f}" y="{_HEIGHT - 14 - int(n) * scale:.1f}" width="{wide - 2:.1f}" '
        f'height="{int(n) * scale:.1f}"><title>{k:x}: {int(n)}</title></rect>'
        f'<text x="{(k + 0.5) * wide:.1f}" y="{_HEIGHT - 2}" text-anchor="middle">{k:x}</text>'
        for k, n in enumerate(counts)
    )
    y = _HEIGHT - 14 - even * scale
    line = f'<line class="even" x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">{bars}{line}</svg>'


_STYLE: Final = """
figure.finding { border-left: 4px solid var(--alarm); padding-left: .9rem; }
figure.finding strong { color: var(--alarm); }
figure h4 { margin: .4rem 0 0; font-weight: 400; font-size: .9rem; color: var(--soft); }
.side > div { flex: 1 1 18rem; max-width: 24rem; }
svg .even { stroke: var(--ink); stroke-dasharray: 4 3; }
svg text { font-size: 9px; }
@media print { * { print-color-adjust: exact; } }
"""
