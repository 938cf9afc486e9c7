"""Rows and extent of kinds whose owners count and sum up all their rows."""

from __future__ import annotations

from collections.abc import Callable

from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.rows.extent import Extent, Rows, known_rows, rows_not_stated


def stated_rows(scenario: Scenario, load: Callable[[Scenario, str], PlainTable]) -> Rows:
    """Each owner's rows, as the scenario states them or its data have them; none is held out.

    Raises:
        UsageError: neither says.
        DataError: data that are here cannot be read.
    """
    rows = {}
    for owner in scenario.owners:
        stated, data = scenario.parties[owner].rows, scenario.parties[owner].data
        if stated is None and data is None:
            raise rows_not_stated(owner)
        rows[owner] = (load(scenario, owner).rows if stated is None else stated), 0
    return rows


def stated_extent(scenario: Scenario, table: PlainTable | None, width: int) -> Extent:
    """The same as far as one party knows it, with `width` columns."""
    return Extent(width, True, known_rows(scenario, table), split=False)
