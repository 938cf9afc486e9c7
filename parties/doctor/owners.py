"""`mpc doctor` for owners and the helper: every check in order, within seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from mpc.errors import BeaverlodgeError, UsageError
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from parties.data.own_table import OwnTable
from parties.doctor import checks
from parties.doctor.estimate import PlanEstimate, check_disk, check_memory, check_time, estimate_plan
from parties.doctor.findings import Finding, Tell, finding_of, first_code, ok, problem
from parties.doctor.links import Meeting, probe_links
from parties.doctor.peers import LOOK_SECONDS, Side, peer_findings
from parties.scenario.file import Scenario
from parties.session.separate import check_name, dials, endpoint, listening, own_keys, vault_of
from parties.session.take_part import public_facts
from parties.trust.consent import Approvable
from parties.trust.roster import Keyed

FEWEST_SECONDS: Final = 1.0
RECORDS: Final = Path("runs")
_LINGER: Final = 0.5


def examine_file(scenario: Scenario, tell: Tell) -> int:
    """Check the file, and a roster in its folder, alone; returns the exit code."""
    teller = Teller(tell)
    teller.all(checks.check_file(scenario))
    teller.all(checks.check_keys(scenario))
    return teller.code


def examine(
    scenario: Scenario, me: str, keys: Path, policy: Path | None, seconds: float, tell: Tell, say: Callable[[str], None]
) -> int:
    """Check all that concerns the party `me` on this machine, its peers included; returns the exit code.

    Before the scenario is approved, nothing that it names is opened, looked up or dialled.

    Args:
        policy: the policy's file, if it is not the one beside the keys.
        seconds: how long all of it may take, roughly.
        tell: takes each finding as it is made.
        say: takes a sentence on what is waited for.

    Raises:
        UsageError: the scenario has no such party.
    """
    check_name(scenario, me)
    end = time.monotonic() + seconds
    teller = Teller(tell)
    teller.all(checks.check_file(scenario))
    own = keys_of(scenario, me, keys, teller)
    teller.all(checks.check_machine(scenario))
    stated = checks.pooled_rows(scenario, me, None)
    teller.all(checks.check_policy(scenario, me, keys, policy, stated) if own is not None else ())
    if not teller.approved(scenario, me, keys):
        return teller.code
    teller.all(checks.check_names(scenario, me))
    table, found = checks.check_data(scenario, me)
    teller.all(found)
    if own is not None and table is not None:
        if stated is None:
            teller.all(checks.check_policy(scenario, me, keys, policy, checks.pooled_rows(scenario, me, table)))
        teller.all(checks.check_releases(scenario, me, keys, table))
        teller.all(checks.check_ready(scenario, table, vault_of(scenario, me, RECORDS, own[0].secret)))
    known = _estimates(scenario, me, table, teller)
    if own is None:
        return teller.code
    left = max(seconds / 2, end - time.monotonic()) - LOOK_SECONDS
    meeting = _links(scenario, me, *own, max(FEWEST_SECONDS, left), teller, say)
    if known is not None and meeting is not None:
        teller.all(check_time(known, meeting.peers.values()))
    return teller.code


class Teller:
    """Passes findings on, and keeps them for the exit code."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._findings: list[Finding] = []

    def all(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.one(finding)

    def one(self, finding: Finding) -> None:
        self._findings.append(finding)
        self._tell(finding)

    def approved(self, scenario: Approvable, me: str, keys: Path) -> bool:
        """Whether the scenario is approved as it is; reports it."""
        finding = checks.check_approval(scenario, me, keys)
        self.one(finding)
        return finding.level == "ok"

    @property
    def code(self) -> int:
        return first_code(self._findings)

    @property
    def unknown_names(self) -> set[str]:
        """Parties whose host names do not resolve, which was reported already."""
        return {finding.party for finding in self._findings if finding.level == "problem"}


def keys_of(scenario: Keyed, me: str, keys: Path, teller: Teller) -> tuple[Identity, dict[str, bytes]] | None:
    """This party's own keys and the others' public ones; problems with them are reported."""
    try:
        own = own_keys(scenario, me, keys)
    except BeaverlodgeError as error:
        teller.one(finding_of(error))
        return None
    teller.one(ok(f"{keys / f'{me}.key'} is yours alone, and is the key that the others expect of {me}"))
    return own


def _estimates(scenario: Scenario, me: str, table: OwnTable | None, teller: Teller) -> PlanEstimate | None:
    teller.one(check_disk(RECORDS))
    owner = scenario.parties[me].role == "owner"
    if owner and table is None:
        return None
    known = estimate_plan(scenario, table)
    if isinstance(known, Finding):
        teller.one(known)
        return None
    teller.one(check_memory(known, owner))
    return known


def _links(
    scenario: Scenario,
    me: str,
    identity: Identity,
    peers: dict[str, bytes],
    seconds: float,
    teller: Teller,
    say: Callable[[str], None],
) -> Meeting | None:
    dialled = _endpoints(scenario, me, peers, teller)
    address = scenario.parties[me].address
    transport = open_transport(identity, peers, address, me, teller)
    coming = [] if transport.endpoint is None else [name for name in peers if _comes(scenario, me, name)]
    looked_at = [name for name in peers if name in dialled or name in coming]
    if not looked_at:
        transport.close(0)
        return None
    say(f"looking at the links to {', '.join(looked_at)}, for {seconds + LOOK_SECONDS:.0f} s at most")
    facts = public_facts(scenario)
    about = checks.describe(facts)
    try:
        meeting = probe_links(transport, dialled, dict.fromkeys(looked_at, about), seconds)
    finally:
        transport.close(_LINGER)
    addresses = {name: party.address for name, party in scenario.parties.items()}
    teller.all(peer_findings(Side(me, identity, peers, addresses, dialled, facts), meeting, seconds))
    return meeting


def _endpoints(scenario: Scenario, me: str, peers: Iterable[str], teller: Teller) -> dict[str, str]:
    """The endpoints of the peers to dial whose addresses resolve."""
    known_bad, found = teller.unknown_names, {}
    for peer in peers:
        try:
            if dials(scenario, me, peer) and peer not in known_bad:
                found[peer] = endpoint(scenario, peer)
        except UsageError:
            continue  # the pair, or the name, was reported already
    return found


def _comes(scenario: Scenario, me: str, peer: str) -> bool:
    try:
        return dials(scenario, peer, me)
    except UsageError:
        return False


def open_transport(
    identity: Identity, peers: dict[str, bytes], address: str | None, me: str, teller: Teller
) -> Transport:
    """A doctor's transport; it listens at this party's address if that is free."""
    if address is not None:
        try:
            listening_one = Transport(identity, peers, listening(address), doctor=True)
        except UsageError as error:
            teller.one(_port_finding(error, me, address))
        else:
            teller.one(ok(f"{address}: the port is free, and this party can listen there"))
            return listening_one
    return Transport(identity, peers, None, doctor=True)


def _port_finding(error: UsageError, me: str, address: str) -> Finding:
    if "in use" in error.message:
        hint = (
            f"if `mpc party` of {me} runs already, all is well; else `ss -ltnp` shows who has the port. Peers that "
            "dial this party were not looked at"
        )
    elif "assign" in error.message:
        hint = "the address is not this machine's: correct it, or give a host name, for which it listens everywhere"
    else:
        hint = error.hint
    return problem(f"{address}: {error.message}", hint, UsageError.exit_code)
