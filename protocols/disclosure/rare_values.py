"""Find sums that are counts of few rows, since nearly all rows have one value, before any sum is disclosed.

A sum of m - 3 zeros and three ones is the count 3. Of the rows that are summed up, let c_i(v) be how many of owner i's
have the value v, and O all owners but one, who subtracts its own part. The sum is disclosed only if

    D_O = min_v sum_{i in O} (n_i - c_i(v))    the rows that differ from O's commonest value, and
    c_O(v) = sum_{i in O} c_i(v)               for each v, where there are at most K values: then the sums of x and
                                               of x^2 (of two columns: of x y too) are as many equations for them

are 0 or at least m. Each owner enters its K commonest values as words, their counts, and t_i, which no other value's
count exceeds: that of the last of them, or 0 if there are no others. O's commonest value w, if D_O < m, is the
commonest of an owner; so for the commonest w_k of each k in O, with e = [w_k is value b of owner i],

    D_O(w_k) >= sum_{i in O} (n_i - t_i) - (c_k(w_k) - t_k) - sum_{i != k} sum_b e (c_i(b) - t_i)

which is 0 only if D_O is, and is D_O wherever w_k is among the values that each owner lists. With two owners O is one
of them, and nothing has to be compared with another's values.

How sums of few values give back all counts: Willenborg and de Waal, "Elements of statistical disclosure control",
Springer (2001), 5.2 (for the commonest value: the complement of a cell is one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import equal, outside
from protocols.core.secure_sum import total_of
from protocols.core.selection import select

MANY = 1 << 40
"""Above every number of rows: of an owner with more values than are listed, no single value's rows are asked about."""

_NONE = np.uint64(0x7FF8_0000_0000_0001)  # a NaN, which is no value


@dataclass(frozen=True)
class Layout:
    """The size of a test: `slots` values of each of `items` sums; each value's own rows, too, if `levels`."""

    items: int
    slots: int
    levels: bool = True

    @property
    def width(self) -> int:
        """Words an item: the values, their gains, and two numbers."""
        return 2 * self.slots + 2

    def candidates(self, owners: int) -> int:
        """How many numbers are compared with m of each item."""
        return owners * (owners - 1) * (1 + (self.slots if self.levels else 0))


@dataclass(frozen=True)
class OwnValues:
    """What an owner enters, of its own rows, with n owners in all.

    Args:
        keys: the commonest values, as words (items, slots).
        gains: n (c_i(v) - t_i) of each; -MANY for the first of an owner without rows (items, slots).
        differ: n (m_i - t_i), of m_i rows (items,).
        beyond: MANY if there are more values than are listed, else 0 (items,).
    """

    keys: NDArray[np.uint64] = field(repr=False)
    gains: NDArray[np.int64] = field(repr=False)
    differ: NDArray[np.int64] = field(repr=False)
    beyond: NDArray[np.int64] = field(repr=False)

    @cached_property
    def words(self) -> NDArray[np.uint64]:
        """All of it, (items, width)."""
        numbers = np.concatenate((self.gains, self.differ[:, None], self.beyond[:, None]), axis=1)
        return np.concatenate((self.keys, numbers.view(np.uint64)), axis=1)


async def rare(p: Party, parts: Sequence[Share], layout: Layout, least: int) -> Share:
    """[D_O or some c_O(v) is above 0 and below m], in bit 0 of each byte: the candidates of each item (candidates x
    items,), from each owner's words (items, width).

    7 rounds with two owners, 15 with more; reveals masked values and bits (uniform).
    """
    n, slots, items = len(parts), layout.slots, layout.items
    keys = [part[:, :slots] for part in parts]
    gains = [part[:, slots : 2 * slots] for part in parts]
    differ, beyond = ([part[:, -k] for part in parts] for k in (2, 1))
    from_others = await _matched(p, keys, gains) if n > 2 else {}
    found = []
    for left_out in range(n):
        there = [i for i in range(n) if i != left_out]
        for k in there:
            rows = gains[k]  # of k's values, how many rows of `there` have them, beyond the t_i
            for i in there:
                if i != k:
                    rows = rows + from_others[i, k]
            found.append((total_of([differ[i] for i in there]) - rows[:, 0]).value.reshape(1, items))
            if layout.levels:
                no_more = total_of([beyond[i] for i in there]).reshape(items, 1)
                found.append((rows + no_more).value.T)
    values = Share(np.concatenate(found).reshape(-1), parts[0].scale)
    low = np.ones(values.shape, dtype=np.int64)
    out = await outside(p, values, low, np.full_like(low, n * least - 1), label="cells/values")
    return p.plus(out, Public(np.full(values.shape, 1, dtype=np.uint8), 0, B8))


async def _matched(p: Party, keys: Sequence[Share], gains: Sequence[Share]) -> dict[tuple[int, int], Share]:
    """Of each two owners i, k: sum_b [key a of k is key b of i] gain b of i, for each a (items, slots).

    8 rounds; reveals masked values and bits (uniform).
    """
    items, slots = keys[0].shape
    pairs = list(combinations(range(len(keys)), 2))
    shape = (items, slots, slots)  # the first owner's values along axis 1, the second's along axis 2
    numbers = np.arange(items * slots).reshape(items, slots)
    along = [np.broadcast_to(one, shape).reshape(-1) for one in (numbers[:, :, None], numbers[:, None, :])]

    def spread(values: Share, axis: int) -> Array:
        flat: Array = values.value.reshape(items * slots)[along[axis]]
        return flat

    first = Share(np.concatenate([spread(keys[i], 0) for i, _ in pairs]), keys[0].scale)
    second = Share(np.concatenate([spread(keys[k], 1) for _, k in pairs]), keys[0].scale)
    same = await equal(p, first, second, label="cells/alike")
    both = Share(np.concatenate((same.value, same.value)), 0, same.ring)
    counts = [spread(gains[i], 0) for i, _ in pairs] + [spread(gains[k], 1) for _, k in pairs]
    x = Share(np.concatenate(counts), gains[0].scale)
    nothing = Share(np.zeros(x.shape, dtype=np.uint64), x.scale)
    counted = (await select(p, both, x, nothing, label="cells/counted")).reshape(2, len(pairs), *shape)
    found = {}
    for number, (i, k) in enumerate(pairs):
        found[i, k] = counted[0, number].sum(axis=1)
        found[k, i] = counted[1, number].sum(axis=2)
    return found


def own_values(rows: Sequence[NDArray[np.float64]], slots: int, owners: int) -> OwnValues:
    """What an owner enters of its rows of each item, (rows, columns) each: its commonest values, or pairs of values."""
    keys = np.full((len(rows), slots), _NONE)
    gains = np.zeros((len(rows), slots), dtype=np.int64)
    differ, beyond = np.zeros((2, len(rows)), dtype=np.int64)
    for k, values in enumerate(rows):
        words, counts = _commonest(values)
        last = counts[slots - 1] if len(words) > slots else 0
        listed = min(len(words), slots)
        keys[k, :listed] = words[:listed]
        gains[k, :listed] = owners * (counts[:listed] - last)
        differ[k] = owners * (len(values) - last)
        beyond[k] = MANY if len(words) > slots else 0
        if not len(values):
            gains[k, 0] = -MANY
    return OwnValues(keys, gains, differ, beyond)


@dataclass(frozen=True)
class Marked:
    """Rows of one owner that differ from its commonest value, tested apart from the other rows.

    Args:
        key: what that commonest is, as values.
        rows: how many there are.
        differ: how many of them differ; None: there are too many values for the question.
        least: how many at least would differ from any other commonest.
    """

    key: tuple[float, ...] = field(repr=False)
    rows: int = field(repr=False)
    differ: int | None = field(repr=False)
    least: int = field(repr=False)


def own_marks(marks: Sequence[Marked], owners: int) -> OwnValues:
    """What an owner enters of each item of which it marks rows: one value each, whose rows are not asked about.

    Where another owner has another commonest, `least` is entered, and 1 / n instead of 0: so many may yet differ.
    """
    keys = np.full((len(marks), 1), _NONE)
    gains = np.zeros((len(marks), 1), dtype=np.int64)
    differ = np.zeros(len(marks), dtype=np.int64)
    for k, one in enumerate(marks):
        if one.differ is None:
            differ[k] = MANY
        elif not one.rows:
            gains[k, 0] = -MANY
        else:
            keys[k, 0] = _words(np.array([one.key], dtype=np.float64))[0]
            differ[k] = max(owners * one.least, 1)
            gains[k, 0] = differ[k] - owners * one.differ
    return OwnValues(keys, gains, differ, np.full(len(marks), MANY))


def marks_of(rows: NDArray[np.float64]) -> tuple[Marked, ...]:
    """Of an owner's pairs of values (rows, 2), whose products are summed up: the rows that differ in both columns;
    and, where a column has two values, those that differ in the other one, among the rows with each of the two."""
    first, second = rows.T
    (wx, cx), (wy, cy) = _most(first), _most(second)
    count = len(rows)
    both = int(((first != wx) & (second != wy)).sum())
    found = [Marked((wx, wy), count, both, max(0, count - cx - cy))]
    for of, other, side in ((first, second, 0.0), (second, first, 1.0)):
        levels, sizes = np.unique(of, return_counts=True)
        if len(levels) > 2:
            found += [Marked((), count, None, 0)] * 2
            continue
        ordered = list(levels[np.argsort(-sizes, kind="stable")])
        within = [other[of == level] for level in ordered]
        common = [_most(values) for values in within]
        least = min([len(values) - most for values, (_, most) in zip(within, common, strict=True)], default=0)
        for place in range(2):
            if place >= len(ordered):
                found.append(Marked((), 0, 0, 0))
                continue
            value, most = common[place]
            key = (side, float(ordered[place]), value)
            rest = len(within[place]) - most
            found.append(Marked(key, len(within[place]), rest, least if len(ordered) > 1 else 0))
    return tuple(found)


MARKS = 5
"""How many `marks_of` finds of a pair of columns."""


def _most(values: NDArray[np.float64]) -> tuple[float, int]:
    """The commonest value, and how many have it; 0 of none."""
    if not len(values):
        return 0.0, 0
    there, counts = np.unique(values, return_counts=True)
    return float(there[np.argmax(counts)]), int(counts.max())


def _commonest(values: NDArray[np.float64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The different rows of values as words, the commonest first, and how many there are of each."""
    words, counts = np.unique(_words(values), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return words[order], counts[order].astype(np.int64)


def _words(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A word for each row of values (rows, columns): of one column its bits, of more a digest that few would share."""
    bits = (np.ascontiguousarray(values) + 0.0).view(np.uint64)  # -0.0 is 0.0
    found = bits[:, 0]
    for column in bits.T[1:]:
        found = _mixed(found) + column
    return found if values.shape[1] == 1 else _mixed(found)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: a one-to-one mixing."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E37_79B9_7F4A_7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
        return words ^ (words >> np.uint64(31))
