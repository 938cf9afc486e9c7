"""`mpc party`: one party here, the others elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from parties.cli.guard import guarded
from parties.cli.here import Here, Own, asker
from parties.cli.options import AS, DATA, KEYS, OUT, POLICY, PROGRAM, QUIET, SCENARIO, SQL, START, STEP, TRACE
from parties.cli.output import Output


@click.command()
@SCENARIO
@AS
@OUT
@KEYS
@DATA
@SQL
@PROGRAM
@STEP
@START
@click.option("--approve", metavar="DIGEST", help="Approve what has this digest: the last that is shown.")
@POLICY
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The log and all that is printed: lines of text, or one JSON object a line.",
)
@TRACE
@QUIET
def party(
    scenario: Path,
    name: str,
    out: Path | None,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    program: str | None,
    step: str | None,
    start: Path | None,
    approve: str | None,
    policy: Path | None,
    log_format: Literal["text", "json"],
    trace: bool,
    quiet: bool,
) -> int:
    """Take part in SCENARIO as one party; the others run on theirs.

    The scenario, or a signed roster that it names, must give every party's public_key, and the scenario an address
    for one side of each pair. Before the first run of a scenario, what it asks for is shown and has to be approved.
    """
    output = Output(name, log_format, quiet)
    here = Here(scenario, name, keys, data, sql, program, Own(step, start))
    return guarded(lambda: _take_part(here, out, approve, policy, output, trace=trace), output)


def _take_part(
    here: Here, out: Path | None, approve: str | None, policy: Path | None, output: Output, *, trace: bool
) -> None:
    from parties.cli.run_party import ApprovalOptions, run_party
    from parties.report.record import check_out
    from parties.scenario.file import Scenario

    check_out(out)
    options = ApprovalOptions(approve, policy, asker())
    loaded = here.load()
    if isinstance(loaded, Scenario):
        done = run_party(loaded, here.name, out, here.keys, options, output, trace=trace)
    else:
        from parties.cli.run_star_party import run_star_party

        done = run_star_party(loaded, here.name, out, here.keys, options, output, trace=trace)
    output.finished(done)
