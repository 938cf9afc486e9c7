"""Rows and extent of kinds whose owners count and sum up all their rows."""

from __future__ import annotations

from collections.abc import Callable

from mpc.errors import UsageError
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.tasks.rows.extent import Extent, Rows


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
            raise UsageError(
                f"the data of {owner} are not here, and the scenario does not state how many rows there are",
                f"add rows = ... to [parties.{owner}]",
            )
        rows[owner] = (load(scenario, owner).rows if stated is None else stated), 0
    return rows


def stated_extent(scenario: Scenario, table: PlainTable | None, width: int) -> Extent:
    """The same as far as one party knows it, with `width` columns."""
    stated = {owner: scenario.parties[owner].rows for owner in scenario.owners}
    rows = {owner: count for owner, count in stated.items() if count is not None}
    if table is not None:
        rows[table.owner] = table.rows
    return Extent(width, True, rows, split=False)
