"""`mpc run`: every party here, each its own process; the record in a folder; a summary on the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError
from parties.launcher import launch
from parties.progress import Progress
from parties.record import default_out, failed_record, merge_results, start_record, write_record
from parties.scenario import Scenario


def run_locally(scenario: Scenario, out: Path | None, *, compare: bool) -> tuple[dict[str, Any], Path]:
    """Run a scenario's parties on this machine; returns the record and its folder.

    Raises:
        BeaverlodgeError: the first cause of a failure; the record then says `failed` and why.
    """
    for owner in scenario.owners:
        scenario.data_source(owner)
    folder = out or default_out(scenario.name)
    start_record(folder, scenario.name, scenario.digest)
    try:
        record = _run(scenario, folder, compare=compare)
    except BeaverlodgeError as error:
        record = failed_record(error, scenario_name=scenario.name, scenario_digest=scenario.digest)
        _write(folder, record)
        raise
    _write(folder, record)
    return record, folder


def _run(scenario: Scenario, folder: Path, *, compare: bool) -> dict[str, Any]:
    with Progress(list(scenario.parties)) as progress:
        results = launch(scenario.path, orders(scenario), out=folder, on_event=progress)
    record = merge_results(results, scenario_name=scenario.name, scenario_digest=scenario.digest)
    if compare:
        from parties.comparison import compare as with_plaintext

        model = record["model"]
        standardised = [*model["standardised_weights"], model["standardised_intercept"]]
        record["comparison"] = with_plaintext(scenario, record, standardised)
    return record


def orders(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Each party's order: throw-away keys, its own and the others' public ones."""
    import zmq

    pairs = {name: zmq.curve_keypair() for name in scenario.parties}
    return {
        me: {
            "keys": {
                "public": public.decode(),
                "secret": secret.decode(),
                "peers": {name: pair[0].decode() for name, pair in pairs.items() if name != me},
            }
        }
        for me, (public, secret) in pairs.items()
    }


def _write(folder: Path, record: dict[str, Any]) -> None:
    from parties.report import write_report

    write_record(folder, record)
    write_report(record, folder)
