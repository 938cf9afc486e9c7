"""`mpc plan`: what a run costs and who learns what, before it runs."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.options import NETWORK, PROGRAM, SCENARIO


@click.command()
@SCENARIO
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@NETWORK
@PROGRAM
def plan(scenario: Path, as_json: bool, network: str | None, program: str | None) -> None:
    """Say what SCENARIO costs and who learns what, before it runs.

    Sends nothing. Reads the owners' row counts and shared columns from their data, or takes `rows` and `features` from
    the scenario where the data are elsewhere.
    """
    from parties.report.plan import check_faults_of, print_plan
    from parties.scenario.file import Scenario
    from parties.scenario.network import on_preset
    from parties.tasks.registry import load_any, planned, with_program

    loaded = on_preset(with_program(load_any(scenario), program, alone=False), network)
    if not isinstance(loaded, Scenario):
        from parties.report.plan import print_star_plan

        print_star_plan(loaded, as_json=as_json)
        return
    settings, made = planned(loaded)
    check_faults_of(loaded, made)
    print_plan(made, settings, loaded, as_json=as_json)
