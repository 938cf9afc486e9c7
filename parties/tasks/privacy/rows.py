"""Owners' rows under [privacy]: nobody is told how many there are, and each owner draws noise of its own.

Plans are made for `min_rows` of each owner, whose own data are read by a loader that refuses fewer (`fewest_rows`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpc.errors import DataError
from parties.data.checks import rows_text

if TYPE_CHECKING:
    from mpc.randomness.streams import Stream
    from parties.data.table import Table
    from parties.scenario.file import Scenario
    from parties.tasks.rows.extent import Extent, Rows


def fewest_rows(scenario: Scenario, otherwise: int) -> int:
    """The fewest rows that an owner's data need; with [privacy] `min_rows`, as no other party sees how many it has."""
    return otherwise if scenario.privacy is None else max(otherwise, _min_rows(scenario))


def load_private_table(scenario: Scenario, owner: str) -> Table:
    """An owner's table for a model with [privacy].

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: the data cannot be read, are not fit for the task, or have fewer than `min_rows` rows.
    """
    from parties.data.checks import FEWEST_ROWS
    from parties.data.table import load_owner_table

    table = load_owner_table(scenario, owner)
    fewest = fewest_rows(scenario, FEWEST_ROWS)
    if table.rows < fewest:
        raise DataError(
            f"{owner}, {table.source}: {rows_text(table.rows)} of data, but an owner needs at least {fewest}",
            "add rows, or leave this owner out; a lower min_rows in [task] has to be allowed by every owner's policy",
            party=owner,
        )
    return table


def private_counts(scenario: Scenario) -> tuple[int, int]:
    """An owner's numbers of rows, as the others are told: the fewest that it may have, and none held out."""
    return _min_rows(scenario), 0


def private_rows(scenario: Scenario) -> Rows:
    """The same of all owners: the shapes that a plan is made for."""
    return dict.fromkeys(scenario.owners, private_counts(scenario))


def private_extent(scenario: Scenario, columns: int) -> Extent:
    """The same as a party knows it before a run."""
    from parties.tasks.rows.extent import Extent

    return Extent(columns, True, dict.fromkeys(scenario.owners, _min_rows(scenario)), split=False)


def _min_rows(scenario: Scenario) -> int:
    least: int = dict(scenario.task)["min_rows"]
    return least


def own_stream(scenario: Scenario, owner: str, session: bytes) -> Stream:
    """An owner's randomness of its own, for its noise in this session: from the operating system, or a test seed."""
    from mpc.randomness.streams import Stream, derive, party_entropy

    seed = scenario.testing.insecure_seed if scenario.testing else None
    entropy = party_entropy(seed, owner)
    return Stream(derive(entropy("noise"), "an owner's noise", session))
