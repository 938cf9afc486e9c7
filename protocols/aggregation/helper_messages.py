"""The bytes between the server and the helper of a secure sum. Sizes follow from who answered and what is disclosed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mpc.errors import ProtocolError
from mpc.randomness.key_agreement import TAG_BYTES
from mpc.ring.array import Array
from protocols.aggregation import messages as m
from protocols.aggregation.parts.pack import pack, packed_bytes, unpack, word
from protocols.aggregation.parts.shamir import SHARE_BYTES
from protocols.aggregation.settings import Settings

_EACH = m.KEYS_BYTES + m.COMMITMENT_BYTES + m.INDEX_BYTES


@dataclass(frozen=True)
class Facts:
    """The server's message to the helper: the public facts, and the shares sealed for it.

    Args:
        owners: a client that gave shares -> its neighbours that did: whose shares it holds, and who holds its own.
        survivors: whose vectors are in the sum.
        keys, commitments: of each client in `owners`.
        sealed: who answered in stage 'unmask' -> its shares of `owners`, sealed.
    """

    owners: Mapping[int, tuple[int, ...]]
    survivors: frozenset[int]
    keys: Mapping[int, m.Keys]
    commitments: Mapping[int, bytes]
    sealed: Mapping[int, bytes]


@dataclass(frozen=True)
class Opened:
    """The helper's answer: the disclosed numbers (bools), their masks' sums (0 of the others), and the holders of wrong
    shares with the owners of the secrets."""

    disclosed: Array
    masks: Array
    wrong: Mapping[int, tuple[int, ...]]


def write_facts(s: Settings, facts: Facts) -> bytes:
    """Three sets of clients; for each that gave shares its keys, commitment and neighbours; the sealed shares."""
    sets = (facts.owners, facts.survivors, facts.sealed)
    heads = [m.write_bits([i in one for i in range(s.clients)]) for one in sets]
    each = [
        facts.keys[i].body + facts.commitments[i] + m.write_indices([len(owners)]) + m.write_indices(owners)
        for i, owners in sorted(facts.owners.items())
    ]
    return b"".join([*heads, *each, *(facts.sealed[i] for i in sorted(facts.sealed))])


def facts_bytes(s: Settings, owners: Mapping[int, int], answered: frozenset[int]) -> int:
    """How long they are: for each client that gave shares, how many of its neighbours did; who answered last."""
    each = sum(_EACH + m.INDEX_BYTES * count for count in owners.values())
    return 3 * s.bitmap_bytes + each + sum(owners[i] * SHARE_BYTES + TAG_BYTES for i in answered)


def facts_limit(s: Settings) -> int:
    """The facts' largest length."""
    everyone = range(s.clients)
    return facts_bytes(s, dict.fromkeys(everyone, s.neighbours), frozenset(everyone))


def read_facts(s: Settings, body: bytes) -> Facts:
    """Read the facts.

    Raises:
        ProtocolError: they are malformed.
    """
    rest = _Reader(body)
    sharers, survivors, answered = (rest.members(s) for _ in range(3))
    if not answered <= survivors <= sharers:
        raise ProtocolError("the server counts as survivors clients that gave no shares")
    owners, keys, commitments = {}, {}, {}
    for i in sorted(sharers):
        keys[i] = m.read_keys(rest.take(m.KEYS_BYTES), False)
        commitments[i] = rest.take(m.COMMITMENT_BYTES)
        (count,) = m.read_indices(rest.take(m.INDEX_BYTES))
        owners[i] = m.read_indices(rest.take(m.INDEX_BYTES * min(count, s.clients)))
        if i in owners[i] or not sharers.issuperset(owners[i]):
            raise ProtocolError(f"the server names neighbours of client {i} that it cannot have")
    sealed = {i: rest.take(len(owners[i]) * SHARE_BYTES + TAG_BYTES) for i in sorted(answered)}
    rest.end()
    return Facts(owners, survivors, keys, commitments, sealed)


def write_opened(s: Settings, opened: Opened) -> bytes:
    """A bit a number; the masks of disclosed ones; then wrong shares, as pairs of holder and owner."""
    pairs = [(holder, owner) for holder, owners in sorted(opened.wrong.items()) for owner in owners]
    masks = pack(opened.masks[opened.disclosed], s.bits)
    return m.write_bits(opened.disclosed) + masks + b"".join(m.write_indices(pair) for pair in pairs)


def opened_bytes(s: Settings, disclosed: int, wrong: int) -> int:
    """The answer's length, for so many disclosed numbers and so many wrong shares."""
    return -(-s.length // 8) + packed_bytes(disclosed, s.bits) + 2 * m.INDEX_BYTES * wrong


def read_opened(s: Settings, body: bytes) -> Opened:
    """Read the helper's answer.

    Raises:
        ProtocolError: it is malformed.
    """
    rest = _Reader(body)
    disclosed = m.read_bits(rest.take(-(-s.length // 8)), s.length)
    count = int(disclosed.sum())
    masks = np.zeros(s.length, dtype=word(s.bits))
    masks[disclosed] = unpack(rest.take(packed_bytes(count, s.bits)), count, s.bits)
    wrong: dict[int, tuple[int, ...]] = {}
    pairs = []
    while rest.left:
        pairs.append(tuple(int(i) for i in np.frombuffer(rest.take(2 * m.INDEX_BYTES), dtype="<u4")))
    if any(one >= other for one, other in pairwise(pairs)) or any(max(pair) >= s.clients for pair in pairs):
        raise ProtocolError("the helper's list of wrong shares is not in order")
    for holder, owner in pairs:
        wrong[holder] = (*wrong.get(holder, ()), owner)
    return Opened(disclosed, masks, wrong)


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._body)

    def take(self, size: int) -> bytes:
        piece = self._body[self._at : self._at + size]
        if len(piece) < size:
            raise ProtocolError("a message between the server and the helper is cut off")
        self._at += size
        return piece

    def members(self, s: Settings) -> frozenset[int]:
        return frozenset(int(i) for i in np.flatnonzero(m.read_bits(self.take(s.bitmap_bytes), s.clients)))

    def end(self) -> None:
        if self.left:
            raise ProtocolError("a message between the server and the helper is too long")
