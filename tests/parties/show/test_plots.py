"""Plots: round ticks around all values, and each point where its value says, with what it is in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.show.plots import Point, Series, even_ticks, interval_plot
from tests.examples import steady


@steady(300)
@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_ticks_enclose_the_values_and_are_few(low: float, reach: float) -> None:
    high = low + reach
    if high > low and reach < 1e-9 * max(abs(low), 1e-300):
        return  # no axis tells them apart
    ticks = even_ticks(low, high)
    step = ticks[1] - ticks[0]
    assert 3 <= len(ticks) <= 7
    assert ticks[0] <= low + 1e-6 * step and ticks[-1] >= high - 1e-6 * step


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.0, 1.0, [0, 0.5, 1.0]), (3.0, 47.0, [0, 20, 40, 60]), (-2.0, 2.0, [-2, -1, 0, 1, 2])],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert even_ticks(low, high) == pytest.approx(expected)


def plotted(*series: Series, ticks: tuple[str, ...] = ("0", "10")) -> str:
    return interval_plot("delay", "seconds", ticks, series, lambda value: f"{value:g}")


def test_each_point_says_its_setting_and_its_interval() -> None:
    svg = plotted(Series("l2 = 1", (Point(0, 2, 1, 3), Point(1, 5, 5, 5))))
    assert re.findall("<title>(.*?)</title>", svg) == ["l2 = 1, delay = 0: 2 (1 to 3)", "l2 = 1, delay = 10: 5"]


def test_larger_is_higher_and_later_is_further_right() -> None:
    svg = plotted(Series("", (Point(0, 2, 1, 3), Point(1, 5, 4, 6))))
    (x1, y1), (x2, y2) = ((float(x), float(y)) for x, y in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg))
    assert x1 < x2 and y1 > y2
    lines = re.findall(r'<line x1="[\d.]+" x2="[\d.]+" y1="([\d.]+)" y2="([\d.]+)"/>', svg)
    assert all(float(low) > y > float(high) for (low, high), y in zip(lines, (y1, y2), strict=True))


def test_series_are_told_apart_without_colour() -> None:
    svg = plotted(*(Series(f"l2 = {k}", (Point(0, k, k, k),)) for k in range(3)))
    assert (svg.count("<circle"), svg.count("<rect"), svg.count("<polygon")) == (2, 2, 2)  # each in the legend, too


def test_texts_are_escaped() -> None:
    svg = plotted(Series("<b>", (Point(0, 1, 1, 1),)), ticks=("<i>",))
    assert "<b>" not in svg and "<i>" not in svg and "&lt;i&gt;" in svg


def test_equal_values_make_a_plot() -> None:
    assert "<circle" in plotted(Series("", (Point(0, 0, 0, 0), Point(1, 0, 0, 0))))
