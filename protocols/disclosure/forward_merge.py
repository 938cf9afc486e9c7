"""Counts along a line, merged forward: a stretch ends where it may be disclosed, and the rest joins the last one.

Owner i has x_i(t) at t = 0 .. T - 1. For owner j, C_j(t) is what all others have up to t, and m_j is m, or 0 if they
have none at all. With a the end of the stretch before (C_j(-1) = 0), a stretch ends at the first t at which for all j

    C_j(t) - C_j(a) >= m_j      and, if t < T - 1,      C_j(T - 1) - C_j(t) >= m_j

and the last one at T - 1. So of every stretch the others of each owner have m at least (or nothing, anywhere) if they
have so many in all: that is the caller's to know before any total is opened.

Only the ends of stretches are disclosed. What an end says of the cell beside it: the stretch without its
last cell had fewer than m of some owner's others; of the last stretch, that it cannot be split. Either leaves each
cell of a stretch m values that it can have (tests/protocols/disclosure/test_forward_merge.py tries all).

The first condition is tested for pairs (a, t) of one window of `WINDOW` points at once, and from the last end before a
window to each of its points once that end is known. Of the bits

    first(a, t) = ([C_j(t) - C_j(a) >= m_j for all j] - [C_j(t - 1) - C_j(a) >= m_j for all j]) [a tail is left at t]

one at most is set for each a; those of the ends are opened, one after the other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.comparison import less_than, packed, unpacked
from protocols.core.secure_sum import inputs, total_of
from protocols.core.selection import as_numbers

WINDOW = 16
ENDS = "stretches"
_WHY = "where a stretch of times ends, over which enough had the event to be told"
Places = NDArray[np.int64]


async def stretches(p: Party, own: Array, m: int) -> Array:
    """The ends of stretches, bools (lists, T), of lists of counts; this owner's counts are `own`, int64 (lists, T).

    For V windows and n owners 16 + T + log2 n + (V - 1) (8 + log2 n) rounds, the logarithms rounded up; reveals masked
    values and bits (uniform), and the declared ends.
    """
    lists, count = own.shape
    others = _others(p, own)
    least = await _least(p, others, lists, count, m)
    windows = [(start, min(start + WINDOW, count)) for start in range(0, count, WINDOW)]
    pairs = _pairs(windows)
    tails = np.array([(t + 1, count) for t in range(count - 1)], dtype=np.int64).reshape(-1, 2)
    enough = await _enough(p, others, least, np.tile(np.concatenate((pairs, tails)), (lists, 1, 1)))
    bits = enough.reshape(lists, len(pairs) + len(tails))
    tail = _with_last(bits[:, len(pairs) :], lists)
    first = await _first(p, bits[:, : len(pairs)], tail, pairs)
    found = np.zeros((lists, count), dtype=bool)
    at = np.zeros(lists, dtype=np.int64)  # after the last end: 0 at the beginning
    for w, (start, end) in enumerate(windows):
        if w:
            rows = p.compute(_from, at, start, end, shape=(lists, end - start, 2))
            more = (await _enough(p, others, least, rows)).reshape(lists, end - start)
            incoming = await _first(p, more, tail, _one_row(start, end))
        else:
            incoming = first[:, :end]
        found, at = await _chain(p, incoming, first, found, at, (start, end), pairs)
    found = p.compute(lambda: found | (np.arange(count) == count - 1), shape=(lists, count))
    return found


def _others(p: Party, own: Array) -> Share:
    """For each owner, all others' counts up to each point, from 0 on: (owners x lists x (T + 1),)."""
    lists, count = own.shape
    shape = (lists, count + 1)

    def added() -> Array:
        return np.concatenate((np.zeros((lists, 1), dtype=np.int64), own.cumsum(axis=1)), axis=1).view(np.uint64)

    mine = p.compute(added, shape=shape)
    parts = inputs(p, mine, shape, 0)
    total = total_of(parts)
    return Share(np.concatenate([(total - part).value.reshape(-1) for part in parts]), 0)


async def _least(p: Party, others: Share, lists: int, count: int, m: int) -> Share:
    """m_j for each owner and list, (owners x lists,). 8 rounds."""
    ends = np.arange(len(p.owners) * lists) * (count + 1) + count
    ones = p.public(p.constant(1, ends.shape))
    nothing = await as_numbers(
        p, await less_than(p, others[ends], ones, label="stretches/none"), label="stretches/none"
    )
    return p.public(p.constant(m, ends.shape)) - nothing * p.constant(m, ends.shape)


async def _enough(p: Party, others: Share, least: Share, spans: Array) -> Share:
    """[C_j(b - 1) - C_j(a - 1) >= m_j for all j] in bit 0 of each byte, for (a, b) of each list (lists, K, 2).

    7 + log2 n rounds.
    """
    n, (lists, size, _) = len(p.owners), spans.shape
    length = others.shape[0] // (n * lists)
    shape = (n * lists * size,)
    rows = np.arange(n * lists) * length

    def places(which: int) -> Array:
        return np.asarray((rows.reshape(n, lists, 1) + spans[None, :, :, which]).reshape(-1))

    high, low = (Share(p.compute(lambda k=k: others.value[places(k)], shape=shape), 0) for k in (1, 0))
    wanted = least[np.repeat(np.arange(n * lists), size)]
    short = await less_than(p, high - low, wanted, label="stretches/compare")
    enough = p.plus(short, Public(np.ones(shape, dtype=np.uint8), 0, B8)).reshape(n, lists * size)
    while enough.shape[0] > 1:
        half = enough.shape[0] // 2
        both = await multiply(p, enough[:half], enough[half : 2 * half], label="stretches/all")
        enough = Share(np.concatenate((both.value, enough[2 * half :].value)), 0, B8)
    return enough.reshape(lists * size)


async def _first(p: Party, enough: Share, tail: Share, pairs: Places) -> Share:
    """[t is the first at which enough came since a, and a tail is left], for pairs (a, t + 1) by a, then t. 1 round."""
    lists = enough.shape[0]
    begins = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))  # where another a begins
    before = enough.value[:, np.arange(len(pairs)) - 1]
    keep = np.ones(len(pairs), dtype=np.uint8)
    keep[begins] = 0
    rising = enough + Share(before & keep, 0, B8)
    return await multiply(p, rising, tail[:, pairs[:, 1] - 1].reshape(lists, len(pairs)), label="stretches/first")


async def _chain(
    p: Party, incoming: Share, first: Share, found: Array, at: Array, window: tuple[int, int], pairs: Places
) -> tuple[Array, Array]:
    """The ends in a window, from the row of the last end before it and those of its points. A round a point."""
    start, end = window
    lists, size = found.shape[0], min(WINDOW, found.shape[1])
    where = {int(a): np.flatnonzero(pairs[:, 0] == a) for a in range(start + 1, end)}
    beyond = np.zeros((lists, size - (end - start)), dtype=np.uint8)  # all are as long as the first
    row, live = Share(np.concatenate((incoming.value, beyond), axis=1), 0, B8), np.ones(lists, dtype=bool)
    for _ in range(end - start):
        hidden = p.compute(lambda: row.value * live[:, None].astype(np.uint8), shape=(lists, size))  # noqa: B023
        flat = Share(hidden.reshape(lists * size), 0, B8)
        (opened,) = await p.reveal(packed(p, flat), what=ENDS, why=_WHY, label="stretches/ends")
        ends = unpacked(p, opened, lists * size).reshape(lists, size)
        live = p.compute(lambda: np.asarray(ends.any(axis=1)), shape=(lists,))  # noqa: B023
        at = p.compute(lambda: np.where(live, start + 1 + ends.argmax(axis=1), at), shape=(lists,))  # noqa: B023
        found = p.compute(_with_ends, found, ends, start, end, shape=found.shape)
        row = Share(p.compute(_rows, first.value, at, where, start, size, shape=(lists, size)), 0, B8)
    return found, at


def _with_ends(found: Array, ends: Array, start: int, end: int) -> Array:
    out = found.copy()
    out[:, start:end] |= ends[:, : end - start].astype(bool)
    return out


def _rows(first: Array, at: Array, where: dict[int, Places], start: int, size: int) -> Array:
    """Of each list the bits of the row of its last end, at the points of the window after it."""
    out = np.zeros((len(at), size), dtype=np.uint8)
    for k, a in enumerate(at.tolist()):
        if a in where:
            out[k, a - start : a - start + len(where[a])] = first[k, where[a]]
    return out


def _pairs(windows: list[tuple[int, int]]) -> Places:
    """(a, t + 1) for the points a <= t of each window, by a and then by t; a = 0 stands for the beginning."""
    found = [(a, t + 1) for start, end in windows for a in range(start + bool(start), end) for t in range(a, end)]
    return np.array(found, dtype=np.int64)


def _one_row(start: int, end: int) -> Places:
    return np.array([(0, t + 1) for t in range(start, end)], dtype=np.int64)


def _from(at: Array, start: int, end: int) -> Array:
    """From each list's last end to the points of a window."""
    out = np.empty((len(at), end - start, 2), dtype=np.int64)
    out[:, :, 0], out[:, :, 1] = at[:, None], np.arange(start, end) + 1
    return out


def _with_last(tail: Share, lists: int) -> Share:
    """The last point leaves no tail: it is no end by this rule, since it is one anyway."""
    return Share(np.concatenate((tail.value, np.zeros((lists, 1), dtype=np.uint8)), axis=1), 0, B8)
