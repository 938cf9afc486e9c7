"""The facts that server and clients agree on before a round, and the context of one attempt."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpc.randomness.key_agreement import Signer
from protocols.aggregation import messages as m
from protocols.aggregation.bounds import Bounds
from protocols.aggregation.cells.membership import CellTest
from protocols.aggregation.parts.pack import packed_bytes

Journal = Callable[[int, bytes], None]
"""Called with a round's number and a digest of its survivors before anything is released for them. It keeps both
where they survive a restart, and raises ProtocolError where it holds another digest for that round."""


@dataclass(frozen=True)
class Settings:
    """The public facts of an aggregation.

    Args:
        clients: n; a client is a number below it.
        neighbours, threshold: k holders of each client's shares; t of them open a secret (bounds.py).
        length, bits: the vector has so many numbers modulo 2^bits.
        min_cohort: nothing is opened for fewer survivors.
        malicious: whether the server may lie.
        most_incoming: with a lying server, how many clients may choose one as a holder.
        test: with a helper, which numbers are withheld from the server if they are small.
    """

    clients: int
    neighbours: int
    threshold: int
    length: int
    bits: int
    min_cohort: int
    malicious: bool = False
    most_incoming: int = 0
    test: CellTest | None = None

    @property
    def helper(self) -> int:
        """The helper's number in the star, where there is one: the one after the last client's."""
        return self.clients

    @property
    def vector_bytes(self) -> int:
        """A packed vector's size."""
        return packed_bytes(self.length, self.bits)

    @property
    def bitmap_bytes(self) -> int:
        """The size of a set of clients, a bit each."""
        return -(-self.clients // 8)

    @property
    def opened_limit(self) -> int:
        """The largest answer of the helper: all numbers, their masks, and every share of every holder wrong."""
        return -(-self.length // 8) + self.vector_bytes + 8 * self.clients * self.neighbours

    @property
    def quorum(self) -> int:
        """Fewer clients than that cannot finish a round."""
        return max(self.min_cohort, self.threshold + 1)


@dataclass(frozen=True)
class Occasion:
    """One attempt at one round. Every key and signature is bound to it; masks and neighbours are its own."""

    session: bytes
    round: int
    attempt: int


@dataclass(frozen=True)
class Trust:
    """With a lying server: a client's own signing key, and everybody's public one, from the signed roster."""

    signer: Signer
    public: Sequence[bytes]


def settings_of(bounds: Bounds, length: int, bits: int, min_cohort: int, test: CellTest | None = None) -> Settings:
    """The settings with the neighbours and threshold of these bounds."""
    b = bounds
    return Settings(b.clients, b.neighbours, b.threshold, length, bits, min_cohort, b.malicious, b.most_incoming, test)


def stages_of(settings: Settings) -> tuple[str, ...]:
    """The stages of a round, the helper's own last."""
    return (*m.stages(settings.malicious), *((m.HIDDEN, m.DISCLOSED) if settings.test is not None else ()))


def context(settings: Settings, occasion: Occasion) -> bytes:
    """32 bytes that name the attempt and all agreed facts."""
    s = settings
    numbers = (s.clients, s.neighbours, s.threshold, s.length, s.bits, s.min_cohort, int(s.malicious), s.most_incoming)
    packed = struct.pack("<10Q", *numbers, occasion.round, occasion.attempt)
    tested = repr(s.test).encode() if s.test is not None else b""
    return hashlib.sha256(b"secure aggregation 1" + occasion.session + packed + tested).digest()


def commitment(seed: bytes, about: bytes) -> bytes:
    """A commitment to a client's self mask's seed: the hash of 32 uniform bytes."""
    return hashlib.sha256(b"self mask seed" + about + seed).digest()


def survivors_digest(clients: int, bitmap: bytes) -> bytes:
    """The digest of a set of survivors that a client's journal holds."""
    return hashlib.sha256(b"survivors" + clients.to_bytes(4, "little") + bitmap).digest()
