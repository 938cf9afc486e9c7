"""A client's part of a round of secure aggregation.

    keys         i -> server: fresh public keys for masks and for its channels to neighbours
    choice       (lying server) i -> server: the holders that i chose, after the server committed to all keys
    shares       i -> server: shares of its mask key and of its self mask's seed b_i, sealed for each holder
    masked       i -> server: y_i = x_i + PRG(b_i) +- PRG(s_ij) over its neighbours j
    consistency  (lying server) i -> server: for each client whose shares it holds, a tag of the one set of survivors
    it was shown
    unmask       i -> server: for each client whose shares it holds, the share of b_j if j survived, of j's mask key
    if not; with a helper, sealed for it (helper.py)

Bonawitz et al. 2017, "Practical Secure Aggregation for Privacy-Preserving Machine Learning"; Bell et al. 2020, "Secure
Single-Server Aggregation with (Poly)Logarithmic Overhead". The client shows the server nothing but y_i, which is
uniform, and shares of one kind for each neighbour, of one set of survivors a round: the server learns the survivors'
sum.

With a lying server, what hides x_i rests on the holders that i chose: on the masks it shares with them, and on the
shares it gave them. So i checks the signatures of their keys. Those that chose i check its keys in their turn; were
they others than i was given, their masks would not cancel, and the sum would be of no use to the server. The tag of a
set of survivors is under the key of the channel between owner and holder, which the owner knows to be the holder's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.randomness.key_agreement import KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES, KeyPair, seal, signed, unseal
from mpc.randomness.streams import Entropy, Stream, derive
from mpc.ring.array import Array
from mpc.star.stage import Exchange
from protocols.aggregation import messages as m
from protocols.aggregation.parts.graph import choose
from protocols.aggregation.parts.masks import add_mask, pair_key, self_key
from protocols.aggregation.parts.pack import pack
from protocols.aggregation.parts.shamir import SHARE_BYTES, limbs, split
from protocols.aggregation.settings import (
    Journal,
    Occasion,
    Settings,
    Trust,
    commitment,
    context,
    survivors_digest,
)

_HINT = "the server does not follow the protocol, or is another version"


@dataclass(frozen=True)
class _Own:
    """This client's own keys, input and secrets in this attempt."""

    me: int
    settings: Settings
    context: bytes
    mask_secret: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    mask: KeyPair
    channel: KeyPair
    entropy: Entropy
    trust: Trust | None

    def stream(self, label: str) -> Stream:
        return Stream(derive(self.entropy(label), label, self.context))


@dataclass(frozen=True)
class _Neighbours:
    """This client's neighbours and their keys, the holders of its shares, and the clients whose shares it holds.

    `helper` is the helper's public key, where there is one.
    """

    keys: Mapping[int, m.Keys]
    holders: tuple[int, ...]
    owners: tuple[int, ...]
    root: bytes = b""
    helper: bytes = b""


async def aggregation_client(
    me: int,
    settings: Settings,
    occasion: Occasion,
    vector: Array,
    entropy: Entropy,
    journal: Journal,
    trust: Trust | None = None,
) -> None:
    """Take part in one attempt at one round.

    Args:
        me: this client's number.
        vector: (length,) numbers modulo 2^bits, in machine words.
        entropy: the source of secrets, fresh ones for each attempt.
        journal: asked before anything is released, or tagged, for a set of survivors.
        trust: with a lying server, this client's signing key and everybody's public one.

    Raises:
        TooFewError: fewer survivors, or holders, than agreed: nothing is opened for them.
        ProtocolError, DisagreementError: the server's message is malformed, or a lie.
    """
    if (
        settings.malicious != (trust is not None)
        or (settings.malicious and settings.test)
        or vector.shape != (settings.length,)
    ):
        raise ProtocolError("the client was started with other settings than it has keys or values for")
    mask_secret, seed = entropy("mask key"), entropy("self mask seed")
    own = _Own(
        me,
        settings,
        context(settings, occasion),
        mask_secret,
        seed,
        KeyPair(mask_secret),
        KeyPair(entropy("channel key")),
        entropy,
        trust,
    )
    neighbours = await (_choose_neighbours(own) if trust else _take_neighbours(own))
    agreed = {j: own.channel.shared(keys.channel) for j, keys in neighbours.keys.items()}
    present, held = await _share(own, neighbours, agreed)
    answer = await Exchange(_mask_vector(own, neighbours, present, vector), m.MASKED, _survivors_limit(own))
    if trust:
        survivors = await _agree(own, neighbours, agreed, present, answer, occasion, journal)
    else:
        survivors = _read_survivors(own, present, answer, occasion, journal)
    released = b"".join(held[j][SHARE_BYTES:] if j in survivors else held[j][:SHARE_BYTES] for j in sorted(held))
    if settings.test is not None:
        released = seal(unmask_key(own.channel, neighbours.helper, own.context, me), released, own.context)
    await Exchange(released, m.UNMASK, 0)


async def _take_neighbours(own: _Own) -> _Neighbours:
    """The neighbours that an honest server drew; refuse more than k or fewer than t."""
    s = own.settings
    helper = 0 if s.test is None else KEY_BYTES
    limit = helper + s.neighbours * (m.INDEX_BYTES + m.KEYS_BYTES)
    answer = await Exchange(own.mask.public + own.channel.public, m.KEYS, limit)
    keys = m.read_key_list(answer[helper:], False)
    if own.me in keys or any(j >= s.clients for j in keys):
        raise ProtocolError("a client was given neighbours that it cannot have", _HINT)
    _check_enough(len(keys), s.threshold, "neighbours")
    return _Neighbours(keys, tuple(keys), tuple(keys), helper=answer[:helper])


async def _choose_neighbours(own: _Own) -> _Neighbours:
    """The neighbours that this client chose itself, and those that chose it; keys as their owners signed them."""
    assert own.trust is not None
    s, trust = own.settings, own.trust
    public = own.mask.public + own.channel.public
    signature = trust.signer.sign(m.keys_about(own.context, own.me) + public)
    root = await Exchange(public + signature, m.KEYS, m.ROOT_BYTES)
    if len(root) != m.ROOT_BYTES:
        raise ProtocolError("the server did not commit to the keys", _HINT)
    chosen = choose(s.clients, s.neighbours, own.me, own.stream("neighbours"))
    answer = await Exchange(m.write_indices(chosen), m.CHOICE, _key_limit(s))
    keys, owners = _read_neighbours(own, root, [int(j) for j in chosen], answer)
    holders = tuple(int(j) for j in chosen if int(j) in keys)
    _check_enough(len(holders), s.threshold, "holders of its shares")
    return _Neighbours(keys, holders, owners, root)


def _read_neighbours(
    own: _Own, root: bytes, chosen: list[int], body: bytes
) -> tuple[dict[int, m.Keys], tuple[int, ...]]:
    """The keys of the present neighbours, signed where this client chose them; and the clients that chose it."""
    assert own.trust is not None
    s, entry = own.settings, m.INDEX_BYTES + m.KEYS_BYTES + SIGNATURE_BYTES
    if len(body) < 8:
        raise ProtocolError("the list of neighbours is cut off", _HINT)
    incoming, there = int.from_bytes(body[:4], "little"), int.from_bytes(body[4:8], "little")
    middle, end = 8 + m.INDEX_BYTES * incoming, 8 + m.INDEX_BYTES * incoming + entry * there
    owners = m.read_indices(body[8:middle])
    keys = m.read_key_list(body[middle:end], True)
    if incoming > s.most_incoming:
        raise ProtocolError(
            f"the server says that {incoming} clients chose this one, and {s.most_incoming} are the most",
            "it would fill a neighbourhood with clients of its own",
        )
    if len(owners) != incoming or len(keys) != there or own.me in owners or not set(owners) <= set(keys):
        raise ProtocolError("the list of neighbours is not what it says", _HINT)
    if not set(keys) <= {*chosen, *owners} or any(j >= s.clients for j in keys):
        raise DisagreementError("the server gave keys of clients that this one did not choose", _HINT)
    for j in (j for j in chosen if j in keys):
        about = m.keys_about(own.context, j) + keys[j].mask + keys[j].channel
        if not signed(own.trust.public[j], keys[j].signature, about):
            raise DisagreementError(f"the keys that the server gave for client {j} are not signed by it", _HINT)
    if m.root_from(s.clients, {j: m.leaf(j, theirs) for j, theirs in keys.items()}, body[end:]) != root:
        raise DisagreementError("the server gave other keys than it had committed to", _HINT)
    return keys, owners


async def _share(
    own: _Own, neighbours: _Neighbours, agreed: Mapping[int, bytes]
) -> tuple[tuple[int, ...], dict[int, bytes]]:
    """Give shares to the holders; returns the neighbours that did likewise, and the pairs of shares held for others.

    The pair is (share of the mask key, share of the seed); where one cannot be opened, both are NO_SHARE.
    """
    secrets = np.concatenate((limbs(own.mask_secret), limbs(own.seed)))
    points = np.array(neighbours.holders, dtype=np.uint64) + np.uint64(1)
    shares = split(secrets, own.settings.threshold, points, own.stream("shares"))
    sealed = [
        seal(_channel_key(own, agreed[j], own.me, j, m.SHARES), shares[row].tobytes(), own.context)
        for row, j in enumerate(neighbours.holders)
    ]
    everyone = tuple(neighbours.keys)
    bitmap = -(-len(everyone) // 8)
    body = await Exchange(
        commitment(own.seed, own.context + own.mask.public) + b"".join(sealed),
        m.SHARES,
        bitmap + len(neighbours.owners) * m.SEALED_BYTES,
    )
    bits = m.read_bits(body[:bitmap], len(everyone))
    present = tuple(j for j, there in zip(everyone, bits, strict=True) if there)
    _check_enough(len(set(present) & set(neighbours.holders)), own.settings.threshold, "holders of its shares")
    givers = [j for j in present if j in set(neighbours.owners)]
    held: dict[int, bytes] = {}
    for j, one in zip(givers, m.pieces(body[bitmap:], len(givers), m.SEALED_BYTES, "sealed shares"), strict=True):
        pair = unseal(_channel_key(own, agreed[j], j, own.me, m.SHARES), one, own.context)
        held[j] = pair if pair is not None and len(pair) == m.PAIR_BYTES else 2 * m.NO_SHARE
    return present, held


def _mask_vector(own: _Own, neighbours: _Neighbours, present: tuple[int, ...], vector: Array) -> bytes:
    """y_i = x_i + PRG(b_i) + sum_(j > i) PRG(s_ij) - sum_(j < i) PRG(s_ij), packed."""
    y = vector.copy()
    add_mask(y, self_key(own.seed, own.context))
    for j in present:
        key = pair_key(own.mask.shared(neighbours.keys[j].mask), own.context, own.me, j)
        add_mask(y, key, minus=j < own.me)
    return pack(y, own.settings.bits)


def _survivors_limit(own: _Own) -> int:
    s = own.settings
    return s.bitmap_bytes if s.malicious else m.INDEX_BYTES + m.ROOT_BYTES + s.bitmap_bytes


def _read_survivors(
    own: _Own, present: tuple[int, ...], body: bytes, occasion: Occasion, journal: Journal
) -> frozenset[int]:
    """The survivors among the neighbours, from an honest server's message: a count, a digest, and a bit each."""
    start = m.INDEX_BYTES + m.ROOT_BYTES
    bits = m.read_bits(body[start:], len(present))
    _check_enough(int.from_bytes(body[: m.INDEX_BYTES], "little"), own.settings.min_cohort, "survivors")
    journal(occasion.round, body[m.INDEX_BYTES : start])
    return frozenset(j for j, survived in zip(present, bits, strict=True) if survived)


async def _agree(
    own: _Own,
    neighbours: _Neighbours,
    agreed: Mapping[int, bytes],
    present: tuple[int, ...],
    bitmap: bytes,
    occasion: Occasion,
    journal: Journal,
) -> frozenset[int]:
    """The survivors, once t holders of this client's shares tagged the same set: they will not open it as dropped."""
    s = own.settings
    survivors = frozenset(int(j) for j in np.flatnonzero(m.read_bits(bitmap, s.clients)))
    if own.me not in survivors:
        raise ProtocolError("the server counts this client as dropped, and yet asks it for shares", _HINT)
    if any(j in survivors and j not in present for j in neighbours.keys):
        raise ProtocolError("the server counts a neighbour as a survivor that gave no shares", _HINT)
    _check_enough(len(survivors), s.min_cohort, "survivors")
    journal(occasion.round, survivors_digest(s.clients, bitmap))
    about = m.consistency_about(own.context, neighbours.root, bitmap)
    holders = [j for j in neighbours.holders if j in survivors]
    owners = [j for j in neighbours.owners if j in survivors]
    tags = b"".join(seal(_channel_key(own, agreed[j], own.me, j, m.CONSISTENCY), b"", about) for j in owners)
    size = -(-len(holders) // 8)
    body = await Exchange(tags, m.CONSISTENCY, size + len(holders) * TAG_BYTES)
    givers = [j for j, there in zip(holders, m.read_bits(body[:size], len(holders)), strict=True) if there]
    _check_enough(len(givers), s.threshold, "tags of the survivors by holders of its shares")
    given = zip(givers, m.pieces(body[size:], len(givers), TAG_BYTES, "tags"), strict=True)
    keys = {j: _channel_key(own, agreed[j], j, own.me, m.CONSISTENCY) for j in givers}
    others = [j for j, tag in given if unseal(keys[j], tag, about) is None]
    if len(givers) - len(others) < s.threshold:
        raise DisagreementError(
            f"client {others[0]} was not shown the survivors that this client was shown",
            "the server shows different sets to different clients, or an old one; nothing was opened",
        )
    return survivors


def unmask_key(mine: KeyPair, other: bytes, context: bytes, client: int) -> bytes:
    """The key under which a client seals what it releases, for the helper: of its channel key and the helper's."""
    return derive(mine.shared(other), "secure aggregation/unmask", context + client.to_bytes(4, "little"))


def _channel_key(own: _Own, agreed: bytes, sender: int, receiver: int, stage: str) -> bytes:
    """The key of the one text that `sender` seals for `receiver` in this stage of this attempt."""
    ends = sender.to_bytes(4, "little") + receiver.to_bytes(4, "little")
    return derive(agreed, f"secure aggregation/{stage}", own.context + ends)


def _key_limit(s: Settings) -> int:
    entries = min(s.clients - 1, s.neighbours + s.most_incoming)
    entry = m.INDEX_BYTES + KEY_BYTES * 2 + SIGNATURE_BYTES
    return 8 + m.INDEX_BYTES * (s.clients - 1) + entries * entry + m.ROOT_BYTES * 2 * s.clients


def _check_enough(count: int, least: int, what: str) -> None:
    if count < least:
        raise TooFewError(f"there are {count} {what}, and {least} are needed", "nothing was opened")
