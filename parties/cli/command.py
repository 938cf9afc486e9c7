"""The command `mpc`: its group, and its start and end. A subcommand is a file of this folder."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from parties.base.ending import end_process
from parties.base.version import VERSION
from parties.cli.approve import approve
from parties.cli.audit import audit
from parties.cli.budget import budget
from parties.cli.doctor import doctor
from parties.cli.guard import guarded
from parties.cli.keygen import keygen
from parties.cli.new import new
from parties.cli.party import party
from parties.cli.plan import plan
from parties.cli.report import report
from parties.cli.revoke import revoke
from parties.cli.roster import roster
from parties.cli.run import run
from parties.cli.simulate import simulate
from parties.cli.sweep import sweep
from parties.cli.trace import trace


@click.group(
    commands=[
        approve,
        audit,
        budget,
        doctor,
        keygen,
        new,
        party,
        plan,
        report,
        revoke,
        roster,
        run,
        simulate,
        sweep,
        trace,
    ],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name="mpc")
def cli() -> None:
    """Hospitals train one model, or add up their statistics, without showing each other their patients.

    A scenario file says who takes part and what is computed: try `mpc run scenarios/two_hospitals.toml`.

    Exit codes: 0 done; 2 usage, scenario or a port in use; 3 data; 4 a peer is unreachable, lost or too late;
    5 peers disagree or one is refused; 6 a protocol's check failed; 7 too few participants; 8 the run is done, but
    what it gave could not be written or printed; 9 some runs of a sweep failed; 10 an audit
    contradicts a claim of epsilon; 70 a bug of ours; 130 interrupted.
    """


def main() -> NoReturn:
    """The entry point: a process that is a command."""
    end_process(carry_out())


def carry_out() -> int:
    """Do what `sys.argv` says: every error ends in one sentence and the design's exit code, which is returned."""
    _open_streams()
    return guarded(lambda: cli.main(prog_name="mpc", standalone_mode=False))


def _open_streams() -> None:
    """Open closed standard streams on the null device: else the next file that is opened would take their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
    # Python has None where a stream was closed.
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
