"""`mpc party` of a secure sum: the server here and its clients elsewhere, or one client or the helper, which dial the
server only.

Who is who comes from the scenario or from the roster that it names, never from the server. Against a server that may
lie it has to be a roster that somebody else signed.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.errors import DataError
from mpc.links.zmq.transport import Transport
from mpc.runtime.interfaces import Revealed
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from parties.base.bugs import as_error
from parties.base.descriptors import allow_connections
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.cli.output import Output
from parties.cli.run_party import say_real_links, take_recorded_part
from parties.doctor.checks import describe
from parties.report.recorded_run import FinishedRun
from parties.report.star_consent import star_consent_blocks
from parties.scenario.star import StarScenario
from parties.session.separate import check_name, endpoint_of, listening, own_pair
from parties.session.take_part import PATIENCE, public_facts
from parties.session.traced import traced_clients, traced_server
from parties.show.blocks import Line, plural
from parties.tasks.registry import request_of, star_of
from parties.tasks.star import LINGER, NO_TRIALS, Membership, Seat, check_identities, server_address, silence
from parties.trust import keys as key_files
from parties.trust.consent import Terms, obtain
from parties.trust.keys import KeyPair
from parties.trust.policy import Policy, load_policy
from parties.trust.releases import Releases
from parties.trust.roster import public_texts
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import RoundNumbers
from parties.trust.run_lock import lock_run
from protocols.aggregation.settings import Journal

_DIGITS: Final = 16


def run_sum_party(
    scenario: StarScenario,
    me: str,
    out: Path | None,
    keys: Path,
    *,
    approve: str | None = None,
    policy: Path | None = None,
    ask: Callable[[], bool] | None = None,
    output: Output,
    trace: bool = False,
) -> FinishedRun:
    """Take part as `me`. Arguments as of `run_party.run_party`.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why. There is no record of a run that
            the policy refused, or that nobody approved: no connection was made.
    """
    check_name(scenario, me)
    address = server_address(scenario)
    pair, texts = own_pair(scenario, me, keys)
    check_identities(scenario, texts)
    with lock_run(keys, me, scenario.digest):
        releases = _admit(scenario, me, keys, texts, approve, policy, ask, output)

        def part(folder: Path, reporter: Reporter, log: Logger) -> dict[str, Any]:
            to = trace_path(folder, me) if trace else None
            if scenario.network is not None:
                say_real_links(reporter, log)
            try:
                if me == scenario.server:
                    return _serve(scenario, address, pair, texts, keys, folder, to, reporter, log)
                if me == scenario.helper:
                    return _help(scenario, me, address, pair, texts, to, reporter, log)
                return _take_part(scenario, me, address, pair, texts, keys, to, releases, reporter, log)
            except BaseException as problem:
                error = as_error(problem)
                log.error("%s", error)
                raise error from None

        return take_recorded_part(scenario, me, out, output, part)


def journal_path(scenario: StarScenario, me: str, keys: Path) -> Path:
    """A client's journal of released shares, for this scenario."""
    return keys / f"{me}-{scenario.digest[:_DIGITS]}.rounds"


def check_texts(scenario: StarScenario, me: str) -> dict[str, str]:
    """Everybody's public text, of a scenario that has a party `me`.

    Raises:
        UsageError, DisagreementError: there is no such party; a key is missing or not to be trusted.
    """
    check_name(scenario, me)
    texts = public_texts(scenario)
    check_identities(scenario, texts)
    return texts


def ask_sum_approval(
    scenario: StarScenario,
    me: str,
    keys: Path,
    texts: Mapping[str, str],
    approve: str | None,
    policy: Path | None,
    ask: Callable[[], bool] | None,
    output: Output,
    terms: Terms | None = None,
) -> tuple[bool, Policy]:
    """The same as `run_party.ask_approval`, for a secure sum."""
    rules = load_policy(keys, policy)
    rules.check(request_of(scenario), me, texts)

    def show(changes: Sequence[str]) -> None:
        output.blocks(star_consent_blocks(scenario, me, texts, changes))

    return obtain(scenario, me, keys, approve, show, ask, terms), rules


def _admit(
    scenario: StarScenario,
    me: str,
    keys: Path,
    texts: Mapping[str, str],
    approve: str | None,
    policy: Path | None,
    ask: Callable[[], bool] | None,
    output: Output,
) -> Releases | None:
    """Check this party's policy and its approval of the run; returns its list of releases, if it has
    data."""
    has_data = me not in (scenario.server, scenario.helper)
    new, rules = ask_sum_approval(scenario, me, keys, texts, approve, policy, ask, output)
    if not has_data:
        return None
    releases = Releases(keys)
    if new or rules.rules.minimum_rows is not None:
        try:
            values = star_of(scenario).load(scenario, me, 1)
        except DataError:
            return releases  # the part raises it again, and the server is told
        rules.check_rows(me, len(values))
        if new:
            repeats = releases.warnings(star_of(scenario).release(scenario, me, values, ""))
            blocks = [Line(f"{me}: {plural(len(values), 'row')} read."), *(Line(text, "bold") for text in repeats)]
            output.blocks(blocks)
    return releases


def _serve(
    scenario: StarScenario,
    address: str,
    pair: KeyPair,
    texts: Mapping[str, str],
    keys: Path,
    folder: Path,
    trace: Path | None,
    reporter: Reporter,
    log: Logger,
) -> dict[str, Any]:
    allow_connections(len(scenario.star_names), 1)
    numbers = RoundNumbers(keys / f"{scenario.server}.rounds", scenario.digest)
    peers = {name: key_files.curve_key(text) for name, text in texts.items() if name != scenario.server}
    patience = scenario.session.patience or PATIENCE
    about = {key: value for key, value in describe(public_facts(scenario)).items() if key in ("version", "facts")}
    transport = Transport(pair.identity, peers, listening(address))
    try:
        with traced_server(scenario.server, trace) as tracer:
            seat = Seat(transport, numbers.next, numbers.use, folder, patience, tuple, about, tracer)
            result = star_of(scenario).serve(scenario, seat, reporter, log, lambda: None)
    finally:
        transport.close(LINGER)
    return star_of(scenario).record(scenario, {scenario.server: result})


def _help(
    scenario: StarScenario,
    me: str,
    address: str,
    pair: KeyPair,
    texts: Mapping[str, str],
    trace: Path | None,
    reporter: Reporter,
    log: Logger,
) -> dict[str, Any]:
    star = star_of(scenario)
    client = star.helper(scenario)
    host = _dial(scenario, me, client, address, pair, texts, trace, reporter)
    return star.client_record(scenario, me, star.helper_result(scenario, host, log))


def _dial(
    scenario: StarScenario,
    me: str,
    client: StarClient,
    address: str,
    pair: KeyPair,
    texts: Mapping[str, str],
    trace: Path | None,
    reporter: Reporter,
) -> ClientHost:
    """Go through all rounds over one connection to the server; returns what it was, closed."""
    patience = scenario.session.patience or PATIENCE
    host = ClientHost(
        endpoint_of(scenario.server, address),
        key_files.curve_key(texts[scenario.server]),
        {me: (client, pair.identity)},
        silence(scenario, patience),
        patience,
        lambda over, total: reporter.stage(client.stage, client.rounds, scenario.task.rounds),
        meet_within=scenario.session.connect_timeout,
    )
    try:
        with traced_clients({me: client}, scenario.server, trace):
            host.run()
    finally:
        host.close(LINGER)
    return host


def _take_part(
    scenario: StarScenario,
    me: str,
    address: str,
    pair: KeyPair,
    texts: Mapping[str, str],
    keys: Path,
    trace: Path | None,
    releases: Releases | None,
    reporter: Reporter,
    log: Logger,
) -> dict[str, Any]:
    assert releases is not None
    star, trust = star_of(scenario), None
    if scenario.task.server == "malicious":
        public = [key_files.signing_key(texts[name]).public_bytes_raw() for name in scenario.client_names]
        trust = star.trust_of(pair.signing.private_bytes_raw(), public)
    noting = _Noting(scenario, me, releases, reporter, log)
    member = Membership(RoundJournal(journal_path(scenario, me, keys)), trust, noting.around)
    client = star.clients(scenario, {me: member}, log, NO_TRIALS)[me]
    host = _dial(scenario, me, client, address, pair, texts, trace, reporter)
    if client.failure is not None:
        raise client.failure
    if client.rounds < scenario.task.rounds:
        why = f": {client.fell_short.message}" if client.fell_short is not None else ""
        missed = scenario.task.rounds - client.rounds
        log.warning("this client was left out of %d of %d rounds%s", missed, scenario.task.rounds, why)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return star.client_record(scenario, me, star.result(host, os.getpid(), peak))


class _Noting:
    """A client's list of releases around its rounds: a round counts as released once shares may be on their way."""

    def __init__(self, scenario: StarScenario, me: str, releases: Releases, reporter: Reporter, log: Logger) -> None:
        self._scenario = scenario
        self._me = me
        self._releases = releases
        self._reporter = reporter
        self._log = log

    def around(
        self, session: bytes, number: int, values: Any, journal: Journal
    ) -> tuple[AbstractContextManager[object], Journal]:
        """What to enter around a round, and the journal that goes with it."""
        run = star_of(self._scenario).release(self._scenario, self._me, values, f"{session.hex()}/{number}")
        released: list[Revealed] = []

        def noted(number: int, survivors: bytes) -> None:
            noting.opening()
            journal(number, survivors)
            released.extend(
                Revealed(what, (self._scenario.server,), (star_of(self._scenario).entries(self._scenario),), "")
                for what in run.revealed
            )

        noting = self._releases.noting(run, released, self._say)
        return noting, noted

    def _say(self, text: str) -> None:
        self._log.warning("%s", text)
        self._reporter.log("warning", text)
