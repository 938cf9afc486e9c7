"""`mpc doctor` for a server and clients: whether the server, the helper or one client could take part from here now.

A client, like the helper, checks its one link, to the server or the server's doctor. The server's doctor checks the
clients that connect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError, BudgetError, DataError, TooFewError, UsageError
from mpc.links.zmq.curve import Identity
from parties.base.descriptors import allow_connections
from parties.doctor import checks
from parties.doctor.estimate import check_disk
from parties.doctor.findings import Finding, Tell, finding_of, ok, problem, warning
from parties.doctor.links import Meeting, probe_links
from parties.doctor.owners import FEWEST_SECONDS, RECORDS, Teller, keys_of, open_transport
from parties.doctor.peers import LOOK_SECONDS, Side, megabits, peer_findings
from parties.report.budget import budget_text
from parties.scenario.star import StarScenario
from parties.session.separate import check_name, endpoint_of
from parties.session.take_part import public_facts
from parties.show.blocks import count_text, plural, short_bytes
from parties.tasks.registry import star_of
from parties.tasks.star.base import charge_left, check_identities, server_address
from parties.trust.budget import Ledger
from parties.trust.policy import load_policy
from parties.trust.releases import Releases
from parties.trust.roster import public_texts

_MOST_TOLD = 20
_LINGER = 0.5
_DESCRIPTORS = 80  # for a client


def examine_star_file(scenario: StarScenario, tell: Tell) -> int:
    """Check the file alone; returns the exit code."""
    teller = Teller(tell)
    teller.all(_file(scenario))
    return teller.code


def examine_star(
    scenario: StarScenario,
    me: str,
    keys: Path,
    policy: Path | None,
    seconds: float,
    tell: Tell,
    say: Callable[[str], None],
) -> int:
    """Check all that concerns `me` on this machine, its links included; returns the exit code. Arguments: see
    `owners.examine`.

    Raises:
        UsageError: the scenario has no such party.
    """
    check_name(scenario, me)
    end = time.monotonic() + seconds
    teller = Teller(tell)
    teller.all(_file(scenario))
    own = keys_of(scenario, me, keys, teller)
    teller.one(checks.check_versions())
    teller.all(_descriptors(scenario, me))
    teller.all(checks.check_policy(scenario, me, keys, policy, None) if own is not None else ())
    if not teller.approved(scenario, me, keys):
        return teller.code
    teller.all(checks.check_names(scenario, me))
    values, found = _data(scenario, me)
    teller.all(found)
    if own is not None and values is not None:
        teller.all(_check_settled(scenario, me, keys, policy, values))
    teller.one(check_disk(RECORDS))
    if own is None:
        return teller.code
    left = max(FEWEST_SECONDS, max(seconds / 2, end - time.monotonic()) - LOOK_SECONDS)
    _links(scenario, me, *own, left, teller, say)
    return teller.code


def _file(scenario: StarScenario) -> Iterator[Finding]:
    helper = "" if scenario.helper is None else f", and {scenario.helper} as the helper"
    yield ok(f"{scenario.path}: '{scenario.name}', {count_text(scenario.count)} clients and the server{helper}")
    yield ok(f"digest {scenario.digest}: the same at every party that has the same scenario")
    try:
        yield ok(f"{scenario.server} is at {server_address(scenario)}; clients dial it, and listen nowhere")
    except UsageError as error:
        yield finding_of(error)
    missing = [name for name, key in scenario.stated_keys.items() if key is None]
    if scenario.roster is None and missing:
        names = ", ".join(missing[:_MOST_TOLD]) + (" and others" if len(missing) > _MOST_TOLD else "")
        hint = "each of them types `mpc keygen NAME`; the lines go into every party's copy, or into a signed roster"
        yield problem(f"no public_key of {names}", hint)
        return
    yield from checks.check_keys(scenario)
    try:
        check_identities(scenario, public_texts(scenario))
    except BeaverlodgeError as error:
        yield finding_of(error)


def _descriptors(scenario: StarScenario, me: str) -> Iterable[Finding]:
    if me != scenario.server:
        return checks.check_descriptors(_DESCRIPTORS)
    try:
        allow_connections(len(scenario.star_names), 1)
    except UsageError as error:
        return [finding_of(error)]
    return [ok(f"descriptors: enough for the connections of {count_text(scenario.count)} clients")]


def _data(scenario: StarScenario, me: str) -> tuple[Any, list[Finding]]:
    """Read a client's rows for the first round as a run would; returns them and reports on them."""
    if me == scenario.server:
        return None, [ok(f"{me} has no data: it is the server")]
    if me == scenario.helper:
        return None, [ok(f"{me} has no data: it is the helper")]
    star = star_of(scenario)
    if not star.pools(scenario):
        return None, [ok("data: none; the inputs are made up")]
    where = scenario.data_of(me, 1)
    try:
        values = star.load(scenario, me, 1)
        clipped = star.clipped(scenario, me, values)
    except (DataError, UsageError) as error:
        return None, [finding_of(error)]
    columns = plural(star.columns(scenario), "column")
    found = [ok(f"data: {where}: {plural(len(values), 'row')}, {columns} used")]
    if clipped:
        text = f"{plural(clipped, 'cell')} outside the agreed range would be clipped"
        found.append(warning(text, "it is well if you expected it; else correct the data, or `range`"))
    return values, [*found, *checks.check_readers(scenario.directory / where)]


def _check_settled(scenario: StarScenario, me: str, keys: Path, policy: Path | None, values: Any) -> Iterator[Finding]:
    """Check this party's own rules, now that its rows are known: its policy, its budget, and earlier releases."""
    try:
        rules = load_policy(keys, policy)
        rules.check_rows(me, len(values))
        releases, ledger = Releases(keys), Ledger(keys)
        repeats = releases.warnings(star_of(scenario).release(scenario, me, values, ""))
        left = charge_left(scenario, star_of(scenario), me, ledger)
        if left is not None:
            yield ok(budget_text(ledger.check(me, left, releases.past), left))
    except (BudgetError, UsageError) as error:
        yield finding_of(error)
    else:
        for text in repeats:
            yield warning(text, "whether to go on is yours to judge: docs/keys.md, releases")


def _links(
    scenario: StarScenario,
    me: str,
    identity: Identity,
    others: dict[str, bytes],
    seconds: float,
    teller: Teller,
    say: Callable[[str], None],
) -> None:
    serves = me == scenario.server
    try:
        address = server_address(scenario)
        dialled = {} if serves else {scenario.server: endpoint_of(scenario.server, address)}
    except UsageError:
        return  # the address was reported already
    peers = others if serves else {scenario.server: others[scenario.server]}
    transport = open_transport(identity, peers, address if serves else None, me, teller)
    if serves and transport.endpoint is None:
        transport.close(0)
        return
    whom = "the clients that come" if serves else scenario.server
    say(f"looking at the links to {whom}, for {seconds + LOOK_SECONDS:.0f} s at most")
    facts = public_facts(scenario)
    about = checks.describe(facts)
    try:
        meeting = probe_links(transport, dialled, dict.fromkeys(peers, about), seconds)
    finally:
        transport.close(_LINGER)
    addresses = {me: None, scenario.server: address}
    side = Side(me, identity, peers, addresses, dialled, facts)
    teller.all(_client_findings(scenario, side, meeting, seconds) if serves else peer_findings(side, meeting, seconds))
    if not serves:
        teller.all(_cost(scenario, me, meeting))


def _client_findings(scenario: StarScenario, side: Side, meeting: Meeting, seconds: float) -> Iterator[Finding]:
    """The server's findings on its clients: each one if they are few, else problems only. Some may be missing."""
    came = {name: seen for name, seen in meeting.peers.items() if seen.connected or seen.refused}
    absent = [name for name in meeting.peers if name not in came]
    for finding in peer_findings(side, Meeting(came, meeting.strangers, meeting.broken), seconds):
        if len(meeting.peers) <= _MOST_TOLD or finding.level != "ok":
            yield finding
    if scenario.helper in absent:
        absent.remove(scenario.helper)
        hint = "without the helper there is no sum: it starts `mpc party` or `mpc doctor` at the same time as this one"
        yield problem(
            f"the helper, {scenario.helper}, did not come within {seconds:.0f} s", hint, TooFewError.exit_code
        )
    here = scenario.count - len(absent)
    text = f"{count_text(here)} of {count_text(scenario.count)} clients came within {seconds:.0f} s"
    if not absent:
        yield ok(text)
        return
    names = ", ".join(absent[:_MOST_TOLD]) + (" and others" if len(absent) > _MOST_TOLD else "")
    hint = "they start `mpc party` or `mpc doctor` at the same time as this one; this machine lets them in at its port"
    quorum = star_of(scenario).quorum(scenario)
    if here >= quorum:
        yield warning(f"{text}; missing: {names}", f"{count_text(quorum)} are enough; else {hint}")
    else:
        text = f"{text}, and {count_text(quorum)} are needed; missing: {names}"
        yield problem(text, hint, TooFewError.exit_code)


def _cost(scenario: StarScenario, me: str, meeting: Meeting) -> Iterator[Finding]:
    """The cost of a round for a client, or the helper, on a link like the measured one."""
    if star_of(scenario).foreign:  # its plan is a run of it
        yield ok("what the protocol costs is not worked out: `mpc plan --program` does, and runs it for that")
        return
    facts, role = star_of(scenario).plan(scenario), "helper" if me == scenario.helper else "client"
    up, down, stages = facts["bytes"][f"{role}_sends"], facts["bytes"][f"{role}_receives"], len(facts["stages"])
    cost = f"a round: {short_bytes(up)} from here, {short_bytes(down)} to here, in {stages} stages"
    seen = next(iter(meeting.peers.values()))
    if seen.round_trip is None or not seen.up or not seen.down:
        hint = f"run the doctor of {scenario.server} at the same time"
        yield warning(f"{cost}; how long that takes is not known, for the link was not measured", hint)
        return
    seconds = stages * seen.round_trip + up / seen.up + down / seen.down
    rates = f"{megabits(seen.up)} up, {megabits(seen.down)} down"
    compute = facts["seconds"][role]
    yield ok(f"{cost}; about {seconds:.2g} s on the wire ({rates}) and {1000 * compute:.1f} ms of computing here")
