"""Figures that a run with [privacy] is compared with: those of the same rows without noise, and of each owner alone.

A kind lists them among its figures, under the figure's name and one of two words (`reference_figure`). `mpc sweep`
draws them as lines of the same plot, and says how much epsilon a figure near that without noise needs.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import is_number, table

WITHOUT_NOISE: Final = "without noise"
ALONE: Final = "alone"


def reference_figure(figure: str, which: str) -> str:
    """The name of a figure's reference: `which` is WITHOUT_NOISE or ALONE."""
    return f"{figure}, {which}"


def split_reference(name: str) -> tuple[str, str | None]:
    """The figure's name, and which reference it is; None: it is of the run itself."""
    figure, _, which = name.rpartition(", ")
    return (figure, which) if figure and which in (WITHOUT_NOISE, ALONE) else (name, None)


def own_figures(record: Mapping[str, Any], which: str) -> Mapping[str, Any]:
    """The exact metrics of a run's own model with noise, which only a run on one machine knows."""
    return table(table(table(record.get("comparison")).get("run")).get(which))


def reference_figures(record: Mapping[str, Any], which: str, named: Mapping[str, str]) -> dict[str, Any]:
    """A record's figures of the pooled rows without noise, and the median owner's alone; none without [privacy].

    Args:
        which: `train` or `test`, the set of rows of the comparison's metrics.
        named: the key of each figure's metric, by the figure's name.
    """
    if not table(record.get("privacy")):
        return {}
    comparison = table(record.get("comparison"))
    pooled = table(table(comparison.get("pooled")).get(which))
    alone = [table(table(one).get(which)) for one in table(comparison.get("alone")).values()]
    found = {}
    for figure, key in named.items():
        known = [one[key] for one in alone if is_number(one.get(key))]
        found[reference_figure(figure, WITHOUT_NOISE)] = pooled.get(key)
        found[reference_figure(figure, ALONE)] = statistics.median(known) if known else None
    return found
