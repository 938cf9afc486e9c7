"""What a party reports of its part in a run, whatever carried its messages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mpc.errors import InternalError, UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.runtime.interfaces import Revealed
from parties.scenario.file import Scenario
from parties.tasks.registry import job_of


@contextmanager
def blamed(*, foreign: bool) -> Iterator[None]:
    """Around a program: a departure from its plan is a UsageError, not our bug, where its code is `foreign`.

    Raises:
        UsageError: it departed from it.
    """
    try:
        yield
    except InternalError as error:
        if not foreign:
            raise
        raise UsageError(error.message, error.hint, party=error.party) from None


def result_of(
    scenario: Scenario,
    me: str,
    agreement: Agreement,
    entry: Mapping[str, Any],
    result: Any,
    ways: Sequence[bool],
    reveals: Sequence[Revealed],
) -> dict[str, Any]:
    """A party's result, as `record.merge_results` takes it.

    Args:
        agreement: whose plan is that of the ways that were taken.
        entry: what was measured, and what else stands under the party's name.
        result: what its program gave; None of the helper.
        ways: that the program took at its forks.
        reveals: what was opened.
    """
    plan = agreement.plan
    told = {owner: {"train": train, "test": test} for owner, (train, test) in agreement.rows.items()}
    return {
        "party": {"role": scenario.parties[me].role, "pid": os.getpid(), **entry},
        "session": agreement.session.hex(),
        "rows": told if scenario.privacy is None else None,
        "plan": {
            "digest": plan.digest,
            "rounds": len(plan.rounds),
            "bytes": plan.bytes_sent,
            "messages": plan.messages_sent,
            "correlations": plan.correlations,
            **({"ways": list(ways)} if plan.forks else {}),
        },
        **job_of(scenario).run.record(scenario, agreement, result),
        "revealed": [
            {"what": item.what, "to": list(item.to), "shape": list(item.shape), "why": item.why} for item in reveals
        ],
        "testing": {"insecure_seed": scenario.testing.insecure_seed} if scenario.testing else None,
    }
