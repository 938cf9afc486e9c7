"""`mpc roster`: the parties' public keys in one signed file."""

from __future__ import annotations

from pathlib import Path

import click

from mpc.errors import plain_text
from parties.cli.options import KEYS


@click.group()
def roster() -> None:
    """Keep the parties' public keys in one signed file."""


@roster.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="Whose key signs: the NAME of `mpc keygen NAME`.")
@KEYS
def sign(file: Path, name: str, keys: Path) -> None:
    """Sign the roster FILE as the administrator NAME, into FILE.sig."""
    from parties.trust.roster import sign_roster

    where, text, signed = sign_roster(file, name, keys)
    click.echo(f'signed_by = "{text}"')
    if signed.is_over():
        click.echo(f"{file} was valid until {signed.valid_until}: no party will take it", err=True)
    summary = plain_text(f"{', '.join(signed.parties)}; revoked keys: {len(signed.revoked)}")
    click.echo(f"the signature of {file} ({summary}) is in {where}: hand out both files", err=True)
