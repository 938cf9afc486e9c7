"""`mpc party`: one party here, the others elsewhere; this party's record in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.errors import BudgetError, DataError
from parties.base.logs import open_log
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.cli.output import Output
from parties.data.own_table import OwnTable
from parties.report.about import Approved
from parties.report.budget import budget_text
from parties.report.consent import consent_blocks, read_blocks
from parties.report.record import record_of
from parties.report.recorded_run import FinishedRun, run_and_record
from parties.report.star_consent import star_consent_blocks
from parties.scenario.file import Scenario
from parties.scenario.star import StarScenario
from parties.session.secrets import seed_for_tests
from parties.session.separate import place, vault_of
from parties.session.take_part import Prepared, take_part
from parties.session.traced import tracer_to
from parties.show.blocks import Line
from parties.tasks.registry import Plans, job_of, request_of
from parties.trust.budget import Ledger
from parties.trust.consent import Terms, obtain
from parties.trust.policy import Policy, load_policy
from parties.trust.releases import Releases
from parties.trust.roster import public_texts
from parties.trust.run_lock import lock_run

_REAL_LINKS: Final = "[network] is for `mpc run` only: the links between machines are what they are"


@dataclass(frozen=True)
class ApprovalOptions:
    """A party's options on its approval of a scenario.

    Args:
        digest: of what is approved: the scenario, and this party's own data.
        policy: the policy's file, if it is not the one beside the keys.
        ask: asks at a terminal whether to approve; None where there is none.
        terms: until when it holds, and by whom it is.
    """

    digest: str | None
    policy: Path | None
    ask: Callable[[], bool] | None
    terms: Terms | None = None


def run_party(
    scenario: Scenario,
    me: str,
    out: Path | None,
    keys: Path,
    options: ApprovalOptions,
    output: Output,
    *,
    trace: bool,
) -> FinishedRun:
    """Take part as `me`.

    Args:
        output: how it is told what happens; the log is written in the same form.
        trace: whether its rounds are recorded.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why. There is no record of a run that
            the policy refused, or that nobody approved: no connection was made.
    """
    where = place(scenario, me, keys)
    with lock_run(keys, me, scenario.digest):
        own = _admit(scenario, me, keys, options, output)

        def part(folder: Path, reporter: Reporter, log: Logger) -> dict[str, Any]:
            if scenario.network is not None:
                say_real_links(reporter, log)
            vault = vault_of(scenario, me, folder, where.identity.secret)
            values = seed_for_tests(scenario) is not None
            tracer = tracer_to(trace_path(folder, me), me, values=values) if trace else None
            result = take_part(scenario, me, where, reporter, log, replace(own, vault=vault, tracer=tracer))
            return record_of(scenario, {me: result})

        return take_recorded_part(scenario, me, out, output, part)


def say_real_links(reporter: Reporter, log: Logger) -> None:
    """Note that [network] changes nothing here."""
    log.info(_REAL_LINKS)
    reporter.log("info", _REAL_LINKS)


def take_recorded_part(
    scenario: Approved,
    me: str,
    out: Path | None,
    output: Output,
    part: Callable[[Path, Reporter, Logger], dict[str, Any]],
) -> FinishedRun:
    """Do a party's part, given its folder, whom to report to and its log; its record is written.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why.
    """

    def in_folder(folder: Path) -> dict[str, Any]:
        with output.progress([me]) as progress:
            log = open_log(folder, me, output.form)
            return part(folder, Reporter(lambda event: progress(me, event)), log)

    return run_and_record(scenario, out, in_folder, name=f"{scenario.name}-{me}")


def ask_approval(
    scenario: Scenario | StarScenario,
    me: str,
    keys: Path,
    publics: Mapping[str, str],
    options: ApprovalOptions,
    output: Output,
    plans: Plans | None = None,
) -> tuple[bool, Policy]:
    """Check the scenario against this party's policy and have it approved; nothing that it names is opened.

    Args:
        publics: every party's public text.
        plans: keeps the plan that is made for what is shown.

    Returns:
        Whether the approval is a new one; the policy.

    Raises:
        UsageError: the policy refuses it, or nobody approves it.
    """
    rules = load_policy(keys, options.policy)
    rows = None
    if isinstance(scenario, Scenario) and job_of(scenario).data.pools(scenario, me):
        rows = scenario.parties[me].rows
    rules.check(request_of(scenario), me, publics, rows)

    def show(changes: Sequence[str]) -> None:
        if isinstance(scenario, Scenario):
            output.blocks(consent_blocks(scenario, me, publics, changes, plans))
        else:
            output.blocks(star_consent_blocks(scenario, me, publics, changes))

    return obtain(scenario, me, keys, options.digest, show, options.ask, options.terms), rules


def _admit(scenario: Scenario, me: str, keys: Path, options: ApprovalOptions, output: Output) -> Prepared:
    """Prepare a run that this party's policy allows and that somebody approved."""
    plans = Plans()
    new, rules = ask_approval(scenario, me, keys, public_texts(scenario), options, output, plans)
    spec, job = scenario.parties[me], job_of(scenario)
    pools = job.data.pools(scenario, me)
    if spec.role != "owner":
        return Prepared(plans=plans)
    releases = Releases(keys) if pools else None
    ledger = Ledger(keys) if pools else None
    charge = job.notice.charge(scenario)
    if charge is not None and ledger is not None:
        try:
            account = ledger.check(me, charge, () if releases is None else releases.past)
        except BudgetError as error:  # raised once the peers have connected, so that they are told
            return Prepared(None, releases, problem=error, plans=plans)
        if new:
            output.blocks([Line(""), Line(budget_text(account, charge))])
    # Stated rows are compared with the data in every run; other data are read after the peers have connected.
    must_count = rules.rules.minimum_rows is not None and pools and spec.rows is None
    if not (new or must_count):
        return Prepared(None, releases, plans=plans, ledger=ledger)
    try:
        table: OwnTable = job.data.load(scenario, me)
    except DataError as error:  # raised once the peers have connected, so that they are told
        return Prepared(None, releases, problem=error, plans=plans)
    if pools:
        rules.check_rows(me, table.rows)
    if new:
        repeats = [] if releases is None else releases.warnings(releases.entry(scenario, table, table.columns))
        output.blocks(read_blocks(scenario, me, table, repeats))
    return Prepared(table, releases, plans=plans, ledger=ledger)
