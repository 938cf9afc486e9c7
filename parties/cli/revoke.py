"""`mpc revoke`: an approval withdrawn."""

from __future__ import annotations

import re
from pathlib import Path

import click

from mpc.errors import plain_text
from parties.cli.options import KEYS, PROGRAM


@click.command()
@click.argument("what", metavar="SCENARIO|DIGEST")
@click.option("--as", "name", required=True, help="Which party's approval it is.")
@KEYS
@PROGRAM
def revoke(what: str, name: str, keys: Path, program: str | None) -> None:
    """Withdraw what a party approved.

    Name the scenario as it is now, or the DIGEST of the approval or of the scenario. The next run has to be approved
    again. A run in progress goes on.
    """
    from parties.tasks.registry import load_any, with_program
    from parties.trust.consent import revoke as withdraw

    digest = what.lower()
    if not re.fullmatch("[0-9a-f]{64}", digest):
        digest = with_program(load_any(Path(what)), program, alone=True).digest
    for one in withdraw(name, keys, digest):
        given = f"of {one.when[:10]}{' by ' + one.by if one.by else ''}{', until ' + one.until if one.until else ''}"
        click.echo(plain_text(f"revoked: the approval {given} of '{one.scenario}' for {name}, {one.approves}"))
