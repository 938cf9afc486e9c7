"""`mpc simulate`: a protocol of one's own, every party here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mpc.errors import UsageError
from parties.cli.options import NETWORK, OUT, QUIET, TRACE
from parties.cli.output import Output


class _Lists(click.Command):
    """A command whose `--data` takes one file or several, up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each of several files an option of its own, as click reads them."""
        words: list[str] = []
        listing = False
        for one in args:
            if one == "--data":
                listing = True
            elif one.startswith("-"):
                listing = False
                words.append(one)
            else:
                words += ["--data", one] if listing else [one]
        return super().parse_args(ctx, words)


@click.command(cls=_Lists)
@click.argument("program", metavar="FILE:FUNCTION")
@click.option("--owners", type=click.IntRange(2, 60), help="How many owners (default: 2, or one for each file).")
@click.option(
    "--clients",
    type=click.IntRange(1, 10_000),
    help="How many clients of a server, in place of owners: FUNCTION names the pair FUNCTION_client, FUNCTION_server.",
)
@click.option(
    "--input",
    "inputs",
    metavar="INPUT",
    multiple=True,
    help="What every owner gives: reals:5, reals:5x3,scale=16,largest=1000, integers:10,low=0,high=9 or bits:8, drawn "
    "at random; once for each of the function's parameters.",
)
@click.option(
    "--data",
    "files",
    metavar="FILES",
    type=click.Path(path_type=Path),
    multiple=True,
    help="The owners' tables, CSV or Parquet, one for each: the function's first input, unless --input table says "
    "which one it is. Of clients: one file with a column that --by names, or a path with {client} in it.",
)
@click.option("--by", metavar="NAME", help="Of clients: the column of --data that names a row's client.")
@click.option("--column", "columns", metavar="NAME", multiple=True, help="A column of these tables (default: all).")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="What the inputs are drawn from.")
@NETWORK
@click.option("--vanish", type=click.FloatRange(0, 1), default=0.0, help="The share of clients that vanish.")
@click.option("--lockstep", is_flag=True, help="Run all parties in one thread, not in processes.")
@OUT
@click.option(
    "--insecure-seed", type=click.IntRange(0), metavar="N", help="Make all secret randomness repeatable, for tests."
)
@TRACE
@QUIET
def simulate(
    program: str,
    owners: int | None,
    clients: int | None,
    inputs: tuple[str, ...],
    files: tuple[Path, ...],
    columns: tuple[str, ...],
    by: str | None,
    seed: int,
    network: str | None,
    vanish: float,
    lockstep: bool,
    out: Path | None,
    insecure_seed: int | None,
    trace: bool,
    quiet: bool,
) -> None:
    """Run a protocol of your own, every party a process.

    It is the async function FUNCTION of FILE, run by owners and a helper. The function gets its Party and, for each
    --input, a tuple with a share of what every owner gives. With --clients it is the pair FUNCTION_client and
    FUNCTION_server, run by so many clients and a server. Ends with what it returned, what it cost and who learnt
    what, as a run of a scenario does; the scenario is in the run's folder. Where the file has a plain function
    FUNCTION_reference, the results are compared with it. See docs/simulate.md.
    """
    from parties.processes.child import one_blas_thread

    one_blas_thread()  # before numpy is loaded
    output = Output(quiet=quiet)
    asked: dict[str, Any] = {"program": program, "inputs": inputs, "files": files, "columns": columns, "seed": seed}
    asked |= {"network": network, "insecure_seed": insecure_seed}
    if clients is not None or by is not None:
        from parties.cli.star_simulation import StarSimulation, run_star_simulation

        _refuse(owners is not None, "--owners goes with no clients", "leave out --owners, or --clients and --by")
        star = StarSimulation(**asked, clients=clients, by=by, vanish=vanish)
        finished = run_star_simulation(star, out, output, lockstep=lockstep, trace=trace)
    else:
        from parties.cli.simulation import Simulation, run_simulation

        _refuse(vanish > 0, "--vanish is of clients", "say how many there are: --clients 50")
        finished = run_simulation(Simulation(**asked, owners=owners), out, output, lockstep=lockstep, trace=trace)
    output.finished(finished, trace=trace)


def _refuse(problem: bool, message: str, hint: str) -> None:
    if problem:
        raise UsageError(message, hint)
