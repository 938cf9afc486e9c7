"""The pieces of a page: one HTML file without anything from elsewhere. Each text is escaped here."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from mpc.errors import plain_text
from parties.show.blocks import Block, Grid, is_number, to_digits


def escape(text: str) -> str:
    """A text escaped for HTML, on one line, without control characters."""
    return html.escape(plain_text(text))


def whole_page(title: str, sections: Sequence[str], style: str = "", script: str = "") -> str:
    """The whole file.

    Args:
        style: besides the pages' common one.
        script: the one script that the page may run; nothing is loaded from anywhere in any case.
    """
    allowed = f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'; " if script else ""
    body = "\n".join(part for part in sections if part)
    return _PAGE.format(
        title=escape(title),
        policy=f"default-src 'none'; {allowed}style-src 'unsafe-inline'",
        style=_STYLE + style,
        body=body,
        script=f"<script>{script}</script>\n" if script else "",
    )


def section(title: str, *parts: str) -> str:
    """A heading, and below it parts that are HTML already."""
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of a class; nothing for an empty text."""
    if not text:
        return ""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def grid_table(grid: Grid) -> str:
    """A table, each row's first column a heading."""

    def kind(place: int) -> str:
        return "" if place in grid.left else ' class="n"'

    heads = "".join(f'<th scope="col"{kind(k)}>{escape(text)}</th>' for k, text in enumerate(grid.columns))
    rows = []
    for first, *others in grid.rows:
        cells = "".join(f"<td{kind(k)}>{escape(text)}</td>" for k, text in enumerate(others, 1))
        rows.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table><caption>{escape(grid.title)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def bar_chart(bars: Sequence[tuple[str, Any]], caption: str) -> str:
    """Horizontal bars to both sides of zero, as inline SVG."""
    height, label, width, value_room = 20, 230, 720, 64
    middle, reach = label + (width - label) / 2, (width - label) / 2 - value_room
    largest = max((abs(size) for _, size in bars if is_number(size)), default=0.0) or 1.0
    rows = []
    for place, (name, size) in enumerate(bars):
        y = place * height
        length = reach * abs(size) / largest if is_number(size) else 0.0
        left = is_number(size) and size < 0
        start, end = (middle - length, middle - length - 4) if left else (middle, middle + length + 4)
        short = name if len(name) <= 30 else name[:29] + "…"
        rows.append(
            f"<g><title>{escape(name)}: {to_digits(size)}</title>"
            f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{escape(short)}</text>'
            f'<rect class="{"minus" if left else "plus"}" x="{start:.1f}" y="{y + 3}" width="{length:.1f}" '
            f'height="{height - 6}"/>'
            f'<text x="{end:.1f}" y="{y + 14}" text-anchor="{"end" if left else "start"}">{to_digits(size, 3)}</text>'
            "</g>"
        )
    total = len(bars) * height
    axis = f'<line class="axis" x1="{middle}" x2="{middle}" y1="0" y2="{total}"/>'
    return (
        f'<svg viewBox="0 0 {width} {total}" role="img" aria-label="{escape(caption)}">'
        + "".join(rows)
        + axis
        + "</svg>"
    )


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
{script}</body>
</html>
"""

_STYLE: Final = """
:root { --ink: #1c2329; --soft: #5a6670; --paper: #fff; --line: #d5dce1; --plus: #1f6fb2; --minus: #b5541c;
  --alarm: #a01616; --alarm-paper: #fdecec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --soft: #9aa7b1; --paper: #15191d; --line: #353d44;
  --plus: #5aa9e6; --minus: #e8935c; --alarm: #ff9a9a; --alarm-paper: #3a1c1c; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --plus: #1f6fb2; --minus: #b5541c;
  --alarm: #a01616; --alarm-paper: #fff; } figure, tr { break-inside: avoid; }
  h2, caption { break-after: avoid; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { max-width: 46rem; overflow-wrap: anywhere; }
.status { font-size: 1.1rem; }
.note { color: var(--soft); font-size: .92rem; }
.alarm { color: var(--alarm); background: var(--alarm-paper); border-left: 4px solid var(--alarm);
  padding: .6rem .9rem; font-weight: 600; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.side { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
table { border-collapse: collapse; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .92rem; }
svg { width: 100%; max-width: 46rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .plus { fill: var(--plus); }
svg .minus { fill: var(--minus); }
svg .axis { stroke: var(--soft); stroke-width: 1; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0 0 .4rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .85rem; }
"""


def blocks_section(title: str, blocks: Sequence[Block], note: str = "") -> str:
    """A section of the same lines and tables as the summary's."""
    shown = [block for block in blocks if isinstance(block, Grid) or block.text]
    parts = [
        grid_table(block) if isinstance(block, Grid) else paragraph(block.text, "alarm" if "red" in block.style else "")
        for block in shown
    ]
    return section(title, *parts, *([paragraph(note, "note")] if note else []))
