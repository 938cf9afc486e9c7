"""One party on its own machine: its keys, its peers' addresses, and which side of each pair dials."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from mpc.links.zmq.curve import Identity
from parties.scenario.file import Scenario, split_address
from parties.session.take_part import Place
from parties.trust import keys
from parties.trust.keys import KeyPair
from parties.trust.roster import Keyed, public_texts
from parties.trust.share_file import Vault

_MOST_NAMED: Final = 20


def place(scenario: Scenario, me: str, folder: Path) -> Place:
    """This party's address and peers, from the scenario and its key file."""
    check_name(scenario, me)
    identity, others = own_keys(scenario, me, folder)
    address = scenario.parties[me].address
    dialled = [peer for peer in others if dials(scenario, me, peer)]

    def find(_: str | None) -> dict[str, str]:
        return {peer: endpoint(scenario, peer) for peer in dialled}

    # Addresses do not show whether machines differ: a tunnel to another one ends at a loopback address.
    return Place(identity, others, listening(address) if address else None, find, local=False)


def vault_of(scenario: Scenario, me: str, folder: Path, secret: bytes) -> Vault:
    """The vault of this party's shares of models: its identity, and the owners' keys."""
    texts = public_texts(scenario)
    return Vault(me, folder, secret, {owner: texts[owner] for owner in scenario.owners})


def check_name(scenario: Keyed, me: str) -> None:
    """Refuse a name that is no party of the scenario.

    Raises:
        UsageError: there is no such party.
    """
    names = list(scenario.stated_keys)
    if me not in names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        hint = f"its parties are {', '.join(names[:_MOST_NAMED])}{more}"
        raise UsageError(f"the scenario has no party '{me}'", hint)


def own_keys(scenario: Keyed, me: str, folder: Path) -> tuple[Identity, dict[str, bytes]]:
    """This party's keys from its key file, and the others' public ones.

    Raises:
        UsageError: the key file cannot be used, or is not that of the scenario's public_key; or a key is missing.
        DisagreementError: the roster is not the administrator's, or a key is revoked or expired.
    """
    pair, texts = own_pair(scenario, me, folder)
    return pair.identity, {name: keys.curve_key(text) for name, text in texts.items() if name != me}


def own_pair(scenario: Keyed, me: str, folder: Path) -> tuple[KeyPair, dict[str, str]]:
    """All of this party's keys from its key file, and everybody's public text.

    Raises:
        UsageError, DisagreementError: as `own_keys`.
    """
    pair = keys.load_pair(me, folder)
    texts = public_texts(scenario)
    if texts[me] != pair.text:
        where, all_copies = ("the roster", "and have it signed again")
        if scenario.roster is None or scenario.stated_keys[me] is not None:
            where, all_copies = ("the scenario", "in every party's copy")
        raise UsageError(
            f"the key file of {me} does not match its public_key in {where}",
            f'write public_key = "{pair.text}" there, {all_copies}',
            party=me,
        )
    return pair, texts


def dials(scenario: Scenario, me: str, peer: str) -> bool:
    """Whether `me` dials `peer`: the party listed later dials, or the only one that can.

    Raises:
        UsageError: neither can dial.
    """
    mine, theirs = scenario.parties[me].address, scenario.parties[peer].address
    if mine is None and theirs is None:
        raise UsageError(
            f"neither {me} nor {peer} has an address, so they cannot reach each other",
            "give one of them an `address` in the scenario",
        )
    order = list(scenario.parties)
    if mine is not None and theirs is not None:
        return order.index(me) > order.index(peer)
    return theirs is not None


def endpoint(scenario: Scenario, name: str) -> str:
    """The endpoint to dial a party at. A host's name is looked up once, here.

    ZeroMQ would look it up for each attempt, within the thread that serves all links: a name server that does not
    answer would block them all. And for a name that does not exist, it would try for ever.
    """
    address = scenario.parties[name].address
    assert address is not None
    return endpoint_of(name, address)


def endpoint_of(name: str, address: str) -> str:
    """The endpoint to dial an address at, as `endpoint`."""
    host, port = split_address(address)
    if host == "localhost":
        return f"tcp://127.0.0.1:{port}"  # `listening` listens there; the name may also stand for ::1
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(
            f"the address of {name}, {address}, has a host name that is not known here: {error.strerror}",
            "correct it in every party's copy, or add the name to this machine's /etc/hosts",
            party=name,
        ) from None
    number = str(found[0][4][0])
    return f"tcp://[{number}]:{port}" if ":" in number else f"tcp://{number}:{port}"


def listening(address: str) -> str:
    """The endpoint to listen at: the address itself if it is numeric, else every interface at its port."""
    host, port = split_address(address)
    try:
        literal = ipaddress.ip_address(host)
    except ValueError:
        return f"tcp://{'127.0.0.1' if host == 'localhost' else '*'}:{port}"
    return f"tcp://[{literal}]:{port}" if literal.version == 6 else f"tcp://{literal}:{port}"
