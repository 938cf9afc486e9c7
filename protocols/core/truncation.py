"""Exact truncation that rides on an opening.

To divide [x] by 2^s, |x| < 2^62, over Z_2^64, D = x - b is opened for a uniform b (so it shows nothing). With
c = b + 2^62 - 1, and D and c read as signed numbers,

    x + 2^62 - 1 = D + c + 2^64 [D < 0] [c < 0]        for x + 2^62 - 1 is at least 0 and below 2^63
    x / 2^s      = (D >> s) + [v] + [D < 0] [t]        v = (c >> s) - 2^(62-s) + 1,   t = 2^(64-s) [c < 0]

where the helper deals [v] and [t]. Within one unit of the last place for every x and b, and without bias: the 1 pays
for the two floors, and the offset's - 1 for the rest. Any number of owners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.randomness.correlation import Truncation
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.pieces import in_pieces
from mpc.sharing.share import Public, Share

_TOP = np.uint64(63)


def cut_words(d: Array, shift: int) -> tuple[Array, Array]:
    """What follows in public from an opened D: D >> s, with its sign; and whether D < 0, as 0 or 1."""
    low: Array = d.view(np.int64) >> np.int64(shift)
    return low.view(np.uint64), d >> _TOP


def truncated(p: Party, opened: Public, v: Share, t: Share, shift: int) -> Share:
    """x / 2^s, shared, from the opened D and the helper's [v] and [t]."""
    low, negative = cut_words(opened.value, shift)
    return p.plus(Share(v.value + negative * t.value, v.scale), Public(low, v.scale))


@dataclass(frozen=True)
class Divisible:
    """A value x (d,) that was opened as D, and what it takes to have x / 2^shift, now or later: no more rounds.

    It keeps all that came with the helper's parts in memory, unless it is `apart` from them.
    """

    opened: Public
    v: Share
    t: Share
    shift: int

    def apart(self) -> Divisible:
        """The same in memory of its own: a quarter of a megabyte of correlations can be used again for the next."""
        v, t = (Share(part.value.copy(), part.scale, part.ring) for part in (self.v, self.t))
        return Divisible(self.opened, v, t, self.shift)


def divided(p: Party, x: Divisible) -> Share:
    """[x / 2^shift], as `truncated`."""
    return truncated(p, x.opened, x.v, x.t, x.shift)


def divided_together(p: Party, several: Sequence[Divisible]) -> list[Share]:
    """[x / 2^shift] of values of one shape (d,), scale and shift, at little more than the cost of one."""
    if not several:
        return []
    first = several[0]

    def stacked(values: list[Array]) -> Array:
        return np.concatenate([value.reshape(1, -1) for value in values])

    all_of_them = divided(
        p,
        Divisible(
            Public(stacked([x.opened.value for x in several]), first.opened.scale),
            Share(stacked([x.v.value for x in several]), first.v.scale),
            Share(stacked([x.t.value for x in several])),
            first.shift,
        ),
    )
    return [all_of_them[k] for k in range(len(several))]


async def truncate(p: Party, x: Share, shift: int) -> Share:
    """[x / 2^shift] for |x| < 2^62, within one unit of the last place, at scale x.scale - shift.

    1 round; reveals D = x - b, uniform over Z_2^64.
    """
    b, v, t = p.correlation(Truncation(x.shape, x.scale, shift))
    (opened,) = await p.open(x - b, label="truncate")
    return in_pieces(lambda d, v, t: truncated(p, d, v, t, shift), opened, v, t)
