"""Quantiles from noisy counts by a tree over a column's grid: public arithmetic, no protocol.

The grid's points are the leaves. A node of a level is a block of `degree` nodes of the level below, and at the top are
all rows that have a value. A row is in one node of each level, so each level is one release, and all nodes have noise
of one variance, which is 1 here. A value counts at the first point that is not below it, beyond the last at the last.

**Best estimates** (Hay, Rastogi, Miklau, Suciu 2010, "Boosting the Accuracy of Differentially Private Histograms
Through Consistency"; Honaker 2015, "Efficient Use of Differentially Private Binary Trees"). From the leaves up, a
node's own count y and the sum Z of its children's estimates z_c are weighed by their inverse variances,

    z = (y + Z / S) / (1 + 1 / S),  s = S / (1 + S),  S = sum of the children's s_c

and from the top down the children are made to add up: x_c = z_c + s_c / S (x - Z). These are least squares.

**The rank of a point** j is the number P_j of values that do not exceed it. Below a node v it is P = a x_v + R, R being
independent of x_v: at the leaf a = 1 and R = 0, and of a parent whose children before v have variances that add up to b

    a' = (b + a s_v) / S,   Var R' = Var R + b + a^2 s_v - a'^2 S

**A quantile** q of n values is the first point with P_j >= q n. Its interval is [first j with G_j >= -z d_j, last j
with G_(j-1) <= z d_(j-1)] where G = P - q n is estimated with the deviation d, and z is 1.96: each end is beyond the
quantile in 2.5 of 100 runs at most, since there P_j - q n >= 0 and P_(j-1) - q n < 0 hold at one j only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.privacy.estimates import margin

Values = NDArray[np.float64]

_MOST_DEGREE: Final = 16


@dataclass(frozen=True)
class Tree:
    """Blocks of a grid's points: `degree` of them, of blocks, ... up to all.

    Raises:
        ValueError: fewer than two points, or a degree below 2.
    """

    points: int
    degree: int

    def __post_init__(self) -> None:
        if min(self.points, self.degree) < 2:
            raise ValueError("a tree has two or more points, and a degree of 2 or more")

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """How many points a block has, of each level from below the top down to the points themselves."""
        found = [1]
        while found[-1] * self.degree < self.points:
            found.append(found[-1] * self.degree)
        return tuple(reversed(found))

    def blocks(self, width: int) -> int:
        """How many blocks of so many points; the last may have fewer."""
        return -(-self.points // width)

    @cached_property
    def variances(self) -> tuple[Values, ...]:
        """s of the nodes of each level from below the top down; noise has variance 1."""
        found = [np.ones(self.points)]
        for width in reversed(self.widths[:-1]):
            below = np.add.reduceat(found[-1], np.arange(0, len(found[-1]), self.degree))
            assert len(below) == self.blocks(width)
            found.append(below / (1.0 + below))
        return tuple(reversed(found))

    @cached_property
    def top(self) -> float:
        """s of all rows."""
        below = float(self.variances[0].sum())
        return below / (1.0 + below)

    @cached_property
    def ranks(self) -> tuple[Values, Values]:
        """a and Var R of each point's rank, below the top."""
        share, rest = np.ones(self.points), np.zeros(self.points)
        for width, variances in zip(reversed(self.widths), reversed(self.variances), strict=True):
            node = np.arange(self.points) // width
            first = node // self.degree * self.degree
            sums = np.concatenate(([0.0], variances.cumsum()))
            before = sums[node] - sums[first]
            whole = sums[np.minimum(first + self.degree, len(variances))] - sums[first]
            above = (before + share * variances[node]) / whole
            rest += before + share**2 * variances[node] - above**2 * whole
            share = above
        return share, rest

    def deviations(self, share: float) -> Values:
        """d of each point: the standard deviation of P_j - q n, where noise has variance 1."""
        of_top, rest = self.ranks
        return np.asarray(np.sqrt(np.maximum((of_top - share) ** 2 * self.top + rest, 0.0)))

    def error(self, share: float) -> float:
        """The largest of them."""
        return float(self.deviations(share).max())


@lru_cache(maxsize=64)
def best_tree(points: int, shares: tuple[float, ...], trees: int, others: int) -> Tree:
    """The tree that gives the most exact ranks: a deeper one has more releases, and so more noise in each number.

    Args:
        shares: the quantiles that are asked for.
        trees: how many columns have one.
        others: how many other releases there are.
    """

    def error(degree: int) -> float:
        tree = Tree(points, degree)
        noise = float(np.sqrt(others + trees * len(tree.widths)))
        return round(noise * max(map(tree.error, shares)), 6)

    degrees = {min(degree, points) for degree in (*range(2, _MOST_DEGREE + 1), points)}
    return Tree(points, min(sorted(degrees), key=error))


def consistent_counts(tree: Tree, count: float, levels: list[Values]) -> tuple[float, Values]:
    """The estimates of the number of all values, and of each point's rank.

    Args:
        count, levels: the noisy number of all values, and the noisy counts of each level from below the top down.
    """
    estimates, sums = [levels[-1]], list[Values]()
    for variances, counts in zip(reversed(tree.variances), (*reversed(levels[:-1]), np.array([count])), strict=True):
        starts = np.arange(0, len(variances), tree.degree)
        total, variance = np.add.reduceat(estimates[-1], starts), np.add.reduceat(variances, starts)
        sums.append(total)
        estimates.append((counts + total / variance) / (1.0 + 1.0 / variance))
    found = number = estimates.pop()
    for variances in tree.variances:
        parent, own, total = np.arange(len(variances)) // tree.degree, estimates.pop(), sums.pop()
        found = own + variances / np.bincount(parent, variances)[parent] * (found - total)[parent]
    return float(number[0]), np.asarray(found.cumsum())


def quantile_of(
    tree: Tree, number: float, ranks: Values, share: float, deviation: float
) -> tuple[int, int, int] | None:
    """The quantile's place on the grid with the ends of its interval; None if noise leaves no number of values.

    Args:
        number, ranks: the estimates of `consistent_counts`.
        deviation: the standard deviation of the noise.
    """
    from scipy.optimize import isotonic_regression

    if number <= margin(deviation * tree.top**0.5):
        return None
    rising = isotonic_regression(ranks).x
    value = int(np.argmax(rising >= share * number - 1e-9 * number))
    reach = margin(deviation) * tree.deviations(share)
    over = ranks - share * number
    low = int(np.argmax(over >= -reach))
    may = np.flatnonzero(np.append(True, over[:-1] <= reach[:-1]))
    return value, min(low, value), max(int(may[-1]), value)
