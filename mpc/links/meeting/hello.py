"""The hellos of a handshake: that all run the same program, on the same scenario; and the keys that follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from mpc.errors import DisagreementError, plain_text
from mpc.links.channel import Channel
from mpc.links.meeting.exchange import Answer, as_seed, exchange
from mpc.links.meeting.offer import Offer, Table
from mpc.links.session import link_key
from mpc.randomness.streams import Entropy, session_id

_BRIEF = 100  # characters of a value that is shown: a public key, which one has to compare to its end, has 92


@dataclass(frozen=True)
class Session:
    """The facts that follow from the hellos: the session's name, each party's nonce, and the owners' common key.

    The key is empty at the helper.
    """

    name: bytes
    nonces: Mapping[str, bytes]
    owners_key: bytes = field(repr=False)

    @property
    def nonce_digests(self) -> dict[str, str]:
        """A digest of each party's nonce."""
        return {party: sha256(nonce).hexdigest() for party, nonce in sorted(self.nonces.items())}


def say_hello(channel: Channel, table: Table, offer: Offer, entropy: Entropy, seconds: float) -> Session:
    """Exchange hellos with all peers, and a key with each at once: so it can be told which other parties are missing.

    A link's key is bound to the nonces of its two ends alone. A party that says one hello to one peer and another to
    the next is found out in the next round, in which all exchange the digests of what they heard, and not by tags.
    """
    me = channel.me
    nonce, shared = entropy("hello"), entropy("names")
    parts = {peer: entropy(f"link/{peer}") for peer in table.everyone if peer != me}
    about = {"version": offer.version, "facts": dict(offer.facts)}
    channel.introduce(about)
    said = {**about, "nonce": nonce.hex()}
    messages = {
        peer: {
            **said,
            "part": part.hex(),
            **({"names": shared.hex()} if peer != table.helper and me != table.helper else {}),
        }
        for peer, part in parts.items()
    }

    def heard(peer: str, said: Answer) -> None:
        _same_program(me, peer, offer, said)
        pair = session_id({me: nonce, peer: said.read("nonce", as_seed)})
        channel.rekey(peer, link_key(pair, {me: parts[peer], peer: said.read("part", as_seed)}))

    got = exchange(channel, "hello", messages, seconds, heard)
    nonces = {me: nonce, **{peer: answer.read("nonce", as_seed) for peer, answer in got.items()}}
    channel.trace.stage("handshake", 0, 0)
    if me == table.helper:
        return Session(session_id(nonces), nonces, b"")
    keys = {me: shared, **{peer: got[peer].read("names", as_seed) for peer in table.owners if peer != me}}
    return Session(session_id(nonces), nonces, b"".join(keys[name] for name in table.owners))


def check_same_hellos(me: str, peer: str, session: Session, said: Answer) -> None:
    """Refuse a peer that heard another hello of some party than this one did."""
    nonce_digests = said.read("hellos", dict[str, str])
    for party, digest in session.nonce_digests.items():
        if nonce_digests.get(party) == digest:
            continue
        if party in (me, peer):
            raise DisagreementError(
                f"{peer} tells of another hello than was said between {peer} and {me}",
                f"see what runs as {peer}, and its log",
                party=peer,
            )
        raise DisagreementError(
            f"{party} said one hello to {me} and another to {peer}, as {peer} tells",
            f"see what runs as {party}, and its log; if nothing is wrong there, what runs as {peer}",
            party=party,
            told_by=peer,
        )


def _same_program(me: str, peer: str, offer: Offer, said: Answer) -> None:
    if said["version"] != offer.version:
        raise DisagreementError(
            f"{me} runs version {brief(offer.version)} and {peer} version {brief(said['version'])}",
            "install the same version everywhere",
            party=peer,
        )
    theirs = said.read("facts", dict[str, Any])
    for key in [*offer.facts, *(key for key in theirs if key not in offer.facts)]:
        mine, other = offer.facts.get(key), theirs.get(key)
        if mine != other:
            raise DisagreementError(
                f"the scenarios of {me} and {peer} differ: {plain_text(key, _BRIEF)} is {brief(mine)} here and "
                f"{brief(other)} there",
                "all parties must run the same scenario file",
                party=peer,
            )


def brief(value: Any) -> str:
    """A value, perhaps a peer's, as short ASCII text."""
    try:
        return plain_text("not set" if value is None else json.dumps(value), _BRIEF)
    except RecursionError:
        return "nested too deeply"
