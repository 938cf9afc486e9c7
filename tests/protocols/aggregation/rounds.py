"""Rounds of secure aggregation in lockstep: who drops when, and what was summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mpc.errors import ProtocolError
from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import Stream, derive, insecure_entropy
from mpc.ring.array import Array
from mpc.star.lockstep import StarMessage, StarOutcome, StarTap, run_star
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.helper import aggregation_helper
from protocols.aggregation.parts.pack import word
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings, Trust, settings_of

FIRST = Occasion(b"session", 1, 1)


@dataclass
class Memory:
    """A client's journal, in memory."""

    kept: dict[int, bytes] = field(default_factory=dict)

    def __call__(self, number: int, digest: bytes) -> None:
        if self.kept.setdefault(number, digest) != digest:
            raise ProtocolError(f"shares were released for other survivors of round {number}")


def settings_for(clients: int, length: int, bits: int = 20, *, malicious: bool = False, **rates: float) -> Settings:
    """Settings at the bounds, for rates that even few clients withstand."""
    bounds = choose_bounds(clients, malicious=malicious, **rates)
    return settings_of(bounds, length, bits, min_cohort=2)


def vectors_for(settings: Settings, seed: str = "vectors") -> dict[int, Array]:
    """Any numbers modulo 2^bits, one vector a client."""
    stream = Stream(derive(bytes(32), seed))
    dtype = word(settings.bits)
    mask = dtype.type((1 << settings.bits) - 1)
    return {i: stream.take(settings.length * dtype.itemsize).view(dtype) & mask for i in range(settings.clients)}


def trust_for(settings: Settings) -> dict[int, Trust | None]:
    """Each client's signing key and everybody's public one, as a roster would give them."""
    if not settings.malicious:
        return dict.fromkeys(range(settings.clients))
    signers = [Signer(derive(bytes(32), f"identity {i}")) for i in range(settings.clients)]
    public = [signer.public for signer in signers]
    return {i: Trust(signer, public) for i, signer in enumerate(signers)}


def play(
    settings: Settings,
    vectors: Mapping[int, Array],
    tap: StarTap | None = None,
    *,
    occasion: Occasion = FIRST,
    journals: Mapping[int, Memory] | None = None,
    seed: int = 7,
) -> StarOutcome:
    """One attempt at one round."""
    trust = trust_for(settings)
    journals = journals or {i: Memory() for i in vectors}
    label = f"{occasion.round}/{occasion.attempt}"

    def program(i: int) -> Callable[[], object]:
        entropy = insecure_entropy(seed, f"client {i}/{label}")
        return lambda: aggregation_client(i, settings, occasion, vectors[i], entropy, journals[i], trust[i])

    server = aggregation_server(settings, occasion, insecure_entropy(seed, f"server/{label}"))
    programs = {i: program(i) for i in vectors}
    if settings.test is not None:
        entropy = insecure_entropy(seed, f"helper/{label}")
        programs[settings.helper] = lambda: aggregation_helper(settings, occasion, entropy)
    return run_star(server, programs, tap)  # type: ignore[arg-type]


def without(drops: Mapping[int, str]) -> StarTap:
    """A tap under which client i sends nothing from the stage drops[i] on."""
    gone: set[int] = set()

    def tap(message: StarMessage) -> bytes | None:
        if message.up and drops.get(message.client) == message.label:
            gone.add(message.client)
        return None if message.client in gone else message.body

    return tap


def total_of(settings: Settings, vectors: Mapping[int, Array], clients: object) -> Array:
    """The sum in the clear."""
    total = np.zeros(settings.length, dtype=word(settings.bits))
    for i in clients:  # type: ignore[attr-defined]
        total += vectors[i]
    return total & total.dtype.type((1 << settings.bits) - 1)
