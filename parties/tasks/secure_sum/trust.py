"""Of a secure sum: where its server is, who may say who the clients are, and how a client lists its releases."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mpc.errors import UsageError
from parties.tasks.secure_sum.data import Values
from parties.tasks.secure_sum.record import revealed
from parties.tasks.secure_sum.settings import SumScenario
from parties.trust.releases import Release, now


def server_address(scenario: SumScenario) -> str:
    """Where the server listens.

    Raises:
        UsageError: the scenario does not say it.
    """
    address = scenario.parties[scenario.server].address
    if address is None:
        raise UsageError(
            f"[parties.{scenario.server}] has no address, so no client can reach it",
            'give it one, such as address = "10.0.0.5:7101"; clients need none',
        )
    return address


def check_identities(scenario: SumScenario, texts: Mapping[str, str]) -> None:
    """That a server that may lie has no hand in who the clients are.

    Raises:
        UsageError: the keys come from no roster, or from one that the server signed.
    """
    if scenario.task.server != "malicious":
        return
    if scenario.roster is None:
        raise UsageError(
            'server = "malicious" needs a [roster]: a server that may lie must have no hand in who the clients are',
            "let somebody whom the clients trust sign one: docs/keys.md",
        )
    if scenario.roster.signed_by == texts[scenario.server]:
        raise UsageError(
            f"the roster is signed by {scenario.server}, which may lie", "let somebody else sign it: docs/keys.md"
        )


def release_of(scenario: SumScenario, me: str, values: Values, session: str = "") -> Release:
    """An entry of a client's list of releases, before a round starts."""
    columns = tuple(sorted(scenario.read_columns))
    order = [scenario.read_columns.index(column) for column in columns]
    data = hashlib.sha256("\0".join(columns).encode() + b"\0" + values[:, order].tobytes()).hexdigest()
    what = tuple(item["what"] for item in revealed(scenario)[:1])
    return Release(
        now(), scenario.name, scenario.digest, session, me, (scenario.server,), data, len(values), columns, what
    )
