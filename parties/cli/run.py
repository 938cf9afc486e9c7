"""`mpc run`: every party here, each its own process."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.options import NETWORK, OUT, PROGRAM, QUIET, SCENARIO, START, STEP, TRACE
from parties.cli.output import Output


@click.command()
@SCENARIO
@OUT
@click.option("--no-compare", is_flag=True, help="Skip the comparison with training alone and in the clear.")
@NETWORK
@PROGRAM
@STEP
@START
@TRACE
@QUIET
def run(
    scenario: Path,
    out: Path | None,
    no_compare: bool,
    network: str | None,
    program: str | None,
    step: str | None,
    start: Path | None,
    trace: bool,
    quiet: bool,
) -> None:
    """Run every party of SCENARIO on this machine, each as a process.

    Ends with a summary: how good the joint model is, what it cost, and who learnt what. The same is in the record's
    result.json and report.html.
    """
    from parties.processes.child import one_blas_thread

    one_blas_thread()  # before numpy is loaded
    from parties.report.record import check_out
    from parties.scenario.file import Scenario
    from parties.scenario.network import on_preset
    from parties.scenario.step import with_own
    from parties.tasks.registry import load_any, with_program

    check_out(out)
    loaded = with_program(load_any(scenario), program, alone=False)
    loaded = on_preset(with_own(loaded, step, start), network)
    output = Output(quiet=quiet)
    if not isinstance(loaded, Scenario):
        from parties.cli.run_sum import run_sum

        finished = run_sum(loaded, out, output, trace=trace)
    else:
        from parties.cli.run_locally import run_locally

        finished = run_locally(loaded, out, output, compare=not no_compare, trace=trace)
    output.finished(finished)
    if trace:
        click.echo(f"Rounds: mpc trace {finished.folder}")
