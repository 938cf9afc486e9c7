"""`mpc keygen`: a party's key pair."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.options import KEYS


@click.command()
@click.argument("name")
@KEYS
@click.option(
    "--passphrase", is_flag=True, help="Put the private key under a passphrase: asked, or in BEAVERLODGE_PASSPHRASE."
)
def keygen(name: str, keys: Path, passphrase: bool) -> None:
    """Make the key pair of the party NAME and print the public_key."""
    from parties.scenario.file import NAME_HINT, PARTY_NAME
    from parties.trust.keys import generate, new_passphrase

    path, text = generate(name, keys, new_passphrase() if passphrase else None)
    click.echo(f'public_key = "{text}"')
    if not PARTY_NAME.fullmatch(name):
        click.echo(f"{name} can sign rosters, but cannot be a party's name in a scenario: {NAME_HINT}", err=True)
    under = ", under the passphrase" if passphrase else ""
    click.echo(f"the private key is in {path}{under}: keep it on this machine, readable by you alone", err=True)
