"""`mpc sweep`: a scenario, or a protocol, with varied settings, several runs each."""

from __future__ import annotations

from pathlib import Path

import click

from parties.cli.options import PROGRAM, QUIET
from parties.cli.output import Output


@click.command()
@click.argument("study", metavar="SCENARIO|FILE:FUNCTION")
@click.option(
    "--set",
    "options",
    metavar="KEY=VALUE,...",
    multiple=True,
    help="A setting and its values, such as task.l2=0,0.1,1; every combination of several settings is run.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How often each is run; every time with the next public seed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of all records (default: runs/NAME-sweep-TIME); an interrupted sweep goes on in its own.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Runs side by side (default: as the cores allow).")
@click.option("--dask", metavar="ADDRESS", help="Run on the Dask cluster whose scheduler is there (tcp://HOST:PORT).")
@click.option(
    "--input",
    "inputs",
    metavar="INPUT",
    multiple=True,
    help="What every owner gives a protocol of your own, as mpc simulate has it; --set owners=2,3,5 varies how many.",
)
@PROGRAM
@click.option("--no-compare", is_flag=True, help="Skip the comparison with training alone and in the clear.")
@QUIET
def sweep(
    study: str,
    options: tuple[str, ...],
    repeats: int,
    out: Path | None,
    jobs: int | None,
    dask: str | None,
    inputs: tuple[str, ...],
    program: str | None,
    no_compare: bool,
    quiet: bool,
) -> None:
    """Run a scenario or a protocol with varied settings.

    Every run is one of `mpc run`, on this machine or a Dask cluster. Ends with a table of medians and intervals: how
    good the model is, rounds, bytes and seconds. The same, with plots, is in the folder's sweep.html, and all numbers
    are in its sweep.json. A run that fails does not end the sweep. Called again with the same --out, a sweep goes on
    where it ended, and failed runs are tried again.
    """
    from parties.processes.child import one_blas_thread

    one_blas_thread()  # before numpy is loaded
    from parties.cli.sweep_all import sweep_all
    from parties.cli.sweep_source import source_of
    from parties.sweep.settings import read_settings
    from parties.sweep.study import read_study

    source = source_of(study, inputs, program, alone=dask is not None)
    settings = read_settings(options)
    sweep_all(
        read_study(source, settings, repeats, compare=not no_compare),
        out,
        jobs=jobs,
        dask=dask,
        output=Output(quiet=quiet),
    )
