"""`mpc party`: one party here, the others elsewhere; this party's record in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.errors import DataError
from parties.consent import obtain
from parties.consent_text import consent_blocks
from parties.job import OwnTable
from parties.kinds import Plans, job_of
from parties.logs import open_log
from parties.output import Output
from parties.policy import load_policy
from parties.record import merge_results
from parties.recorded_run import Finished, Named, run_recorded
from parties.releases import Releases
from parties.roster import public_texts
from parties.run_lock import lock_run
from parties.scenario import Scenario
from parties.separate import place, vault_of
from parties.supervisor import Reporter
from parties.take_part import Own, take_part

_REAL_LINKS: Final = "[network] is for `mpc run` only: the links between machines are what they are"


def run_one(
    scenario: Scenario,
    me: str,
    out: Path | None,
    keys: Path,
    *,
    approve: str | None = None,
    policy: Path | None = None,
    ask: Callable[[], bool] | None = None,
    output: Output,
) -> Finished:
    """Take part as `me`.

    Args:
        approve: the digest of what is approved: the scenario, and this party's own data.
        policy: the policy's file, if it is not the one beside the keys.
        ask: asks at a terminal whether to approve; None where there is none.
        output: how it is told what happens; the log is written in the same form.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why. There is no record of a run that
            the policy refused, or that nobody approved: no connection was made.
    """
    where = place(scenario, me, keys)
    with lock_run(keys, me, scenario.digest):
        own = _admitted(scenario, me, keys, approve, policy, ask, output)

        def part(folder: Path, reporter: Reporter, log: Logger) -> dict[str, Any]:
            if scenario.network is not None:
                log.info(_REAL_LINKS)
                reporter.log("info", _REAL_LINKS)
            vault = vault_of(scenario, me, folder, where.identity.secret)
            result = take_part(scenario, me, where, reporter, log, replace(own, vault=vault))
            return merge_results({me: result}, scenario_name=scenario.name, scenario_digest=scenario.digest)

        return take_recorded_part(scenario, me, out, output, part)


def take_recorded_part(
    scenario: Named, me: str, out: Path | None, output: Output, part: Callable[[Path, Reporter, Logger], dict[str, Any]]
) -> Finished:
    """Do a party's part, given its folder, whom to report to and its log; its record is written.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why.
    """

    def in_folder(folder: Path) -> dict[str, Any]:
        with output.progress([me]) as progress:
            log = open_log(folder, me, output.form)
            return part(folder, Reporter(lambda event: progress(me, event)), log)

    return run_recorded(scenario, out, in_folder, name=f"{scenario.name}-{me}")


def _admitted(
    scenario: Scenario,
    me: str,
    keys: Path,
    approve: str | None,
    policy: Path | None,
    ask: Callable[[], bool] | None,
    output: Output,
) -> Own:
    """What this party takes along into a run that its policy lets through and that somebody approved."""
    publics, data = public_texts(scenario), _Data(scenario, me)
    rules = load_policy(keys, policy)
    if rules is not None:
        rules.check(scenario, me, publics, data.rows)
    releases = Releases(keys) if data.owned and job_of(scenario).pools(scenario, me) else None
    plans = Plans()

    def show(changes: Sequence[str]) -> None:
        try:
            table = data.table()
        except DataError:
            if approve is None:
                raise
            table = None  # it is met again once the peers are there, who then hear of it
        repeats = releases.warnings(releases.entry(scenario, table, table.columns)) if releases and table else []
        output.blocks(consent_blocks(scenario, me, table, publics, changes, repeats, plans))

    obtain(scenario, me, keys, approve, show, ask)
    return Own(data.read, releases, plans=plans)


class _Data:
    """A party's own data, read when they are first asked for; a helper has none."""

    def __init__(self, scenario: Scenario, me: str) -> None:
        self._scenario = scenario
        self._me = me
        self.owned = scenario.parties[me].role == "owner"
        self.read: OwnTable | None = None

    def table(self) -> OwnTable | None:
        if self.owned and self.read is None:
            self.read = job_of(self._scenario).load(self._scenario, self._me)
        return self.read

    def rows(self) -> int | None:
        # Stated ones are compared with the data in every run.
        if not job_of(self._scenario).pools(self._scenario, self._me):
            return None
        stated = self._scenario.parties[self._me].rows
        if stated is not None or not self.owned:
            return stated
        table = self.table()
        return table.rows if table is not None else None
