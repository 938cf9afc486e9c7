"""From a scenario of statistics to the protocol's settings."""

from __future__ import annotations

from mpc.errors import UsageError
from parties.scenario.file import Scenario
from parties.show.blocks import count_text
from parties.tasks.privacy.rows import private_rows
from parties.tasks.rows.extent import Rows
from parties.tasks.statistics.settings import StatisticsTask, grid_of
from protocols.statistics.job import MOST_ROWS
from protocols.statistics.private.job import Clip, PrivateSettings, private_settings
from protocols.statistics.settings import StatisticsSettings, Survival


def width(scenario: Scenario) -> int:
    """The number of columns that are used."""
    task = scenario.task_as(StatisticsTask)
    return len(task.numbers) + len(task.grouping) + len(task.events)


def statistics_settings(scenario: Scenario, rows: Rows, columns: int) -> StatisticsSettings:
    """The public settings of a run.

    Raises:
        UsageError: there are so many rows that their sums do not fit.
    """
    task = scenario.task_as(StatisticsTask)
    counts = tuple(rows[owner][0] for owner in scenario.owners)
    if sum(counts) > MOST_ROWS:
        raise UsageError(f"{count_text(sum(counts))} rows: sums over more than 2^30 do not fit", "leave owners out")
    return StatisticsSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        rows=counts,
        columns=task.columns,
        statistics=task.statistics,
        quantiles=task.quantiles,
        by=task.by,
        levels=tuple(task.categories.items()),
        grids=tuple((name, grid_of(spec)) for name, spec in task.grid.items()),
        histograms=tuple(task.histograms.items()),
        tables=task.tables,
        correlations=task.correlations,
        t_tests=tuple((test.column, test.between) for test in task.t_tests),
        survival=tuple(Survival(one.time, one.event, one.between) for one in task.survival),
        min_cell=task.min_cell,
        dominance=task.dominance or 0,
        missing_cells=task.missing_cells,
    )


def private_statistics_settings(scenario: Scenario) -> PrivateSettings:
    """The same with [privacy]: of as many rows as each owner has at least.

    Raises:
        UsageError: dp-accounting is not installed.
    """
    privacy = scenario.privacy
    assert privacy is not None
    exact = statistics_settings(scenario, private_rows(scenario), width(scenario))
    clips = [(column, Clip(low, high)) for column, (low, high) in sorted(privacy.clip.items())]
    return private_settings(exact, clips, privacy.epsilon, privacy.delta)
