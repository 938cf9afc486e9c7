"""`mpc doctor`: whether a run could start now."""

from __future__ import annotations

from pathlib import Path

import click

from mpc.errors import plain_text
from parties.cli.here import Here
from parties.cli.options import DATA, KEYS, POLICY, PROGRAM, SCENARIO, SQL


@click.command()
@SCENARIO
@click.option("--as", "name", help="Which party this machine is; without it, only the file is looked at.")
@KEYS
@DATA
@SQL
@PROGRAM
@POLICY
@click.option("--seconds", type=click.FloatRange(3.0), default=10.0, show_default=True, help="How long to look.")
def doctor(
    scenario: Path,
    name: str | None,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    program: str | None,
    policy: Path | None,
    seconds: float,
) -> int:
    """Say whether a run of SCENARIO could start now.

    Looks at the keys, the data, this machine's limits and the links, and says what to do about each problem. For the
    links, start the doctors of all parties at the same time; a waiting `mpc party` answers, too. Before the scenario
    is approved it looks at the keys, the policy and this machine alone. No data are sent. Ends with 0, or with the
    exit code of the first problem.
    """
    from parties.doctor.findings import Finding
    from parties.scenario.file import Scenario
    from parties.tasks.registry import load_any

    def tell(finding: Finding) -> None:
        for line in finding.lines:
            click.echo(line)

    def say(text: str) -> None:
        click.echo(plain_text(text), err=True)

    loaded = load_any(scenario) if name is None else Here(scenario, name, keys, data, sql, program).load()
    if not isinstance(loaded, Scenario):
        from parties.doctor.star import examine_star, examine_star_file

        if name is None:
            return examine_star_file(loaded, tell)
        return examine_star(loaded, name, keys, policy, seconds, tell, say)
    from parties.doctor.owners import examine, examine_file

    if name is None:
        return examine_file(loaded, tell)
    return examine(loaded, name, keys, policy, seconds, tell, say)
