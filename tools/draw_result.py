"""Write the chart of a run's report as a picture: `python tools/draw_result.py runs/NAME docs/result.svg`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

STYLE = """<style>
text { fill: #1c2329; font: 12px system-ui, sans-serif; }
.plus { fill: #1f6fb2; }
.minus { fill: #b5541c; }
.axis { stroke: #8c959f; stroke-width: 1; }
@media (prefers-color-scheme: dark) { text { fill: #e4e8eb; } .plus { fill: #5aa9e6; } .minus { fill: #e8935c; } }
</style>"""


ROWS = 12


def picture(page: str) -> str:
    """The first chart of a report's page, with its colours: the largest rows of it.

    Raises:
        SystemExit: the page has none.
    """
    chart = re.search(r"<svg .*?</svg>", page, re.DOTALL)
    if chart is None:
        raise SystemExit("this report has no chart")
    bars = re.findall(r"<g>.*?</g>", chart[0])[:ROWS]
    width, height = float(re.findall(r'viewBox="0 0 ([\d.]+)', chart[0])[0]), 20 * len(bars)
    middle = re.findall(r'class="axis" x1="([\d.]+)"', chart[0])[0]
    size = f'width="{width:g}" height="{height}" viewBox="0 0 {width:g} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            STYLE,
            *bars,
            f'<line class="axis" x1="{middle}" x2="{middle}" y1="0" y2="{height}"/>',
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    run, out = map(Path, sys.argv[1:])
    out.write_text(picture((run / "report.html").read_text(encoding="utf-8")), encoding="utf-8")
