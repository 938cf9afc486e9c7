"""`mpc revoke`: an approval withdrawn."""

from __future__ import annotations

import re
from pathlib import Path

import click

from mpc.errors import plain_text
from parties.cli.options import KEYS


@click.command()
@click.argument("what", metavar="SCENARIO|DIGEST")
@click.option("--as", "name", required=True, help="Which party's approval it is.")
@KEYS
def revoke(what: str, name: str, keys: Path) -> None:
    """Withdraw what a party approved.

    That is a scenario as it is now, or what has DIGEST (the approval's or the scenario's). The next run of it has to
    be approved again. One that is under way goes on.
    """
    from parties.tasks.registry import load_any
    from parties.trust.consent import revoke as withdraw

    digest = what.lower() if re.fullmatch("[0-9a-fA-F]{64}", what) else load_any(Path(what)).digest
    for one in withdraw(name, keys, digest):
        given = f"of {one.when[:10]}{' by ' + one.by if one.by else ''}{', until ' + one.until if one.until else ''}"
        click.echo(plain_text(f"revoked: the approval {given} of '{one.scenario}' for {name}, {one.approves}"))
