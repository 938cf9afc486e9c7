"""A plot of medians and intervals by a setting, as inline SVG: readable without colour, in the dark and on paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from parties.show.html import escape

_WIDTH: Final = 420
_HEIGHT: Final = 260
_LEFT: Final = 76
_RIGHT: Final = 12
_TOP: Final = 34
_BOTTOM: Final = 44
_LEGEND_LINE: Final = 18
_MOST_TICKS: Final = 12
_DODGE: Final = 9
"""Points of two series at one place stand so far apart."""

_MARKS: Final = ("circle", "square", "diamond", "up", "down", "cross")


@dataclass(frozen=True)
class Point:
    """At the `place`-th value of the setting: a median, the smallest and the largest."""

    place: int
    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """Points that a line joins; its label is empty where there is no other series."""

    label: str
    points: tuple[Point, ...]


def interval_plot(
    x_title: str, y_title: str, ticks: Sequence[str], series: Sequence[Series], text: Callable[[float], str]
) -> str:
    """The plot. The values of the setting stand at even distances, whatever they are.

    Args:
        ticks: the setting's values.
        text: how a number of the other axis reads.
    """
    bounds = [bound for one in series for point in one.points for bound in (point.low, point.high)]
    marks = even_ticks(min(bounds), max(bounds))
    low, high = marks[0], marks[-1]
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    step = (right - _LEFT) / len(ticks)

    def down(value: float) -> float:
        return bottom - (bottom - _TOP) * (value - low) / (high - low)

    parts = [f'<text class="title" x="{_LEFT}" y="16">{escape(y_title)}</text>']
    for mark in marks:
        y = down(mark)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(_tick(mark, marks))}</text>')
    every = -(-len(ticks) // _MOST_TICKS)
    for place, tick in list(enumerate(ticks))[::every]:
        x = _LEFT + step * (place + 0.5)
        short = tick if len(tick) <= 14 else tick[:13] + "…"
        parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(short)}</text>')
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>')
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle:.1f}" y="{bottom + 36}" text-anchor="middle">{escape(x_title)}</text>')
    dodge = min(_DODGE, step / (len(series) + 1))
    for number, one in enumerate(series):
        shift = dodge * (number - (len(series) - 1) / 2)
        places = [(_LEFT + step * (point.place + 0.5) + shift, point) for point in one.points]
        path = " ".join(f"{x:.1f},{down(point.middle):.1f}" for x, point in places)
        body = [f'<polyline points="{path}"/>'] if len(places) > 1 else []
        for x, point in places:
            said = f"{one.label + ', ' if one.label else ''}{x_title} = {ticks[point.place]}: {text(point.middle)}"
            said += f" ({text(point.low)} to {text(point.high)})" if point.low < point.high else ""
            whisker = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{down(point.low):.1f}" y2="{down(point.high):.1f}"/>'
            body.append(f"<g><title>{escape(said)}</title>{whisker}{_mark(number, x, down(point.middle))}</g>")
        parts.append(f'<g class="s{number % len(_MARKS)}">{"".join(body)}</g>')
    labelled = [(number, one.label) for number, one in enumerate(series) if one.label]
    for line, (number, label) in enumerate(labelled):
        y = _HEIGHT + _LEGEND_LINE * line + 6
        parts.append(f'<g class="s{number % len(_MARKS)}">{_mark(number, _LEFT + 6, y)}</g>')
        parts.append(f'<text x="{_LEFT + 18}" y="{y + 4}">{escape(label)}</text>')
    height = _HEIGHT + _LEGEND_LINE * len(labelled)
    label = escape(f"{y_title} by {x_title}")
    return f'<svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def even_ticks(low: float, high: float) -> list[float]:
    """Round numbers at even distances, the first at most `low`, the last at least `high`: three to seven of them."""
    if not high > low:
        reach = abs(low) * 0.1 or 1.0
        low, high = low - reach, high + reach
    raw = (high - low) / 4
    unit = 10.0 ** math.floor(math.log10(raw))
    step = unit * next(times for times in (1, 2, 5, 10) if times * unit >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * k for k in range(first, last + 1)]


def _tick(value: float, ticks: Sequence[float]) -> str:
    """A tick with as many digits as tell it from its neighbours."""
    step = ticks[1] - ticks[0]
    if max(map(abs, ticks)) >= 1e7 or step < 1e-6:
        return f"{value:.3g}"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def _mark(number: int, x: float, y: float) -> str:
    match _MARKS[number % len(_MARKS)]:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        case "square":
            return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"/>'
        case "diamond":
            return _polygon(x, y, ((0, -5), (5, 0), (0, 5), (-5, 0)))
        case "up":
            return _polygon(x, y, ((0, -5), (5, 4), (-5, 4)))
        case "down":
            return _polygon(x, y, ((0, 5), (5, -4), (-5, -4)))
        case _:
            return _polygon(
                x,
                y,
                (
                    (-5, -2),
                    (-2, -2),
                    (-2, -5),
                    (2, -5),
                    (2, -2),
                    (5, -2),
                    (5, 2),
                    (2, 2),
                    (2, 5),
                    (-2, 5),
                    (-2, 2),
                    (-5, 2),
                ),
            )


def _polygon(x: float, y: float, corners: Sequence[tuple[int, int]]) -> str:
    return f'<polygon points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}"/>'


PLOT_STYLE: Final = """
:root { --s0: #1f6fb2; --s1: #b5541c; --s2: #2f7d4f; --s3: #7b4fa3; --s4: #8a6d00; --s5: #b03060; }
@media (prefers-color-scheme: dark) { :root { --s0: #5aa9e6; --s1: #e8935c; --s2: #6cc091; --s3: #b793dc; --s4: #d8b93c;
  --s5: #ea7fa5; } }
@media print { :root { --s0: #1f6fb2; --s1: #b5541c; --s2: #2f7d4f; --s3: #7b4fa3; --s4: #8a6d00; --s5: #b03060; } }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 0 1.5rem; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .title { font-weight: 600; }
svg polyline { fill: none; }
""" + "".join(
    f"svg .s{k} {{ stroke: var(--s{k}); fill: var(--s{k}); stroke-width: 1.5; }}\n" for k in range(len(_MARKS))
)
