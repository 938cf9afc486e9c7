"""All parties of a scenario in one thread, without links: the same programs, plan and record as in processes.

No socket is opened and no process started. Under a test seed every bit is the same as in processes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError
from mpc.links.meeting.handshake import Agreement
from mpc.randomness.streams import party_entropy, session_id
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.plan import WAY_BYTES, Plan
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.trace import Tracer
from parties.base.trace_file import trace_path
from parties.data.own_table import OwnTable, shared_columns
from parties.scenario.file import Scenario
from parties.session.result import blamed, result_of
from parties.session.secrets import seed_for_tests
from parties.session.traced import plan_facts, tracer_to
from parties.tasks.registry import Plans, job_of
from parties.tasks.rows.few import refuse_few


def run_in_one_thread(
    scenario: Scenario, traces: Path | None = None, given: Mapping[str, OwnTable] | None = None
) -> dict[str, dict[str, Any]]:
    """Run all parties; returns each party's report, as `record.merge_results` takes it. All have the same columns.

    Args:
        traces: the folder in which every party's rounds are recorded; None where they are not.
        given: the owners' tables, in place of those that the scenario names.

    Raises:
        BeaverlodgeError: what went wrong first, at whichever party.
    """
    started = time.perf_counter()
    job, owners, helper = job_of(scenario), scenario.owners, scenario.helper
    tables = dict(given) if given is not None else {owner: job.data.load(scenario, owner) for owner in owners}
    rows = {owner: job.data.counts(scenario, table.rows) for owner, table in tables.items()}
    columns = shared_columns(list(tables.values()))
    refuse_few(scenario, rows, len(columns))
    settings, plan = Plans().of(scenario, rows, len(columns))
    seed = seed_for_tests(scenario)
    entropy = {name: party_entropy(seed, name) for name in (*owners, helper)}
    session = session_id({name: make("hello") for name, make in entropy.items()})
    agreement = Agreement(session, rows, columns, plan, {}, {}, settings=settings)
    programs = {owner: job.run.program(scenario, agreement, tables[owner]) for owner in owners}
    counts = _Counts()
    began = time.perf_counter()
    with blamed(foreign=job.run.foreign), _tracers(scenario, traces) as tracers:
        outcome = run_lockstep(programs, plan, entropy=entropy, helper=helper, tap=counts.tap, tracers=tracers)
        for tracer in tracers.values():
            tracer.planned(plan_facts(outcome.plan, scenario.network))
    finished = time.perf_counter()
    counts.add_unsent(outcome.plan)
    done = Agreement(session, rows, columns, outcome.plan, {}, {}, settings=settings)
    ways = [*outcome.plan.ways, *[False] * (len(outcome.plan.forks) - len(outcome.plan.ways))]
    seconds = {"connect": 0.0, "setup": began - started, "online": finished - began, "training": 0.0}
    return {
        name: result_of(
            scenario,
            name,
            done,
            {**counts.of(name, outcome.rounds), "seconds": {**seconds, "total": finished - started}},
            outcome.results.get(name),
            ways,
            outcome.reveals if name in owners else (),
        )
        for name in scenario.parties
    }


@contextmanager
def _tracers(scenario: Scenario, folder: Path | None) -> Iterator[dict[str, Tracer]]:
    """The tracers of all parties, closed at the end."""
    values = seed_for_tests(scenario) is not None
    tracers = {
        name: tracer_to(None if folder is None else trace_path(folder, name), name, values=values)
        for name in scenario.parties
    }
    try:
        yield tracers
    except BeaverlodgeError as error:
        for tracer in tracers.values():
            tracer.failed(error)
        raise
    finally:
        for tracer in tracers.values():
            tracer.close()


@dataclass(frozen=True)
class _Counts:
    """The traffic of each party, headers as between processes included."""

    sent: Counter[str] = field(default_factory=Counter)
    received: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    def tap(self, message: Message) -> bytes:
        """Count a message."""
        self._add(message.sender, message.receiver, len(message.body))
        return message.body

    def add_unsent(self, plan: Plan) -> None:
        """Count what only processes say: the last owner's credits, and which way it goes at each fork."""
        for size in (*[0] * plan.credits, *[WAY_BYTES] * len(plan.forks)):
            self._add(plan.owners[-1], plan.helper, size)

    def of(self, name: str, rounds: dict[str, int]) -> dict[str, int]:
        """A party's counts, as a record has them."""
        return {
            "rounds": rounds.get(name, 0),
            "bytes_sent": self.sent[name],
            "bytes_received": self.received[name],
            "messages": self.messages[name],
        }

    def _add(self, sender: str, receiver: str, size: int) -> None:
        self.sent[sender] += HEADER_BYTES + size
        self.received[receiver] += HEADER_BYTES + size
        self.messages[sender] += 1
