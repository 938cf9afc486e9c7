"""`mpc run` of owners and a helper: every party here, each a process of its own; the record in a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError, UsageError
from mpc.faults.fault import Fault
from parties.base.events import Event
from parties.cli.output import Shown
from parties.data.same_data import warn_of_same_data
from parties.processes.fault_agenda import FaultLog
from parties.processes.launcher import launch
from parties.processes.network.emulated import links_of, network_lines
from parties.processes.party.member import load_libraries
from parties.processes.party.own_faults import faults_order
from parties.report.record import add_comparison, record_of
from parties.report.recorded_run import FinishedRun, run_and_record
from parties.scenario.file import Scenario
from parties.scenario.star import StarScenario
from parties.tasks.registry import job_of, planned
from parties.trust.share_file import share_path


def run_locally(
    scenario: Scenario, out: Path | None, output: Shown, *, compare: bool, trace: bool = False
) -> FinishedRun:
    """Run a scenario's parties on this machine.

    Args:
        trace: whether every party records its rounds.

    Raises:
        BeaverlodgeError: the first cause of a failure; the record then says `failed` and why.
    """
    for owner in scenario.owners:
        if job_of(scenario).data.pools(scenario, owner):
            scenario.data_source(owner)
    _check_shares(scenario)
    log = FaultLog(planned_faults(scenario))

    def part(folder: Path) -> dict[str, Any]:
        return run_parties(scenario, folder, output, compare=compare, trace=trace, faults=log)

    return run_and_record(scenario, out, part, more=log.record)


def run_parties(
    scenario: Scenario,
    folder: Path,
    output: Shown,
    *,
    compare: bool,
    trace: bool = False,
    faults: FaultLog | None = None,
) -> dict[str, Any]:
    """Start a scenario's parties and wait for them; the record of what they gave.

    Args:
        folder: the run's.
        compare: whether it is compared with the same in the clear.
        trace: whether every party records its rounds.
        faults: what goes wrong on purpose, and where it is noted what did.
    """
    faults = faults or FaultLog(())
    network = scenario.network
    load_libraries(scenario)
    with output.progress(list(scenario.parties)) as progress:
        tell_beforehand(scenario, faults, progress, shared_rows=scenario.vertical)
        results = launch(
            scenario.path,
            scenario.parties,
            partial(orders, scenario, trace=trace),
            out=folder,
            on_event=progress,
            patience=scenario.session.deadline,
            network=links_of(network, faults.faults),
            faults=faults,
        )
    record = record_of(scenario, results)
    return add_comparison(scenario, record) if compare else record


def tell_beforehand(
    scenario: Scenario | StarScenario, faults: FaultLog, show: Callable[[str, Event], None], *, shared_rows: bool
) -> None:
    """Say what the links are made like and what is to go wrong, and warn of parties that read the same data.

    Args:
        show: takes events, each with whom it is about.
        shared_rows: whether the parties have the same patients, so that they may read one file.
    """
    told = [("network", text) for text in network_lines(scenario.network)]
    told += [("faults", f"on purpose: {text}") for text in faults.texts]
    for about, text in told:
        show(about, {"event": "log", "level": "info", "text": text})
    sources = {} if shared_rows else {name: party.data for name, party in scenario.parties.items()}
    for text in warn_of_same_data(sources, scenario.directory):
        show("warning", {"event": "log", "level": "warning", "text": text})


def planned_faults(scenario: Scenario) -> tuple[Fault, ...]:
    """The faults of a run; their labels and stages are compared with its plan, where that can be made.

    Raises:
        UsageError: this run has no such label or stage.
    """
    faults = () if scenario.faults is None else scenario.faults.faults
    if any(fault.label is not None or fault.stage is not None for fault in faults):
        from parties.report.plan import check_faults_of

        try:
            plan = planned(scenario)[1]
        except BeaverlodgeError:
            return faults  # the run says it
        check_faults_of(scenario, plan)
    return faults


def _check_shares(scenario: Scenario) -> None:
    """Refuse two owners of one machine with one file for their shares of a model."""
    holder: dict[Path, str] = {}
    for owner in scenario.owners:
        if scenario.parties[owner].model is None:
            continue
        path = share_path(scenario, owner, scenario.directory).resolve()
        if path in holder:
            hint = "name a folder, or a file for each"
            raise UsageError(f"{holder[path]} and {owner} have the same file for their shares, {path}", hint)
        holder[path] = owner


def orders(scenario: Scenario, *, trace: bool = False) -> dict[str, dict[str, Any]]:
    """Each party's order: throw-away keys, its own and the others' public ones."""
    from mpc.links.zmq.curve import new_identity
    from parties.processes.party.order_keys import write_keys

    pairs = {name: new_identity() for name in scenario.parties}
    # What the command line chose: another network than the file's, a program.
    chosen = {"network": scenario.network, "program": scenario.program}
    said: dict[str, Any] = {key: value.model_dump(mode="json") for key, value in chosen.items() if value is not None}
    said["trace"] = trace
    said |= faults_order(scenario.faults)
    given = {owner: {"given": words} for owner, words in scenario.given.items()}
    return {
        me: {
            "keys": write_keys(mine, {name: other for name, other in pairs.items() if name != me}),
            **said,
            **given.get(me, {}),
        }
        for me, mine in pairs.items()
    }
