"""Find the point of a grid up to which a wanted number of all owners' values lie; the answer stays shared.

Owner i has C_i(k) values that do not exceed point k. With G points in D rows of w, both about sqrt(G), and T asked for,

    k = min { k : C(k) >= T },  C = C_1 + ... + C_n,  k = w d + e
    d = #{ rows before the last whose last point has C < T }         D - 1 comparisons, side by side
    row d of C_i = h C_i,  h_r = [r = d]                              one product of matrices
    e = #{ points of row d before the last with C < T }              w - 1 comparisons
    C_i(k) = sum_e [e] C_i(w d + e),  and C_i(k - 1) likewise

since C never falls. Nobody learns k, d or any C. The numbers of values of each owner's others on either side are tested
from C_i(k) and C_i(k - 1) before k is opened, if it ever is; `looked_up` finds other sums at k likewise. (Digits opened
one by one, as in monotone_search.py, disclose where k lies before that test.) Like the second level
of a tree-based array: Blanton and Saia, "Circuits for oblivious access to arrays", 2011.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul, multiply
from protocols.core.comparison import less_than
from protocols.core.selection import as_numbers


@dataclass(frozen=True)
class Wanted:
    """The searches in one list of counts.

    Args:
        points: G.
        least: how many values must not exceed the answer, int64 (searches,): T, public.
        own: gives this owner's C_i at all points, int64 (G,); not called in a dry run.
    """

    points: int
    least: Array
    own: Callable[[], Array]

    @property
    def width(self) -> int:
        """w."""
        return max(2, math.isqrt(self.points - 1) + 1)

    @property
    def rows(self) -> int:
        """D: two at least."""
        return max(2, -(-self.points // self.width))

    @property
    def searches(self) -> int:
        """How many answers there are."""
        return int(self.least.shape[0])

    def table(self) -> Array:
        """This owner's counts before each row and in it, (D, w + 1); after the last point all its values."""
        padded = np.concatenate((np.zeros(1, dtype=np.int64), self.padded(self.own())))
        starts = self.width * np.arange(self.rows)[:, np.newaxis]
        found: Array = padded[starts + np.arange(self.width + 1)]
        return found

    def padded(self, values: Array) -> Array:
        """Values (..., G) at all points, and the last one again up to D w."""
        return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, self.rows * self.width - self.points)], mode="edge")


@dataclass(frozen=True)
class Reached:
    """The answers, shared.

    Args:
        points: k of each search (searches,).
        up_to, below: C_i(k) and C_i(k - 1), for each owner i (searches, owners).
        row, place: [d = r] and [e = c], (searches, D) and (searches, w): what `looked_up` chooses by.
    """

    points: Share
    up_to: Share
    below: Share
    row: Share
    place: Share


async def grid_search(p: Party, wanted: Sequence[Wanted]) -> list[Reached]:
    """The least point of each search at which so many values are reached, and each owner's values up to it.

    18 rounds; reveals masked values and bits only, each under a uniform mask of its own.
    """
    return await together(*(_search(p, one) for one in wanted))


async def looked_up(p: Party, of: Wanted, found: Reached, own: Callable[[], Array], kinds: int) -> Share:
    """Other values at each answer, (searches, kinds) at scale 0: sums of what the owners have there.

    2 rounds; reveals masked values only, each under a uniform mask of its own.

    Args:
        own: gives this owner's part at all points, 8-byte words (kinds, G); not called in a dry run.
    """

    def by_row() -> Array:
        table = of.padded(own()).reshape(kinds, of.rows, of.width)
        return table.transpose(1, 0, 2).reshape(of.rows, kinds * of.width).view(np.uint64)

    mine = p.compute(by_row, shape=(of.rows, kinds * of.width))
    rows = await matmul(p, found.row, Share(mine, 0), label="look-up/row")
    each = rows.reshape(of.searches, kinds, of.width)
    chosen = await multiply(p, found.place.reshape(of.searches, 1, of.width), each, label="look-up/place")
    return chosen.sum(axis=2)


async def _search(p: Party, of: Wanted) -> Reached:
    rows, width, searches, owners = of.rows, of.width, of.searches, len(p.owners)
    mine = p.compute(of.table, shape=(rows, width + 1))
    ends = Share(p.compute(lambda: mine[:-1, -1].view(np.uint64), shape=(rows - 1,)), 0)
    row, is_row = await _first(p, Share(np.concatenate([ends.value] * searches), 0), of.least, rows)
    tables = p.compute(lambda: _in_its_place(mine, p.index, owners), shape=(rows, owners * (width + 1)))
    found = await matmul(p, is_row, Share(tables, 0), label="search/row")
    each = found.reshape(searches, owners, width + 1)
    place, is_place = await _first(p, each.sum(axis=1)[:, 1:-1].reshape(searches * (width - 1)), of.least, width)
    at = np.concatenate((each.value[:, :, np.newaxis, 1:], each.value[:, :, np.newaxis, :-1]), axis=2)
    chosen = await multiply(p, is_place.reshape(searches, 1, 1, width), Share(at, 0), label="search/counts")
    counts = chosen.sum(axis=3)
    whole = Public(np.array([width], dtype=np.uint64), 0)
    return Reached(row * whole + place, counts[:, :, 0], counts[:, :, 1], is_row, is_place)


async def _first(p: Party, counts: Share, least: Array, places: int) -> tuple[Share, Share]:
    """The first of so many places whose count is not below what is asked for (searches,), as the sum of comparisons
    with all but the last of them (searches x (places - 1),); and whether it is each place (searches, places)."""
    searches = least.shape[0]
    targets = p.compute(lambda: np.repeat(least, places - 1).view(np.uint64), shape=(searches * (places - 1),))
    below = await less_than(p, counts, p.public(Public(targets, 0)), label="search/compare")
    passed = (await as_numbers(p, below, label="search/bits")).reshape(searches, places - 1)
    one = np.zeros((searches, 1), dtype=np.uint64)
    before = np.concatenate((p.public(Public(one + np.uint64(1), 0)).value, passed.value), axis=1)
    is_place = Share(before, 0) - Share(np.concatenate((passed.value, one), axis=1), 0)
    return passed.sum(axis=1), is_place


def _in_its_place(mine: Array, index: int, owners: int) -> Array:
    """This owner's table beside nothing of the others': its share of all tables side by side."""
    rows, width = mine.shape
    found = np.zeros((rows, owners * width), dtype=np.uint64)
    found[:, index * width : (index + 1) * width] = mine.view(np.uint64)
    return found
