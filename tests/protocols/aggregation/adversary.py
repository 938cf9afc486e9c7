"""A server that keeps every message of every round, and some clients that tell it all: what is left of each vector
for them.

It opens whatever t shares open, of whichever attempt, and takes off every mask that follows from that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mpc.randomness.key_agreement import KEY_BYTES, SIGNATURE_BYTES, KeyPair, unseal
from mpc.randomness.streams import Entropy, derive
from mpc.ring.array import Array
from mpc.star.lockstep import StarMessage, StarTap
from protocols.aggregation import messages as m
from protocols.aggregation.parts.masks import add_mask, pair_key, self_key
from protocols.aggregation.parts.pack import unpack
from protocols.aggregation.parts.shamir import SHARE_BYTES, combine, from_limbs
from protocols.aggregation.settings import Occasion, Settings, commitment, context


@dataclass
class Tape:
    """All messages of one attempt, also those that were not delivered."""

    up: dict[tuple[int, str], bytes] = field(default_factory=dict)
    down: dict[tuple[int, str], bytes] = field(default_factory=dict)

    def over(self, tap: StarTap) -> StarTap:
        def both(message: StarMessage) -> bytes | None:
            (self.up if message.up else self.down)[message.client, message.label] = message.body
            return tap(message)

        return both


@dataclass
class Adversary:
    """Args: coalition: client -> where its secrets came from."""

    settings: Settings
    coalition: Mapping[int, Entropy]
    known_keys: dict[bytes, bytes] = field(default_factory=dict)  # public mask key -> secret
    known_seeds: set[bytes] = field(default_factory=set)

    def learn(self, tape: Tape, occasion: Occasion) -> None:
        """Open what can be opened of one attempt."""
        about, t = context(self.settings, occasion), self.settings.threshold
        public = {
            i: m.read_keys(body, self.settings.malicious) for (i, label), body in tape.up.items() if label == m.KEYS
        }
        got: dict[tuple[int, bool], dict[int, Array]] = {}

        def note(owner: int, holder: int, share: bytes, *, seed: bool) -> None:
            got.setdefault((owner, seed), {})[holder] = np.frombuffer(share, dtype="<u4")

        for (i, label), body in tape.up.items():
            if label != m.UNMASK:
                continue
            givers, survived = self._given(tape, i), self._told(tape, i)
            for j, share in zip(givers, m.pieces(body, len(givers), SHARE_BYTES, ""), strict=True):
                note(j, i, share, seed=survived[j])
        for i, entropy in self.coalition.items():
            self.known_keys[public[i].mask] = entropy("mask key")
            self.known_seeds.add(entropy("self mask seed"))
            channel = KeyPair(entropy("channel key"))
            if (i, m.SHARES) not in tape.down:
                continue
            givers = self._given(tape, i)
            sealed = m.pieces(tape.down[i, m.SHARES][-len(givers) * m.SEALED_BYTES :], len(givers), m.SEALED_BYTES, "")
            for j, one in zip(givers, sealed, strict=True):
                ends = j.to_bytes(4, "little") + i.to_bytes(4, "little")
                key = derive(channel.shared(public[j].channel), "secure aggregation/shares", about + ends)
                pair = unseal(key, one, about)
                assert pair is not None
                note(j, i, pair[:SHARE_BYTES], seed=False)
                note(j, i, pair[SHARE_BYTES:], seed=True)
        for (owner, seed), shares in got.items():
            if len(shares) < t:
                continue
            holders = sorted(shares)[:t]
            points = np.array([[j + 1 for j in holders]], dtype=np.uint64)
            secret = from_limbs(combine(points, np.array([[shares[j] for j in holders]]))[0])
            assert secret is not None
            if seed:
                self.known_seeds.add(secret)
            else:
                assert KeyPair(secret).public == public[owner].mask
                self.known_keys[public[owner].mask] = secret

    def left(self, tape: Tape, occasion: Occasion, client: int) -> Array:
        """A client's vector with every known mask taken off; all known seeds are tried through their commitments."""
        s, about = self.settings, context(self.settings, occasion)
        keys = {
            i: m.read_keys(body, self.settings.malicious) for (i, label), body in tape.up.items() if label == m.KEYS
        }
        y = unpack(tape.up[client, m.MASKED], s.length, s.bits).copy()
        told = tape.up[client, m.SHARES][: m.COMMITMENT_BYTES]
        for seed in self.known_seeds:
            if commitment(seed, about + keys[client].mask) == told:
                add_mask(y, self_key(seed, about), minus=True)
        for j in self._givers(tape, client):
            mine, theirs = keys[client].mask, keys[j].mask
            if mine in self.known_keys:
                shared = KeyPair(self.known_keys[mine]).shared(theirs)
            elif theirs in self.known_keys:
                shared = KeyPair(self.known_keys[theirs]).shared(mine)
            else:
                continue
            add_mask(y, pair_key(shared, about, client, j), minus=client < j)
        return y & y.dtype.type((1 << s.bits) - 1)

    def _givers(self, tape: Tape, i: int) -> list[int]:
        """The neighbours of i that gave shares: those it masks with."""
        if self.settings.malicious:
            body = tape.down[i, m.CHOICE]
            incoming, there = counts(body)
            start = 8 + m.INDEX_BYTES * incoming
            entry = m.INDEX_BYTES + m.KEYS_BYTES + SIGNATURE_BYTES
            keys = m.read_key_list(body[start : start + there * entry], True)
        else:
            helper = 0 if self.settings.test is None else KEY_BYTES
            keys = m.read_key_list(tape.down[i, m.KEYS][helper:], False)
        bits = m.read_bits(tape.down[i, m.SHARES][: -(-len(keys) // 8)], len(keys))
        return [j for j, there in zip(keys, bits, strict=True) if there]

    def _given(self, tape: Tape, i: int) -> list[int]:
        """Those whose shares i was given."""
        givers = self._givers(tape, i)
        if not self.settings.malicious:
            return givers
        body = tape.down[i, m.CHOICE]
        owners = m.read_indices(body[8 : 8 + m.INDEX_BYTES * counts(body)[0]])
        return [j for j in givers if j in owners]

    def _told(self, tape: Tape, i: int) -> dict[int, bool]:
        """Of whom i was told that they survived."""
        if self.settings.malicious:
            return dict(enumerate(m.read_bits(tape.down[i, m.MASKED], self.settings.clients).tolist()))
        givers = self._givers(tape, i)
        bits = m.read_bits(tape.down[i, m.MASKED][m.INDEX_BYTES + m.ROOT_BYTES :], len(givers))
        return {j: bool(bit) for j, bit in zip(givers, bits, strict=True)}


def counts(body: bytes) -> tuple[int, int]:
    """How many chose a client, and how many keys it is given."""
    return int.from_bytes(body[:4], "little"), int.from_bytes(body[4:8], "little")
