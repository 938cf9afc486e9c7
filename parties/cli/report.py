"""`mpc report`: a run's summary, from its record."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Print the summary of the run in DIR and renew its report.html."""
    from parties.report.page import write_report
    from parties.report.read import read_record
    from parties.report.summary import print_summary

    record = read_record(folder)
    write_report(record, folder)
    print_summary(record, folder)
