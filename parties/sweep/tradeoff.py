"""What noise costs: how far a figure is from that without noise, by epsilon, and the epsilon that is enough."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from parties.show.blocks import Block, Grid, Line, plural, to_fixed
from parties.sweep.settings import Setting, value_text
from parties.sweep.summary import Interval, Run
from parties.tasks.privacy.figures import WITHOUT_NOISE, reference_figure, split_reference

EPSILON: Final = "privacy.epsilon"
ENOUGH: Final = 0.01
"""So far from the figure without noise a figure may be, to be called near."""
_OF_ONE: Final = ("accuracy", "AUC")
"""Figures from 0 to 1, of which the larger is the better; their names begin so."""


def tradeoff_blocks(settings: Sequence[Setting], runs: Sequence[Run]) -> list[Block]:
    """A table for each combination of the other settings, and a sentence for each figure; nothing without [privacy].

    A run is compared with the same rows without noise: the seed of both is the same.
    """
    if EPSILON not in [one.key for one in settings]:
        return []
    known = [(values, figures) for values, figures in runs if figures is not None]
    names = dict.fromkeys(name for _, figures in known for name in figures)
    judged = [name for name in names if name.startswith(_OF_ONE) and reference_figure(name, WITHOUT_NOISE) in names]
    judged = [name for name in judged if split_reference(name)[1] is None]
    if not judged:
        return []
    return [block for of, same in _by_others(settings, known) for block in _blocks(of, same, judged)]


def _by_others(settings: Sequence[Setting], runs: Sequence[Run]) -> Iterator[tuple[str, list[Run]]]:
    """The runs that differ in nothing but epsilon and the seed, and what they have in common."""
    others = [one for one in settings if one.key != EPSILON and len(one.values) > 1]
    for values in itertools.product(*(one.values for one in others)):
        common = dict(zip((one.key for one in others), values, strict=True))
        same = [run for run in runs if all(repr(run[0][key]) == repr(value) for key, value in common.items())]
        if same:
            yield ", ".join(f"{one.short} = {value_text(common[one.key])}" for one in others), same


def _blocks(of: str, runs: Sequence[Run], judged: Sequence[str]) -> list[Block]:
    epsilons = sorted({float(values[EPSILON]) for values, _ in runs})
    below = {name: {epsilon: _below(runs, epsilon, name) for epsilon in epsilons} for name in judged}
    rows = tuple((f"{epsilon:g}", *(_text(below[name][epsilon]) for name in judged)) for epsilon in epsilons)
    title = "Less than without noise: median (smallest to largest)"
    grid = Grid(f"{title}; {of}" if of else title, ("epsilon", *judged), rows, frozenset({0}))
    return [grid, Line(""), *(Line(_sentence(name, below[name], runs, of)) for name in judged)]


def _below(runs: Sequence[Run], epsilon: float, name: str) -> Interval | None:
    """By how much the figure is below that without noise."""
    found = [
        figures[reference_figure(name, WITHOUT_NOISE)] - figures[name]
        for values, figures in runs
        if figures is not None
        and float(values[EPSILON]) == epsilon
        and {name, reference_figure(name, WITHOUT_NOISE)} <= {*figures}
    ]
    return Interval.of(found) if found else None


def _text(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    middle, low, high = (to_fixed(value) for value in (interval.median, interval.low, interval.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _sentence(name: str, below: Mapping[float, Interval | None], runs: Sequence[Run], of: str) -> str:
    """Which epsilon is enough: the least tried from which on the median is near that without noise."""
    least = None
    for epsilon, interval in sorted(below.items(), reverse=True):
        if interval is None or interval.median > ENOUGH:
            break
        least = epsilon
    other = reference_figure(name, WITHOUT_NOISE)
    without = Interval.of([figures[other] for _, figures in runs if figures and other in figures]).median
    start = f"With {of}: for" if of else "For"
    near = f"{start} {name} within {ENOUGH:g} of that without noise ({to_fixed(without)})"
    if least is None:
        return f"{near} no epsilon that was tried is enough."
    tried = plural(max(one.runs for one in below.values() if one is not None), "run")
    return f"{near} you need epsilon = {least:g}, the least of those tried, by the median of {tried}."
