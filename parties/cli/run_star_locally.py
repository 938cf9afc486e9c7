"""`mpc run` of a server and clients: the server, each client and each host of many clients a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError, PeerLostError, TooFewError
from mpc.faults.fault import Fault
from parties.cli.output import Shown
from parties.cli.run_locally import tell_beforehand
from parties.processes.fault_agenda import FaultLog
from parties.processes.launcher import launch
from parties.processes.network.emulated import links_of
from parties.processes.party.inside import INSIDE
from parties.processes.party.member import load_libraries
from parties.processes.party.own_faults import faults_order
from parties.report.recorded_run import FinishedRun, run_and_record
from parties.scenario.faults import check_words
from parties.scenario.problems import Problem, Reading, read_or_refuse
from parties.scenario.star import HOSTED, StarScenario
from parties.scenario.step import write_order
from parties.tasks.registry import star_of
from parties.tasks.star.base import server_state


def run_star_locally(scenario: StarScenario, out: Path | None, output: Shown, *, trace: bool = False) -> FinishedRun:
    """Run a scenario's server and clients on this machine.

    Args:
        trace: whether all record their stages.

    Raises:
        BeaverlodgeError: why there is no result; the record then says `failed` and why.
    """
    check_program(scenario)
    log = fault_log(scenario)
    return run_and_record(
        scenario, out, lambda folder: run_star_parties(scenario, folder, output, log, trace=trace), more=log.record
    )


def fault_log(scenario: StarScenario) -> FaultLog:
    """The faults of a run, with the note of those that struck."""
    spec = scenario.faults
    return FaultLog(() if spec is None else spec.faults, tuple(scenario.hosted_faults.values()))


def check_program(scenario: StarScenario) -> None:
    """Tells of a slip in somebody's own program before there is a folder or a process.

    Raises:
        UsageError: its plan, which is a run on made-up inputs, fails; or a fault is of a stage that it has not.
    """
    star, spec = star_of(scenario), scenario.faults
    if not star.foreign:
        return
    stages = star.plan(scenario)["stages"]
    if spec is not None:
        hosted = [] if spec.clients is None else [Fault("vanish", stage=spec.clients.stage)]
        words = check_words([*spec.faults, *hosted], (), ("start", "joining", *stages))
        read_or_refuse(str(scenario.path), _checked(words))


def _checked(problems: Iterator[Problem]) -> Reading[bool]:
    yield from problems
    return True


def run_star_parties(
    scenario: StarScenario, folder: Path, output: Shown, faults: FaultLog, *, trace: bool
) -> dict[str, Any]:
    """Start a server and its clients and wait for them; the record of what they gave.

    Args:
        folder: the run's.
        faults: what goes wrong on purpose, and where it is noted what did.
        trace: whether all record their stages.
    """
    names = [scenario.server, *scenario.processes]
    load_libraries(scenario)
    with output.progress(names) as progress:
        tell_beforehand(scenario, faults, progress, shared_rows=False)
        chosen = partial(_chosen, scenario)
        trial = {"trace": trace, **faults_order(scenario.faults)}
        try:
            results = launch(
                scenario.path,
                names,
                lambda: {name: {**order, **trial, **chosen(name)} for name, order in orders(scenario).items()},
                out=folder,
                on_event=progress,
                patience=scenario.session.deadline,
                essential=_essential(scenario),
                network=links_of(
                    scenario.network, faults.faults, lambda name: name if name in scenario.parties else HOSTED
                ),
                faults=faults,
            )
        except BeaverlodgeError as error:
            raise _with_code(error, scenario) from None
    server_state(scenario, folder, b"").remove()  # nobody can open it: its key is thrown away
    results[scenario.server], inside = _split(results.get(scenario.server, {}))
    return star_record_of(scenario, {**results, **inside})


def _split(result: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The server's report, and those of the clients in its process."""
    return {key: value for key, value in result.items() if key != INSIDE}, result.get(INSIDE, {})


def star_record_of(scenario: StarScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run on this machine, with what its kind compares it with, if it does."""
    star = star_of(scenario)
    record = star.record(scenario, results)
    beside = None if star.compare is None else star.compare(scenario, record)
    return {**record, "comparison": beside} if beside else record


def _essential(scenario: StarScenario) -> list[str]:
    """Without whom there is no result: the server; of somebody's own program all, for a mistake in it is everybody's.

    Where processes are to fail on purpose, they may.
    """
    on_purpose = scenario.faults is not None and scenario.faults.faults
    hosts = scenario.processes if star_of(scenario).foreign and not on_purpose else ()
    return [scenario.server, *hosts]


def _chosen(scenario: StarScenario, process: str) -> dict[str, Any]:
    """The fields of a process's order that come from the command line or from Python."""
    if scenario.program is None:
        return write_order(scenario)
    mine = scenario.processes.get(process, scenario.inside)
    given = {name: scenario.given[name] for name in mine if name in scenario.given}
    return {"program": scenario.program.model_dump(mode="json"), "given": given}


def _with_code(error: BeaverlodgeError, scenario: StarScenario) -> BeaverlodgeError:
    """The error, with exit code 7 (too few) if the server was lost: nothing was learnt."""
    if isinstance(error, PeerLostError) and error.party == scenario.server:
        hint = "; ".join(part for part in ("there is no result without it", error.hint) if part)
        return TooFewError(error.message, hint, party=error.party)
    return error


def orders(scenario: StarScenario) -> dict[str, dict[str, Any]]:
    """Each process's order: which clients it is, throw-away keys, and the public ones of those it talks to."""
    from mpc.links.zmq.curve import new_identity
    from parties.processes.party.order_keys import write_identity, write_keys

    server = new_identity()
    inside = set(scenario.inside)
    pairs = {name: new_identity() for name in scenario.star_names if name not in inside}
    found: dict[str, dict[str, Any]] = {scenario.server: {"keys": write_keys(server, pairs)}}
    trust = _signing_keys(scenario)
    processes = scenario.processes
    numbers = {name: i for i, name in enumerate(scenario.star_names)}
    found[scenario.server]["processes"] = {name: [numbers[c] for c in clients] for name, clients in processes.items()}
    for process, clients in processes.items():
        found[process] = {
            "clients": {name: write_identity(pairs[name]) for name in clients},
            "server": server.public.decode(),
        }
    if trust is not None:  # so there is no helper
        secret, public = trust
        for process, clients in {**processes, scenario.server: scenario.inside}.items():
            found[process]["signing"] = {name: secret[name] for name in clients}
            found[process]["verifying"] = public if clients else []
    return found


def _signing_keys(scenario: StarScenario) -> tuple[Mapping[str, str], list[str]] | None:
    """With a lying server: each client's signing key, and everybody's public one, in hexadecimal."""
    if scenario.task.server != "malicious":
        return None
    from mpc.randomness.key_agreement import Signer

    secrets = {name: os.urandom(32) for name in scenario.client_names}
    return {name: key.hex() for name, key in secrets.items()}, [Signer(key).public.hex() for key in secrets.values()]
