"""`mpc new`: a scenario to start from."""

from __future__ import annotations

from pathlib import Path

import click

from mpc.errors import UsageError, plain_text


@click.command()
@click.argument("folder", metavar="DIR", required=False, type=click.Path(path_type=Path))
@click.option(
    "--data",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="An owner's table, CSV or Parquet: once for each owner, twice at least.",
)
@click.option(
    "--target", metavar="COLUMN", help="The column to predict: of 0 and 1 (default: the only one), or numbers."
)
@click.option("--positive", metavar="VALUE", help="The target's value that counts as 1, if it is not 1, yes or true.")
@click.option("--id", "identifier", metavar="COLUMN", help="The column that names a row (default: one called so).")
@click.option("--protocol", metavar="NAME", help="Write NAME.py and its test instead, into DIR or the current folder.")
@click.option("--clients", is_flag=True, help="With --protocol: one between a server and clients.")
def new(
    folder: Path | None,
    files: tuple[Path, ...],
    target: str | None,
    positive: str | None,
    identifier: str | None,
    protocol: str | None,
    clients: bool,
) -> None:
    """Write a scenario, or a protocol, to start from.

    The scenario is for your own tables, or for two small ones that are made up. Looks into the files: the owners are
    named after them, and every numeric column that all have is a feature. Files with the same ids, of which one has
    the target, are other columns of the same patients: partition = "vertical".
    """
    if protocol is not None:
        used = bool(files or target or positive or identifier)
        _write_protocol(folder or Path(), protocol, used=used, clients=clients)
        return
    if clients:
        raise UsageError("--clients goes with --protocol", "name the protocol: --protocol NAME")
    if folder is None:
        raise UsageError("missing argument 'DIR'", "name the folder of the scenario, or a --protocol to write")
    from parties.new.choices import Options
    from parties.new.scenario import new_scenario

    for line in new_scenario(folder, files, Options(target, positive, identifier)).lines:
        click.echo(plain_text(line))


def _write_protocol(folder: Path, name: str, *, used: bool, clients: bool) -> None:
    from parties.new.protocol import new_protocol

    if used:
        raise UsageError("--protocol goes with no other option", "a protocol has no data: leave the others out")
    for line in new_protocol(folder, name, clients=clients):
        click.echo(plain_text(line))
