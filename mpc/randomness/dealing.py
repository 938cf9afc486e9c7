"""How correlated randomness is dealt: an owner's part from its stream, the last owner's corrections in windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mpc.randomness.correlation import Kind, OwnMasks
from mpc.randomness.repeated import listed
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.sharing.share import Mask, Share

WINDOW_BYTES = 1 << 20
WINDOWS_AHEAD = 4
SMALL_BYTES = 16 << 20  # of all that an owner draws, in a job that is drawn at once
AT_ONCE = 1 << 17  # bytes of parts that lie in one piece of memory, none of which is free before all are


class Window(NamedTuple):
    """What the helper sends at once: the corrections of the correlations from `start` to `stop`.

    Args:
        first: the first of these that has a correction, for which the window is fetched.
        nbytes: of all the corrections.
    """

    start: int
    stop: int
    first: int
    nbytes: int


def windows(kinds: Sequence[Kind], forks: Sequence[int] = ()) -> Iterator[Window]:
    """The list cut into windows of at most `WINDOW_BYTES` of corrections (or one correlation), with their bytes.

    Correlations without a correction ride along with the window that is open.

    Args:
        forks: numbers of correlations that a window with earlier corrections may not reach: see `Party.fork`.
    """
    cuts = frozenset(forks)
    start = first = size = number = 0
    for number, more in enumerate(listed(kinds).correction_bytes()):
        if size and (size + more > WINDOW_BYTES or number in cuts):
            yield Window(start, number, first, size)
            start, size = number, 0
        if more and not size:
            first = number
        size += more
    if size:
        yield Window(start, number + 1, first, size)


def is_little(kinds: Sequence[Kind]) -> bool:
    """Whether an owner draws all of them at once: its parts take no more than `SMALL_BYTES`."""
    parts = ((count, (*kind.drawn, *kind.dealt)) for kind, count in listed(kinds).counted())
    return sum(count * spec.nbytes for count, specs in parts for spec in specs) <= SMALL_BYTES


def draw(kind: Kind, stream: Stream, *, corrected: bool) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """One owner's shares from its seed with the helper: the drawn parts, and the dealt ones unless `corrected`."""
    count = len(kind.drawn)
    parts = _uniform(kind.drawn if corrected else kind.drawn + kind.dealt, stream)
    return parts[:count], parts[count:]


def _uniform(specs: tuple[Spec, ...], stream: Stream) -> tuple[Array, ...]:
    """The stream's next arrays, each from a multiple of 8 bytes on; small ones are taken all at once."""
    starts, size = [], 0
    for spec in specs:
        starts.append(size)
        size += -(-spec.nbytes // 8) * 8
    if size > AT_ONCE:
        return tuple([stream.uniform(spec.shape, spec.ring) for spec in specs])
    taken = stream.take(size)
    return tuple([spec.ring.at(taken, start, spec.shape) for spec, start in zip(specs, starts, strict=True)])


def deal(kinds: Sequence[Kind], streams: Sequence[Stream]) -> Iterator[bytes]:
    """The corrections of a list of correlations, a window at a time."""
    return deal_windows((kinds[one.start : one.stop] for one in windows(kinds)), streams)


def deal_windows(groups: Iterable[Sequence[Kind]], streams: Sequence[Stream]) -> Iterator[bytes]:
    """The helper's work: the last owner's corrections, a window at a time, from the streams shared with each owner.

    Args:
        groups: each window's correlations; the next window's are asked for when it is to be dealt, and not before.
    """
    book: dict[int, tuple[Array, ...]] = {}
    number = 0
    for group in groups:
        parts: list[bytes | memoryview] = []
        for kind in group:
            drawn, others = _full(kind, streams)
            if kind.kept:
                book[number] = drawn
            number += 1
            for spec, value, shares in zip(kind.dealt, kind.deal(drawn, book), others, strict=True):
                for share in shares:
                    value = spec.ring.sub(value, share)
                parts.append(spec.ring.to_bytes(value))
        yield b"".join(parts)


def _full(kind: Kind, streams: Sequence[Stream]) -> tuple[tuple[Array, ...], list[list[Array]]]:
    """The drawn parts in full, and for each dealt part the shares of all owners but the last."""
    owned: list[tuple[Array, ...]] = []
    others: list[list[Array]] = [[] for _ in kind.dealt]
    for index, stream in enumerate(streams):
        drawn, dealt = draw(kind, stream, corrected=index == len(streams) - 1)
        if owned and not isinstance(kind, OwnMasks):
            drawn = _added(kind, owned.pop(), drawn)  # as they come: all owners' together may be too large
        owned.append(drawn)
        for part, share in zip(others, dealt, strict=False):
            part.append(share)
    return in_full(kind, owned), others


def in_full(kind: Kind, owned: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    """The drawn parts in full, from each owner's."""
    if isinstance(kind, OwnMasks):
        return (np.concatenate([rows[:size] for (rows,), size in zip(owned, kind.sizes, strict=True)]),)
    total = owned[0]
    for drawn in owned[1:]:
        total = _added(kind, total, drawn)
    return total


def _added(kind: Kind, a: tuple[Array, ...], b: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple([spec.ring.add(x, y) for spec, x, y in zip(kind.drawn, a, b, strict=True)])


def as_shares(kind: Kind, drawn: Sequence[Array], dealt: Sequence[Array]) -> tuple[Share, ...]:
    """The parts of a correlation: what was drawn as masks, and what was dealt."""
    masks = [Mask(value, spec.scale, spec.ring) for spec, value in zip(kind.drawn, drawn, strict=True)]
    return (*masks, *(Share(value, spec.scale, spec.ring) for spec, value in zip(kind.dealt, dealt, strict=True)))
