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

    Shows what the scenario asks for, and asks for a yes. Opens and looks up nothing that the scenario names, except a
    roster in its folder. With --until or --by, a new approval replaces an existing one.
    """
    from parties.cli.run_party import ApprovalOptions, ask_approval
    from parties.scenario.file import Scenario
    from parties.session.separate import check_name
    from parties.tasks.star.base import check_identities
    from parties.trust.consent import Terms
    from parties.trust.roster import public_texts

    terms = Terms(by or "", until or "") if until is not None or by is not None else None
    loaded = Here(scenario, name, keys, data, sql, program).load()
    check_name(loaded, name)
    texts = public_texts(loaded)
    if not isinstance(loaded, Scenario):
        check_identities(loaded, texts)
    options = ApprovalOptions(digest, policy, asker(), terms)
    new, _ = ask_approval(loaded, name, keys, texts, options, Output(name))
    until = f", until {until}" if until else ""
    click.echo(f"{name} has approved {scenario}{' as it is now' if new else ' already, as it is now'}{until}", err=True)
