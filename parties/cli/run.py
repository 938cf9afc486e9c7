"""`mpc run`: every party here, each its own process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from parties.cli.options import NETWORK, OUT, PROGRAM, QUIET, SCENARIO, START, STEP, TRACE
from parties.cli.output import Output, Shown

if TYPE_CHECKING:
    from parties.report.recorded_run import FinishedRun
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario


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
    from parties.scenario.network import on_preset
    from parties.scenario.step import with_own
    from parties.tasks.registry import load_any, with_program

    check_out(out)
    loaded = with_program(load_any(scenario), program, alone=False)
    loaded = on_preset(with_own(loaded, step, start), network)
    output = Output(quiet=quiet)
    output.finished(run_all(loaded, out, output, compare=not no_compare, trace=trace), trace=trace)


def run_all(
    scenario: Scenario | StarScenario, out: Path | None, output: Shown, *, compare: bool, trace: bool = False
) -> FinishedRun:
    """Run every party of a scenario on this machine. What only the other class of scenario needs is not imported.

    Args:
        compare: whether a training is compared with the same alone and in the clear.
        trace: whether every party records its rounds.

    Raises:
        BeaverlodgeError: the first cause of a failure; the record then says `failed` and why.
    """
    from parties.scenario.file import Scenario

    if isinstance(scenario, Scenario):
        from parties.cli.run_locally import run_locally

        return run_locally(scenario, out, output, compare=compare, trace=trace)
    from parties.cli.run_star_locally import run_star_locally

    return run_star_locally(scenario, out, output, trace=trace)
