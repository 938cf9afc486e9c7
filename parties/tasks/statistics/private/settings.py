"""kind = "statistics" with [privacy]: which settings go with it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from parties.scenario.problems import Problem, Reading
from parties.tasks.privacy.settings import check_clips, refuse_settings

if TYPE_CHECKING:
    from parties.scenario.privacy import PrivacySpec
    from parties.tasks.statistics.settings import StatisticsTask

_EXACT: Final = {
    key: (harmless, f"leave {key} out: noise protects small cells, and a test of them would tell exact counts")
    for key, harmless in (("min_cell", 0), ("dominance", 0), ("missing_cells", "told"))
}
_OF_SUMS: Final = ("sum", "mean", "variance", "sd")
MOST_NUMBERS: Final = 100_000
"""The most numbers of trees and curves: each takes some microseconds of noise."""


def make_statistics_private(task: StatisticsTask, privacy: PrivacySpec) -> Reading[StatisticsTask]:
    """The task under [privacy]: nothing of it is tested for small cells, for the tests' outcomes would be exact."""
    if find_spec("dp_accounting") is None:  # before anything is sent: it is needed once the parties have met
        yield Problem("[privacy] of statistics needs the package dp-accounting", "pip install 'beaverlodge[privacy]'")
    if ends := [one for one in ("min", "max") if one in task.statistics]:
        hint = "each is the value of one patient; remove it from `statistics`, or [privacy]"
        yield Problem(f"[task] {' and '.join(ends)} cannot be told with [privacy]", hint)
    yield from refuse_settings(task, _EXACT)
    yield from _check_clips(task, privacy)
    yield from _check_numbers(task)
    return task.model_copy(update={key: harmless for key, (harmless, _) in _EXACT.items()})


def _check_clips(task: StatisticsTask, privacy: PrivacySpec) -> Iterator[Problem]:
    described = task.columns if set(_OF_SUMS) & set(task.statistics) else ()
    summed = dict.fromkeys((*described, *task.correlations, *(test.column for test in task.t_tests)))
    yield from check_clips(privacy, tuple(summed), "whose values are summed up")


def _check_numbers(task: StatisticsTask) -> Iterator[Problem]:
    points = {column: max(0, int((one.to - one.from_) / one.step) + 1) for column, one in task.grid.items()}
    levels = {column: len(names) for column, names in task.categories.items()}
    trees = sum(2 * points[column] for column in task.columns if column in points) if task.quantiles else 0
    curves = sum(2 * levels.get(one.between or "", 1) * (points.get(one.time, 0) + 1) for one in task.survival)
    numbers = levels.get(task.by or "", 1) * (trees + curves)
    if numbers > MOST_NUMBERS:
        message = f"[task] quantiles and survival ask for about {numbers} noisy numbers; {MOST_NUMBERS} are the most"
        yield Problem(message, "take larger steps in [task.grid]")
