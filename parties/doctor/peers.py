"""The findings on each peer: who answers at its address, or why nobody does, and how fast the link is."""

from __future__ import annotations

import errno
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mpc.errors import DisagreementError, PeerLostError
from mpc.links.network import Connected, Refused
from mpc.links.probe import TRANSFER_BYTES
from mpc.links.wire import SAME_VERSION, versions_differ
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from parties.base.version import VERSION
from parties.doctor.findings import Finding, ok, problem, warning
from parties.doctor.links import ECHOES, LinkReport, Meeting
from parties.scenario.file import differences, split_address
from parties.show.blocks import short_bytes

LOOK_SECONDS: Final = 2.0
"""Seconds for finding out why a peer was not reached."""

_MOST_DIFFERENCES: Final = 5
_LOST: Final = PeerLostError.exit_code
_DISAGREED: Final = DisagreementError.exit_code


@dataclass(frozen=True)
class Side:
    """This side of the links.

    Args:
        keys: the peers' public keys.
        addresses: every party's address, where it has one.
        dialled: the endpoints of those that this side dials.
        facts: the scenario's public facts, as this side has them.
    """

    me: str
    identity: Identity
    keys: Mapping[str, bytes]
    addresses: Mapping[str, str | None]
    dialled: Mapping[str, str]
    facts: Mapping[str, Any]


def peer_findings(side: Side, meeting: Meeting, seconds: float) -> Iterator[Finding]:
    """One finding or more for each peer.

    Args:
        seconds: how long the peers were waited for.
    """
    unmet = [peer for peer, seen in meeting.peers.items() if not seen.connected and not seen.refused]
    reasons = _knock_all({peer: side.dialled[peer] for peer in unmet if peer in side.dialled})
    for peer, seen in meeting.peers.items():
        if seen.refused:
            yield problem(
                f"{peer} answers at {side.addresses[peer]} under its own key, but refuses the key of {side.me}",
                f"the scenario (or the roster) of {peer} has another public_key of {side.me}: compare them",
                _DISAGREED,
                peer,
            )
        elif seen.connected:
            yield from _met_findings(side, peer, seen)
        elif peer in reasons:
            yield _unmet_findings(side, peer, reasons[peer])
        else:
            yield _absent_finding(side, peer, seconds)
    yield from _port_finding(side.me, meeting)


def find_key_holder(endpoint: str, keys: Mapping[str, bytes], identity: Identity) -> str | None:
    """The one of these keys that the listener at an endpoint has, if any."""
    transport = Transport(identity, keys, None, doctor=True)
    try:
        for name in keys:
            transport.dial(name, endpoint)
        end = transport.now() + LOOK_SECONDS / 2
        while (left := end - transport.now()) > 0:
            match transport.poll(left):
                # A listener that refuses this party's key could decrypt its message, so it has the key.
                case Connected(name) | Refused(name):
                    return name
        return None
    finally:
        transport.close(0)


def _knock_all(endpoints: Mapping[str, str]) -> dict[str, str]:
    """Why nobody answered at these endpoints, by plain TCP connections, all at once."""
    answers: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    for peer, endpoint in endpoints.items():
        threading.Thread(target=_knock, args=(peer, endpoint, answers), daemon=True).start()
    reasons = dict.fromkeys(endpoints, "silent")
    for _ in endpoints:
        try:
            peer, reason = answers.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            break
        reasons[peer] = reason
    return reasons


def _knock(peer: str, endpoint: str, answers: queue.SimpleQueue[tuple[str, str]]) -> None:
    host, port = split_address(endpoint.removeprefix("tcp://"))
    try:
        socket.create_connection((host, port), LOOK_SECONDS * 0.9).close()
        answers.put((peer, "open"))
    except ConnectionRefusedError:
        answers.put((peer, "refused"))
    except TimeoutError:
        answers.put((peer, "silent"))
    except OSError as error:
        no_way = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL)
        answers.put((peer, "no way" if error.errno in no_way else str(error.strerror).lower()))


def _unmet_findings(side: Side, peer: str, reason: str) -> Finding:
    where, me = str(side.addresses[peer]), side.me
    if reason == "open":
        others = {name: key for name, key in side.keys.items() if name != peer} | {me: side.identity.public}
        found = find_key_holder(side.dialled[peer], others, side.identity)
        if found is None:
            return problem(
                f"what listens at {where} is not {peer} with its public_key, nor any other party of the scenario",
                f"another program may have the port, or {peer} another key: compare its public_key in both files",
                _DISAGREED,
                peer,
            )
        whose = f"this party, {me}, itself" if found == me else found
        hint = f"correct the address of {peer}, or the public keys of both, in every party's copy"
        return problem(f"at {where} it is {whose} that listens, not {peer}", hint, _DISAGREED, peer)
    texts = {
        "refused": (
            f"nothing listens at {where}, the address of {peer}: the connection was refused",
            f"start `mpc party` or `mpc doctor` of {peer} there, at the same time as this one",
        ),
        "silent": (
            f"nobody answers at {where}, the address of {peer}",
            "a firewall drops the connection, the machine is off, or the address is wrong: let this machine in "
            f"there, at TCP port {split_address(where)[1]}",
        ),
        "no way": (
            f"there is no way from this machine to {where}, the address of {peer}",
            "look at this machine's network, its routes and its VPN",
        ),
    }
    text, hint = texts.get(reason, (f"{where}, the address of {peer}, cannot be reached: {reason}", "correct it"))
    if reason == "silent" and side.addresses[me] is None:
        text += f"; {me} has no address, so neither {me} nor {peer} lets the other in"
    return problem(text, hint, _LOST, peer)


def _absent_finding(side: Side, peer: str, seconds: float) -> Finding:
    port = split_address(str(side.addresses[side.me]))[1]
    return problem(
        f"{peer}, which dials {side.me}, did not come within {seconds:.0f} s",
        f"start `mpc party` or `mpc doctor` of {peer} there, at the same time as this one; and let it in here, at TCP "
        f"port {port}",
        _LOST,
        peer,
    )


def _met_findings(side: Side, peer: str, seen: LinkReport) -> Iterator[Finding]:
    place = f"at {side.addresses[peer]}" if seen.dialled else "by dialling in"
    if seen.other_version is not None:
        yield problem(versions_differ(side.me, peer, seen.other_version), SAME_VERSION, _DISAGREED, peer)
    if not seen.about:
        hint = f"it may be busy, or of an older version: see its log, and run `mpc doctor` of {peer} instead"
        yield warning(f"{peer} is there ({place}), under its own key, but does not say what it runs", hint)
        return
    doing = {"doctor": "its doctor", "waiting": "it waits for the run", "running": "it is in the middle of a run"}
    what = doing.get(str(seen.about.get("doing")), "something else")
    yield ok(f"{peer} is there ({place}), under its own key: {what}; beaverlodge {_brief(seen.about.get('version'))}")
    yield from _agreement(side, peer, seen.about)
    if seen.about.get("doing") == "running":
        hint = "look again when the run is over; measuring would slow it down"
        yield warning(f"the link to {peer} was not measured, for a run uses it", hint)
        return
    yield _link_finding(peer, seen)


def _agreement(side: Side, peer: str, about: Mapping[str, Any]) -> Iterator[Finding]:
    me = side.me
    if about.get("version") != VERSION:
        text = f"{me} runs version {VERSION} and {peer} version {_brief(about.get('version'))}"
        yield problem(text, "install the same version everywhere", _DISAGREED, peer)
    theirs = about.get("facts")
    differ = differences(side.facts, theirs) if isinstance(theirs, dict) else ["all of it"]
    if differ:
        more = f"; and {len(differ) - _MOST_DIFFERENCES} more" if len(differ) > _MOST_DIFFERENCES else ""
        text = f"the scenarios of {me} and {peer} differ: {'; '.join(differ[:_MOST_DIFFERENCES])}{more}"
        yield problem(text, "all parties must run the same scenario file: send it again", _DISAGREED, peer)
    else:
        yield ok(f"{peer} has the same scenario")


def _link_finding(peer: str, seen: LinkReport) -> Finding:
    if seen.round_trip is None or seen.up is None or seen.down is None:
        hint = f"run the doctors of both parties once more, with a longer --seconds; see how the link to {peer} is"
        return warning(f"the link to {peer} could not be measured in time", hint)
    ways = f"{_transfer(seen.up)} to {peer}, {_transfer(seen.down)} from it"
    return ok(
        f"link to {peer}: {seen.round_trip * 1000:.3g} ms round trip (median of {ECHOES}); "
        f"{short_bytes(TRANSFER_BYTES)} took {ways}"
    )


def _port_finding(me: str, meeting: Meeting) -> Iterator[Finding]:
    missing = [peer for peer, seen in meeting.peers.items() if not seen.dialled and not seen.connected]
    for key in sorted(meeting.strangers):
        text = f"a connection with the unlisted key {key}... was turned away"
        if missing:
            hint = f"if it is {' or '.join(missing)}, the public_key in this party's scenario is another one: compare"
            yield problem(text, hint, _DISAGREED)
        else:
            yield warning(text, "it is no party of the scenario: see who else dials this port")
    if meeting.broken:
        hint = f"they are of strangers, or of a peer whose scenario has another public_key of {me}: compare"
        yield warning(f"connections to this party's port that broke off before a key was known: {meeting.broken}", hint)


def _transfer(rate: float) -> str:
    return f"{TRANSFER_BYTES / rate:.2g} s ({megabits(rate)})"


def megabits(rate: float) -> str:
    """A rate in bytes a second as megabits a second."""
    return f"{rate * 8 / 1e6:.3g} Mbit/s" if rate < 1.25e8 else f"{rate * 8 / 1e9:.3g} Gbit/s"


def _brief(value: Any) -> str:
    return str(value)[:40]
