"""Releases of a client of a secure sum."""

from __future__ import annotations

import hashlib

from parties.tasks.secure_sum.reveals import revealed
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.clients import release_entry
from parties.tasks.star.rows import Values
from parties.trust.releases import Release


def release_of(scenario: SumScenario, me: str, values: Values, session: str = "") -> Release:
    """An entry of a client's list of releases, before a round starts."""
    columns = tuple(sorted(scenario.read_columns))
    order = [scenario.read_columns.index(column) for column in columns]
    data = hashlib.sha256("\0".join(columns).encode() + b"\0" + values[:, order].tobytes()).hexdigest()
    what = tuple(item["what"] for item in revealed(scenario)[:1])
    epsilon = 0.0 if scenario.privacy is None else scenario.privacy.epsilon
    return release_entry(scenario, me, session, data, len(values), columns, what, epsilon)
