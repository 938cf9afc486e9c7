"""Exact truncation that rides on an opening.

To divide [x] by 2^s, |x| < 2^62, over Z_2^64: the helper deals [b], [b >> s] and [msb b] for a uniform b, and

    D = x + 2^62 - 1 - b                                              is opened (uniform, so it shows nothing)
    x / 2^s = (D >> s) + [b >> s] - 2^(64-s) (msb D + (1 - msb D) [msb b]) - 2^(62-s) + 1

for D + b wraps around 2^64 exactly when msb D = 1 or msb b = 1: the true sum x + 2^62 - 1 is at least 0 and below 2^63.
Within one unit of the last place for every x and b, and without bias: the 1 pays for the two floors, and the offset's
- 1 for the rest. Any number of owners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.correlation import Truncation
from mpc.ghost import Array
from mpc.party import Party
from mpc.pieces import in_pieces
from mpc.share import Mask, Masked, Public, Share

_OFFSET = (1 << 62) - 1
_OFFSET_WORD, _TOP, _ONE = np.uint64(_OFFSET), np.uint64(63), np.uint64(1)
_OFFSETS = np.full(1, _OFFSET, dtype=np.uint64)
_OFFSETS.flags.writeable = False


@dataclass(frozen=True)
class Cut:
    """What follows in public from an opened D = x + 2^62 - 1 - b."""

    low: Public  # the public part of x / 2^s
    no_wrap: Array  # 1 - msb D, as 0 or 1


def masked(p: Party, x: Share, b: Mask) -> Masked:
    """D, to be opened."""
    return p.plus(x, Public(_OFFSETS, x.scale)) - b


def cut(opened: Public, shift: int) -> Cut:
    """The public parts that follow from the opened D."""
    d: Array = opened.value
    signed = d.view(np.int64) >> np.int64(shift)  # (D >> s) - 2^(64-s) msb D
    low = signed.view(np.uint64) - np.uint64((1 << (62 - shift)) - 1)
    return Cut(Public(low, opened.scale - shift), (d >> _TOP) ^ _ONE)


def less_offset(opened: Public) -> Public:
    """x - b, from the opened D."""
    return Public(opened.value - _OFFSET_WORD, opened.scale)


def truncated(p: Party, parts: Cut, b_low: Share, b_top: Share, shift: int) -> Share:
    """x / 2^s, shared, from the public parts and the helper's [b >> s] and [msb b]."""
    wraps = (parts.no_wrap * b_top.value) << np.uint64(64 - shift)
    return p.plus(Share(b_low.value - wraps, b_low.scale), parts.low)


@dataclass(frozen=True)
class Divisible:
    """A value x (d,) that was opened as D, and what it takes to have x / 2^shift, now or later: no more rounds.

    It keeps all that came with the helper's parts in memory, unless it is `apart` from them.
    """

    opened: Public
    b_low: Share
    b_top: Share
    shift: int

    def apart(self) -> Divisible:
        """The same in memory of its own: a quarter of a megabyte of correlations can be used again for the next."""
        b_low, b_top = (Share(part.value.copy(), part.scale, part.ring) for part in (self.b_low, self.b_top))
        return Divisible(self.opened, b_low, b_top, self.shift)


def divided(p: Party, x: Divisible) -> Share:
    """[x / 2^shift], as `truncated`."""
    return truncated(p, cut(x.opened, x.shift), x.b_low, x.b_top, x.shift)


def divided_together(p: Party, several: Sequence[Divisible]) -> list[Share]:
    """[x / 2^shift] of values of one shape (d,), scale and shift, at little more than the cost of one."""
    first = several[0]

    def stacked(values: list[Array]) -> Array:
        return np.concatenate([value.reshape(1, -1) for value in values])

    all_of_them = divided(
        p,
        Divisible(
            Public(stacked([x.opened.value for x in several]), first.opened.scale),
            Share(stacked([x.b_low.value for x in several]), first.b_low.scale),
            Share(stacked([x.b_top.value for x in several])),
            first.shift,
        ),
    )
    return [all_of_them[k] for k in range(len(several))]


async def truncate(p: Party, x: Share, shift: int) -> Share:
    """[x / 2^shift] for |x| < 2^62, within one unit of the last place, at scale x.scale - shift.

    1 round; reveals D = x + 2^62 - 1 - b, uniform over Z_2^64.
    """
    b, b_low, b_top = p.correlation(Truncation(x.shape, x.scale, shift))
    (opened,) = await p.open(masked(p, x, b), label="truncate")
    return in_pieces(lambda d, low, top: truncated(p, cut(d, shift), low, top, shift), opened, b_low, b_top)
