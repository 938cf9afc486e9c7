"""`mpc approve`: one party's approval of a scenario, without a run."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.here import Here, asker
from parties.cli.options import AS, DATA, KEYS, POLICY, PROGRAM, SCENARIO, SQL
from parties.cli.output import Output


@click.command()
@SCENARIO
@AS
@KEYS
@DATA
@SQL
@PROGRAM
@click.option("--digest", metavar="DIGEST", help="Approve what has this digest, without being asked.")
@click.option("--until", metavar="DATE", help="The approval ends with this day (2027-03-31, UTC), or at this time.")
@click.option("--by", metavar="WHO", help="Who approves (default: the user of this command).")
@POLICY
def approve(
    scenario: Path,
    name: str,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    program: str | None,
    digest: str | None,
    until: str | None,
    by: str | None,
    policy: Path | None,
) -> None:
    """Approve SCENARIO as one party, without a run.

    Shows what it asks for, and asks. Nothing that it names is opened or looked up for that, but a roster in its
    folder. With --until or --by, a new approval takes the place of one that there is.
    """
    from parties.scenario.file import Scenario
    from parties.trust.consent import Terms

    terms = Terms(by or "", until or "") if until is not None or by is not None else None

    loaded = Here(scenario, name, keys, data, sql, program).load()
    ask, output = asker(), Output(name)
    if isinstance(loaded, Scenario):
        from parties.cli.run_party import ask_approval
        from parties.session.separate import check_name

        check_name(loaded, name)
        new, _ = ask_approval(loaded, name, keys, digest, policy, ask, output, terms=terms)
    else:
        from parties.cli.sum_party import ask_sum_approval, check_texts

        new, _ = ask_sum_approval(loaded, name, keys, check_texts(loaded, name), digest, policy, ask, output, terms)
    until = f", until {until}" if until else ""
    click.echo(f"{name} has approved {scenario}{' as it is now' if new else ' already, as it is now'}{until}", err=True)
