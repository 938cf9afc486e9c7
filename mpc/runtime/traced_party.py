"""A party whose rounds are recorded: which correlations it draws, and, under a test seed, the values of each round.

A value is an event of `round_tracer`:

    ["value", what, label, round, {"shape", "scale", "bits", "xor", "words", "digest", ...}]

`what` is "input", "watch", "share", "masked", "opened" or "told"; `round` is the number of the round that it goes into,
or that it came from: 0 is the first. `words` are this party's share, of the ring, little-endian in hexadecimal: the
first `MOST_WORDS` of them; `digest` is of all. What is `public` is no share. A "masked" value, which is to be opened,
has this party's share of the mask besides, and which correlation it is of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import numpy as np

from mpc.randomness.correlation import Kind
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.runtime.interfaces import Observer, Supply
from mpc.runtime.party import PairStreams, Party
from mpc.runtime.round_tracer import RoundTracer
from mpc.runtime.trace import Tracer
from mpc.sharing.share import Mask, Masked, Public, Share, Use

MOST_WORDS: Final = 256
"""The words that are recorded of a value."""


class TracedSupply:
    """A supply that tells a tracer what is drawn; under a test seed it remembers the masks.

    Attributes:
        masks: by use, of the masks that no value was opened under yet: the correlation's number and kind, the part,
            and this party's share of the mask.
    """

    def __init__(self, supply: Supply, tracer: Tracer) -> None:
        self._supply = supply
        self._tracer = tracer
        self.masks: dict[Use, tuple[int, str, int, Mask]] = {}

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation, as the supply gives it."""
        name = type(kind).__name__
        self._tracer.drew(name)
        number, parts = self._supply.next(kind)
        if self._tracer.values:
            for k, part in enumerate(parts):
                if isinstance(part, Mask):
                    self.masks[part.use] = number, name, k, part
        return number, parts

    def fork(self, way: bool) -> bool:
        """Take a way, as the supply does."""
        return self._supply.fork(way)


class TracedParty(Party):
    """A party that records its values: under a test seed only, which makes them known anyway."""

    def record_with(self, tracer: RoundTracer, supply: TracedSupply) -> None:
        """Record with these."""
        self._tracer = tracer
        self._masks = supply.masks

    def watch(self, label: str, *values: Share | Public) -> None:
        """As `Party.watch`, recorded."""
        for value in values:
            self._note("watch", label, value, public=isinstance(value, Public))

    def input(self, owner: str, value: Array | None, shape: tuple[int, ...], scale: int, ring: Ring = Z64) -> Share:
        """As `Party.input`; the share is recorded."""
        share = super().input(owner, value, shape, scale, ring)
        self._note("input", owner, share)
        return share

    async def open(self, *masked: Masked, label: str) -> tuple[Public, ...]:
        """As `Party.open`; what is opened is recorded, and under which masks."""
        return self._recorded(await super().open(*masked, label=label), label)

    async def open_rows(self, masked: Masked, *, label: str) -> Public:
        """As `Party.open_rows`, likewise."""
        return self._recorded((await super().open_rows(masked, label=label),), label)[0]

    async def open_own(self, masked: Masked, sizes: Sequence[int], *, label: str) -> Public:
        """As `Party.open_own`, likewise."""
        return self._recorded((await super().open_own(masked, sizes, label=label),), label)[0]

    async def reveal(self, *shares: Share, what: str, why: str, label: str) -> tuple[Public, ...]:
        """As `Party.reveal`; the values are recorded, as they are told to this party."""
        for share in shares:
            self._note("share", label, share)
        return self._recorded(await super().reveal(*shares, what=what, why=why, label=label), label, "told")

    async def reveal_to_each(self, parts: Mapping[str, Share], *, what: str, why: str, label: str) -> Public:
        """As `Party.reveal_to_each`, likewise."""
        for owner, part in parts.items():
            self._note("share", label, part, to=owner)
        told = await super().reveal_to_each(parts, what=what, why=why, label=label)
        return self._recorded((told,), label, "told", to=self.name)[0]

    def _spend(self, value: Masked, label: str) -> None:
        super()._spend(value, label)
        number, kind, part, mask = self._masks.pop(value.use, (-1, "", -1, None))
        words: dict[str, Any] = (
            {} if mask is None else {"mask": words_of(mask.value, mask.ring), "digest of mask": digest(mask)}
        )
        self._note("masked", label, value, added=value.added, of=[number, kind, part], **words)

    def _recorded(
        self, values: tuple[Public, ...], label: str, what: str = "opened", **more: Any
    ) -> tuple[Public, ...]:
        for value in values:
            self._note(what, label, value, after=True, public=True, **more)
        return values

    def _note(self, what: str, label: str, value: Share | Public, *, after: bool = False, **more: Any) -> None:
        place = self._tracer.rounds - after
        self._tracer.note(["value", what, label, place, {**described(value), **more}])


def traced(
    tracer: Tracer,
    me: str,
    owners: tuple[str, ...],
    supply: Supply,
    pairs: Mapping[str, PairStreams],
    observer: Observer,
    declared: frozenset[str],
) -> Party:
    """A party, recorded as far as the tracer does: not at all, its correlations, or its values too."""
    if not isinstance(tracer, RoundTracer):
        return Party(me, owners, supply, pairs, observer, declared=declared)
    drawing = TracedSupply(supply, tracer)
    if not tracer.values:
        return Party(me, owners, drawing, pairs, observer, declared=declared)
    party = TracedParty(me, owners, drawing, pairs, observer, declared=declared)
    party.record_with(tracer, drawing)
    return party


def described(value: Share | Public) -> dict[str, Any]:
    """A value's shape, scale and ring, its first words, and a digest of all."""
    ring = value.ring
    return {
        "shape": value.shape,
        "scale": value.scale,
        "bits": ring.bits,
        "xor": ring.xor,
        "words": words_of(value.value, ring),
        "digest": digest(value),
    }


def words_of(value: Array, ring: Ring) -> str:
    """The first words of an array, little-endian, in hexadecimal."""
    return bytes(ring.to_bytes(np.ascontiguousarray(value).reshape(-1)[:MOST_WORDS])).hex()


def digest(value: Share | Public) -> str:
    """A digest of all words."""
    return sha256(value.ring.to_bytes(np.ascontiguousarray(value.value))).hexdigest()[:16]
