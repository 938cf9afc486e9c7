"""The helper's dealing of correlated randomness: the last owner's corrections, in windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mpc.randomness.correlation import Kind, OwnMasks
from mpc.randomness.layout import Layouts
from mpc.randomness.repeated import listed
from mpc.randomness.streams import Stream
from mpc.ring.array import Array

WINDOW_BYTES = 1 << 20
WINDOWS_AHEAD = 4
SMALL_BYTES = 16 << 20  # of all that an owner draws, in a job that is drawn at once


class Window(NamedTuple):
    """One message of the helper: the corrections of the correlations from `start` to `stop`.

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
    """Whether an owner draws all of them at once, since its parts take no more than `SMALL_BYTES`."""
    parts = ((count, (*kind.drawn, *kind.dealt)) for kind, count in listed(kinds).counted())
    return sum(count * spec.nbytes for count, specs in parts for spec in specs) <= SMALL_BYTES


def deal_windows(groups: Iterable[Sequence[Kind]], streams: Sequence[Stream]) -> Iterator[bytes]:
    """The helper's work: the last owner's corrections, a window at a time, from the streams shared with each owner.

    Args:
        groups: each window's correlations; the next window's are asked for when it is to be dealt, and not before.
    """
    streamed, corrected = Layouts(corrected=False), Layouts(corrected=True)
    layouts = [streamed] * (len(streams) - 1) + [corrected]
    book: dict[int, tuple[Array, ...]] = {}
    number = 0
    for group in groups:
        parts: list[bytes | memoryview] = []
        for kind in group:
            drawn, others = _full(kind, streams, layouts)
            if kind.kept:
                book[number] = drawn
            number += 1
            for spec, value, shares in zip(kind.dealt, kind.deal(drawn, book), others, strict=True):
                for share in shares:
                    value = spec.ring.sub(value, share)
                parts.append(spec.ring.to_bytes(value))
        yield b"".join(parts)


def _full(
    kind: Kind, streams: Sequence[Stream], layouts: Sequence[Layouts]
) -> tuple[tuple[Array, ...], list[list[Array]]]:
    """The drawn parts in full, and for each dealt part the shares of all owners but the last."""
    owned: list[tuple[Array, ...]] = []
    others: list[list[Array]] = [[] for _ in kind.dealt]
    for stream, layout in zip(streams, layouts, strict=True):
        drawn, dealt = layout.of(kind).draw(stream)
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
