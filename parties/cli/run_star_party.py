"""`mpc party` of a server and clients: the server here and its clients elsewhere, or one client or the helper, which
dial the server only.

Who is who comes from the scenario or from the roster that it names, never from the server. Against a server that may
lie it has to be a roster that somebody else signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.errors import DataError, UsageError
from mpc.links.zmq.transport import Transport
from mpc.runtime.interfaces import Revealed
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from parties.base.bugs import as_error
from parties.base.descriptors import allow_connections
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.cli.output import Output
from parties.cli.run_party import ApprovalOptions, ask_approval, say_real_links, take_recorded_part
from parties.doctor.checks import describe
from parties.report.budget import budget_text
from parties.report.recorded_run import FinishedRun
from parties.scenario.star import StarScenario
from parties.session.hosted import host_clients
from parties.session.separate import check_name, endpoint_of, listening, own_pair
from parties.session.take_part import PATIENCE, public_facts
from parties.session.traced import traced_server
from parties.show.blocks import Line, plural
from parties.tasks.registry import star_of
from parties.tasks.star.base import (
    LINGER,
    NO_TRIALS,
    Membership,
    Seat,
    charge_left,
    check_identities,
    release_name,
    server_address,
    server_state,
)
from parties.tasks.star.clients import trust_of
from parties.tasks.star.noise import Charging
from parties.trust import keys as key_files
from parties.trust.budget import Charge, Ledger
from parties.trust.keys import KeyPair
from parties.trust.releases import Releases
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import RoundNumbers
from parties.trust.run_lock import lock_run
from parties.trust.sealed_state import SealedState
from protocols.aggregation.settings import Journal

_DIGITS: Final = 16


@dataclass(frozen=True)
class _Part:
    """One party's part: who it is, where the server is, its keys and everybody's public text; `keys` is their folder.

    `trace` is the file of its trace, if it writes one; `releases` its list of releases, and `ledger` its ledger of
    epsilon, if it has data.
    """

    scenario: StarScenario
    me: str
    address: str
    pair: KeyPair
    texts: Mapping[str, str]
    keys: Path
    folder: Path
    trace: Path | None
    releases: Releases | None
    ledger: Ledger | None
    reporter: Reporter
    log: Logger


def run_star_party(
    scenario: StarScenario,
    me: str,
    out: Path | None,
    keys: Path,
    options: ApprovalOptions,
    output: Output,
    *,
    trace: bool,
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
        state = _state(scenario, me, keys, pair)
        _check_not_done(scenario, state)
        releases = _admit(scenario, me, keys, texts, options, output)
        ledger = None if releases is None else Ledger(keys)

        def part(folder: Path, reporter: Reporter, log: Logger) -> dict[str, Any]:
            if scenario.network is not None:
                say_real_links(reporter, log)
            to = trace_path(folder, me) if trace else None
            take = {scenario.server: _serve, scenario.helper: _help}.get(me, _take_part)
            try:
                return take(
                    _Part(scenario, me, address, pair, texts, keys, folder, to, releases, ledger, reporter, log)
                )
            except BaseException as problem:
                error = as_error(problem)
                log.error("%s", error)
                raise error from None

        done = take_recorded_part(scenario, me, out, output, part)
        if state is not None and done.unwritten is None:
            state.end(str(done.folder.absolute()))
        return done


def _check_not_done(scenario: StarScenario, state: SealedState | None) -> None:
    """Refuse to begin a study anew that was done: its clients are gone, and would give no second sums."""
    where = None if state is None else state.ended()
    if where is not None:
        raise UsageError(
            f"this study is done: its record is in {where or 'the folder of its last run'}",
            f"another study needs another name or seed in {scenario.path.name}",
            party=scenario.server,
        )


def _admit(
    scenario: StarScenario, me: str, keys: Path, texts: Mapping[str, str], options: ApprovalOptions, output: Output
) -> Releases | None:
    """Check this party's policy and its approval of the run; returns its list of releases, if it has data."""
    new, rules = ask_approval(scenario, me, keys, texts, options, output)
    if me in (scenario.server, scenario.helper) or not star_of(scenario).pools(scenario):
        return None
    releases = Releases(keys)
    _check_budget(scenario, me, keys, releases, output if new else None)
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


def _check_budget(scenario: StarScenario, me: str, keys: Path, releases: Releases, output: Output | None) -> None:
    """Refuse what costs more than is left, before anything is sent; say what it leaves, where there is an output.

    Raises:
        BudgetError: it would cost more, or an older ledger was put back.
    """
    ledger = Ledger(keys)
    left = charge_left(scenario, star_of(scenario), me, ledger)
    if left is None:
        return
    account = ledger.check(me, left, releases.past)
    if output is not None:
        output.blocks([Line(""), Line(budget_text(account, left))])


def _serve(part: _Part) -> dict[str, Any]:
    scenario, star = part.scenario, star_of(part.scenario)
    allow_connections(len(scenario.star_names), 1)
    numbers = RoundNumbers(part.keys / f"{scenario.server}.rounds", scenario.digest)
    peers = {name: key_files.curve_key(text) for name, text in part.texts.items() if name != scenario.server}
    patience = scenario.session.patience or PATIENCE
    about = {key: value for key, value in describe(public_facts(scenario)).items() if key in ("version", "facts")}
    transport = Transport(part.pair.identity, peers, listening(part.address))
    try:
        with traced_server(scenario.server, part.trace) as tracer:
            state = _state(scenario, scenario.server, part.keys, part.pair)
            seat = Seat(transport, numbers.next, numbers.use, part.folder, patience, tuple, about, tracer, state)
            result = star.serve(scenario, seat, part.reporter, part.log, lambda: None)
    finally:
        transport.close(LINGER)
    return star.record(scenario, {scenario.server: result})


def _state(scenario: StarScenario, me: str, keys: Path, pair: KeyPair) -> SealedState | None:
    """The file of this party's state between two runs, if it has one."""
    survives = me == scenario.server and star_of(scenario).survives
    return server_state(scenario, keys, pair.identity.secret) if survives else None


def _help(part: _Part) -> dict[str, Any]:
    star = star_of(part.scenario)
    host = _dial(part, star.helper(part.scenario))
    return star.client_record(part.scenario, part.me, star.helper_result(part.scenario, host, part.log))


def _dial(part: _Part, client: StarClient) -> ClientHost:
    """Go through all rounds over one connection to the server; returns what it was, closed."""
    scenario = part.scenario
    return host_clients(
        scenario,
        {part.me: (client, part.pair.identity)},
        endpoint_of(scenario.server, part.address),
        key_files.curve_key(part.texts[scenario.server]),
        lambda over, total: part.reporter.stage(client.stage, client.rounds, scenario.star_rounds),
        part.trace,
        patience=scenario.session.patience or PATIENCE,
        meet_within=scenario.session.connect_timeout,
    )


def _take_part(part: _Part) -> dict[str, Any]:
    scenario, star, trust = part.scenario, star_of(part.scenario), None
    if scenario.task.server == "malicious":
        public = [key_files.signing_key(part.texts[name]).public_bytes_raw() for name in scenario.client_names]
        trust = trust_of(part.pair.signing.private_bytes_raw(), public)
    journal = RoundJournal(part.keys / f"{part.me}-{scenario.digest[:_DIGITS]}.rounds")
    noting = None if part.releases is None else _Noting(part, part.releases).around
    member = Membership(journal, trust, noting, _charging(part))
    client = star.clients(scenario, {part.me: member}, part.log, NO_TRIALS)[part.me]
    host = _dial(part, client)
    if client.failure is not None:
        raise client.failure
    if client.rounds < scenario.star_rounds and (scenario.asks_each or client.fell_short is not None):
        why = f": {client.fell_short.message}" if client.fell_short is not None else ""
        missed = f"{scenario.star_rounds - client.rounds} of {scenario.star_rounds}" if scenario.asks_each else "some"
        part.log.warning("this client was left out of %s rounds%s", missed, why)
    kept = star.keep(scenario, client, part.folder)
    return star.client_record(scenario, part.me, {**star.result(host), **kept})


def _charging(part: _Part) -> Charging | None:
    """The function that charges this client's ledger; None for a party without data."""
    ledger, releases = part.ledger, part.releases
    if ledger is None or releases is None:
        return None

    def charge(session: bytes, name: str, rows: Any, cost: Charge) -> None:
        run = star_of(part.scenario).release(part.scenario, part.me, rows, release_name(session, name))
        ledger.charge(run, cost, releases.past, again=True)

    return charge


class _Noting:
    """A client's list of releases around its rounds: a round counts as released once shares may be on their way."""

    def __init__(self, part: _Part, releases: Releases) -> None:
        self._part = part
        self._releases = releases
        self._said: set[str] = set()

    def around(
        self, session: bytes, name: str, values: Any, journal: Journal
    ) -> tuple[AbstractContextManager[object], Journal]:
        """The context manager around a round, and the journal that goes with it."""
        scenario, star = self._part.scenario, star_of(self._part.scenario)
        run = star.release(scenario, self._part.me, values, release_name(session, name))
        released: list[Revealed] = []

        def noted(number: int, survivors: bytes) -> None:
            noting.opening()
            journal(number, survivors)
            shape = (star.entries(scenario),)
            released.extend(Revealed(what, (scenario.server,), shape, "") for what in run.revealed)

        noting = self._releases.noting(run, released, self._say)
        return noting, noted

    def _say(self, text: str) -> None:
        """Say it, but once: each round of one study would say the same."""
        if text in self._said:
            return
        self._said.add(text)
        self._part.reporter.warn(self._part.log, text)
