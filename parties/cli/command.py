"""The command `mpc`. Each subcommand loads what it needs when it is called, so that `mpc --help` answers at once."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from mpc.errors import BeaverlodgeError, InterruptedRun, UsageError, plain_text
from parties.base.bugs import as_error
from parties.base.ending import end_process
from parties.base.version import VERSION
from parties.cli.output import Output

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SCENARIO = click.argument("scenario", type=click.Path(path_type=Path))
_OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the run's record (default: runs/NAME-TIME)."
)
_KEYS = click.option(
    "--keys", type=click.Path(path_type=Path), default=Path("keys"), show_default=True, help="Folder of key files."
)

_QUIET = click.option(
    "--quiet", is_flag=True, help="Print how the run ended and where its record is, and nothing of its result."
)


_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="This party's own table, instead of the scenario's `data`: CSV, Parquet, or with --sql a DuckDB database.",
)
_SQL = click.option("--sql", type=click.Path(path_type=Path), help="A file with the query of that database.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="mpc")
def cli() -> None:
    """Hospitals train one model, or add up their statistics, without showing each other their patients.

    A scenario file says who takes part and what is computed: try `mpc run scenarios/two_hospitals.toml`.

    Exit codes: 0 done; 2 usage, scenario or a port in use; 3 data; 4 a peer is unreachable, lost or too late;
    5 peers disagree or one is refused; 6 a protocol's check failed; 7 too few participants; 8 the run is done, but
    what it gave could not be written or printed; 70 a bug of ours; 130 interrupted.
    """


@cli.command()
@_SCENARIO
@_OUT
@click.option("--no-compare", is_flag=True, help="Skip the comparison with training alone and in the clear.")
@_QUIET
def run(scenario: Path, out: Path | None, no_compare: bool, quiet: bool) -> None:
    """Run every party of SCENARIO on this machine, each as a process.

    Ends with a summary: how good the joint model is, what it cost, and who learnt what. The same is in the record's
    result.json and report.html.
    """
    from parties.processes.child import one_blas_thread

    one_blas_thread()  # before numpy is loaded
    from parties.report.record import check_out
    from parties.scenario.file import Scenario
    from parties.tasks.registry import load_any

    check_out(out)
    loaded, output = load_any(scenario), Output(quiet=quiet)
    if not isinstance(loaded, Scenario):
        from parties.cli.run_sum import run_sum

        finished = run_sum(loaded, out, output)
    else:
        from parties.cli.run_locally import run_locally

        finished = run_locally(loaded, out, output, compare=not no_compare)
    output.finished(finished)


@cli.command()
@_SCENARIO
@click.option("--as", "name", required=True, help="Which party of the scenario this machine is.")
@_OUT
@_KEYS
@_DATA
@_SQL
@click.option("--approve", metavar="DIGEST", help="Approve what has this digest: the last that is shown.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="What to refuse (default: policy.toml beside the keys)."
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The log and all that is printed: lines of text, or one JSON object a line.",
)
@_QUIET
def party(
    scenario: Path,
    name: str,
    out: Path | None,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    approve: str | None,
    policy: Path | None,
    log_format: Literal["text", "json"],
    quiet: bool,
) -> int:
    """Take part in SCENARIO as one party; the others run on theirs.

    The scenario, or a signed roster that it names, must give every party's public_key, and the scenario an address
    for one side of each pair. Before the first run of a scenario, what it asks for is shown and has to be approved.
    """
    output = Output(name, log_format, quiet)
    here = _Here(scenario, name, keys, data, sql)
    return _guarded(lambda: _take_part(here, out, approve, policy, output), output)


@dataclass(frozen=True)
class _Here:
    """A scenario's file, which party this is, and where its keys and its own data are."""

    scenario: Path
    name: str
    keys: Path
    data: Path | None
    sql: Path | None

    def load(self) -> Scenario | StarScenario:
        """The scenario as this party takes part in it."""
        from parties.session.own_data import with_own_data
        from parties.tasks.registry import load_any

        return with_own_data(load_any(self.scenario), self.name, self.keys, self.data, self.sql)


def _take_part(here: _Here, out: Path | None, approve: str | None, policy: Path | None, output: Output) -> None:
    from parties.report.record import check_out
    from parties.scenario.file import Scenario

    check_out(out)
    ask = _typed_yes if sys.stdin.isatty() else None
    loaded = here.load()
    if not isinstance(loaded, Scenario):
        from parties.cli.sum_party import run_sum_party

        part = partial(run_sum_party, loaded)
    else:
        from parties.cli.run_party import run_one

        part = partial(run_one, loaded)
    output.finished(part(here.name, out, here.keys, approve=approve, policy=policy, ask=ask, output=output))


@cli.command()
@_SCENARIO
@click.option("--as", "name", required=True, help="Which party of the scenario this machine is.")
@_KEYS
@_DATA
@_SQL
@click.option("--digest", metavar="DIGEST", help="Approve what has this digest, without being asked.")
@click.option("--until", metavar="DATE", help="The approval ends with this day (2027-03-31, UTC), or at this time.")
@click.option("--by", metavar="WHO", help="Who approves (default: the user of this command).")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="What to refuse (default: policy.toml beside the keys)."
)
def approve(
    scenario: Path,
    name: str,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    digest: str | None,
    until: str | None,
    by: str | None,
    policy: Path | None,
) -> None:
    """Approve SCENARIO as one party, without a run.

    Shows what it asks for, and asks. Nothing that it names is opened or looked up for that, but a roster in its
    folder. With --until or --by, a new approval takes the place of one that there is.
    """
    from parties.scenario.file import Scenario
    from parties.trust.consent import Terms

    terms = Terms(by or "", until or "") if until is not None or by is not None else None

    loaded = _Here(scenario, name, keys, data, sql).load()
    ask, output = _typed_yes if sys.stdin.isatty() else None, Output(name)
    if isinstance(loaded, Scenario):
        from parties.cli.run_party import ask_approval
        from parties.session.separate import check_name

        check_name(loaded, name)
        new, _ = ask_approval(loaded, name, keys, digest, policy, ask, output, terms=terms)
    else:
        from parties.cli.sum_party import ask_sum_approval, checked_texts

        new, _ = ask_sum_approval(loaded, name, keys, checked_texts(loaded, name), digest, policy, ask, output, terms)
    until = f", until {until}" if until else ""
    click.echo(f"{name} has approved {scenario}{' as it is now' if new else ' already, as it is now'}{until}", err=True)


@cli.command()
@click.argument("what", metavar="SCENARIO|DIGEST")
@click.option("--as", "name", required=True, help="Which party's approval it is.")
@_KEYS
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


@cli.command()
@_SCENARIO
@click.option("--as", "name", help="Which party this machine is; without it, only the file is looked at.")
@_KEYS
@_DATA
@_SQL
@click.option(
    "--policy", type=click.Path(path_type=Path), help="What to refuse (default: policy.toml beside the keys)."
)
@click.option("--seconds", type=click.FloatRange(3.0), default=10.0, show_default=True, help="How long to look.")
def doctor(
    scenario: Path,
    name: str | None,
    keys: Path,
    data: Path | None,
    sql: Path | None,
    policy: Path | None,
    seconds: float,
) -> int:
    """Say whether a run of SCENARIO could start now.

    Says what to do where it could not. Looks at the keys, the data, this machine's limits, and the links: every party's
    doctor at the same time, or its `mpc party`, which goes on waiting. Before the scenario is approved it looks at
    the keys, the policy and this machine alone. No data are sent. Ends with 0, or with the exit code of the first
    problem.
    """
    from parties.doctor.findings import Finding
    from parties.scenario.file import Scenario
    from parties.tasks.registry import load_any

    def tell(finding: Finding) -> None:
        for line in finding.lines:
            click.echo(line)

    def say(text: str) -> None:
        click.echo(plain_text(text), err=True)

    loaded = load_any(scenario) if name is None else _Here(scenario, name, keys, data, sql).load()
    if not isinstance(loaded, Scenario):
        from parties.doctor.sums import examine_sum, examine_sum_file

        if name is None:
            return examine_sum_file(loaded, tell)
        return examine_sum(loaded, name, keys, policy, seconds, tell, say)
    from parties.doctor.owners import examine, examine_file

    if name is None:
        return examine_file(loaded, tell)
    return examine(loaded, name, keys, policy, seconds, tell, say)


@cli.command()
@_SCENARIO
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(scenario: Path, as_json: bool) -> None:
    """Say what SCENARIO costs and who learns what, before it runs.

    Sends nothing. Reads the owners' row counts and shared columns from their data, or takes `rows` and `features` from
    the scenario where the data are elsewhere.
    """
    from parties.report.plan import print_plan
    from parties.scenario.file import Scenario
    from parties.tasks.registry import load_any, planned

    loaded = load_any(scenario)
    if not isinstance(loaded, Scenario):
        from parties.report.plan import print_star_plan

        print_star_plan(loaded, as_json=as_json)
        return
    settings, made = planned(loaded)
    print_plan(made, settings, loaded, as_json=as_json)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
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
def new(
    folder: Path, files: tuple[Path, ...], target: str | None, positive: str | None, identifier: str | None
) -> None:
    """Write a commented scenario into DIR.

    It is for your own tables, or for two small ones that are made up. Looks into the files: the owners are named after
    them, and every numeric column that all have is a feature. Files with the same ids, of which one has the target,
    are other columns of the same patients: partition = "vertical".
    """
    from parties.new.choices import Asked
    from parties.new.scenario import new_scenario

    for line in new_scenario(folder, files, Asked(target, positive, identifier)).lines:
        click.echo(plain_text(line))


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def report(folder: Path) -> None:
    """Print the summary of the run in DIR and renew its report.html."""
    from parties.report.page import write_report
    from parties.report.read import read_record
    from parties.report.summary import print_summary

    record = read_record(folder)
    write_report(record, folder)
    print_summary(record, folder)


@cli.command()
@click.argument("name")
@_KEYS
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


@cli.group()
def roster() -> None:
    """Keep the parties' public keys in one signed file."""


@roster.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="Whose key signs: the NAME of `mpc keygen NAME`.")
@_KEYS
def sign(file: Path, name: str, keys: Path) -> None:
    """Sign the roster FILE as the administrator NAME, into FILE.sig."""
    from parties.trust.roster import sign_roster

    where, text, signed = sign_roster(file, name, keys)
    click.echo(f'signed_by = "{text}"')
    if signed.is_over():
        click.echo(f"{file} was valid until {signed.valid_until}: no party will take it", err=True)
    told = plain_text(f"{', '.join(signed.parties)}; revoked keys: {len(signed.revoked)}")
    click.echo(f"the signature of {file} ({told}) is in {where}: hand out both files", err=True)


def _typed_yes() -> bool:
    answer = click.prompt('Type "yes" to approve this scenario', default="", show_default=False, err=True)
    return str(answer).strip().lower() == "yes"


def main() -> NoReturn:
    """The entry point: a process that is a command."""
    end_process(carry_out())


def carry_out() -> int:
    """Do what `sys.argv` says: every error ends in one sentence and the design's exit code, which is returned."""
    _open_streams()
    return _guarded(lambda: cli.main(prog_name="mpc", standalone_mode=False))


def _open_streams() -> None:
    """Streams that were closed lead nowhere: else the next file that is opened would be taken for one of them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
    # Python has None where a stream was closed.
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _guarded(command: Callable[[], Any], output: Output | None = None) -> int:
    output = output or Output()
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return UsageError.exit_code
    except click.ClickException as problem:
        return _told(output, _mistyped(problem))
    except click.Abort:
        return _told(output, InterruptedRun("interrupted"))
    except BrokenPipeError:
        _read_no_more()
        return 0
    except OSError as problem:
        if problem.errno not in _NO_ROOM:
            return _told(output, as_error(problem))
        _read_no_more()
        what = f"no room for what is written: {os.strerror(problem.errno or 0)}"
        return _told(output, UsageError(what.lower(), "make room, on the disk or wherever the output goes"))
    except (Exception, KeyboardInterrupt) as problem:
        return _told(output, as_error(problem))
    return code if isinstance(code, int) else 0


def _read_no_more() -> None:
    """Python writes what is left of the output as it ends: nobody reads it, or there is no room for it."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _told(output: Output, error: BeaverlodgeError) -> int:
    output.error(error)
    return error.exit_code


def _mistyped(problem: click.ClickException) -> UsageError:
    """What click says of a command line, as an error of ours: one sentence, and where to look."""
    said = problem.format_message().strip().rstrip(".").replace(". Did you mean", "; did you mean")
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    command = context.command_path if context is not None else "mpc"
    return UsageError(said[:1].lower() + said[1:], f"`{command} --help` says what it takes")
