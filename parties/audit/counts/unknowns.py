"""How many patients are of each kind, as the unknowns of a linear programme, and what is known of them as constraints.

    u_k >= 0 and whole   the number of patients of kind k: of one combination of cells of the columns of a cluster
    s_k                  the sum of one column over them;   low_k u_k <= s_k <= high_k u_k
    low <= sum_k w_k u_k <= high         a fact (or of s_k); w_k a product of one weight for each column's cell

A cell is a level, a bin of a histogram, a value, or that there is none; so a count, the sum of a column of few values,
of its squares or products is such a fact. Columns that no fact connects are in other clusters, since all their
combinations would be too many; clusters agree on the columns that they share. If these are the same for all pairs,
counts of the clusters that agree there can always be joined to counts of all combinations, so nothing is lost. Where
the combinations of connected columns are too many, clusters are left apart: then less may follow, never anything wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np
from scipy.sparse import csr_array, vstack

from parties.tasks.audited.counts import Places, Values, Weights

MOST_KINDS = 4096


def clusters_of(together: Iterable[Iterable[str]], sizes: Mapping[str, int], most: int = MOST_KINDS) -> list[list[str]]:
    """Columns in clusters, such that each of the given sets is in one of them.

    Args:
        together: sets of columns that facts, or what is asked, connect.
        sizes: the number of each column's cells.
        most: kinds of a cluster, but where a single set has more.
    """
    found = [set(one) for one in together]
    found = [
        one for k, one in enumerate(found) if not any(one < b or (one == b and k > j) for j, b in enumerate(found))
    ]
    common = set.intersection(*found) if found else set()
    while True:
        joined = [
            (prod(sizes[name] for name in a | b), k, j)
            for (k, a), (j, b) in combinations(enumerate(found), 2)
            if (a & b) - common
        ]
        size, k, j = min(joined, default=(most + 1, 0, 0))
        if size > most:
            return [sorted(one) for one in found]
        found[k] |= found.pop(j)


@dataclass(frozen=True)
class Unknowns:
    """The unknowns of all clusters, one after another; after all counts the sums, of clusters with the summed column.

    Args:
        sizes: the number of each column's cells.
        clusters: of columns.
        summed: the column whose sums are unknown, too, and the range of a value in each of its cells (size,), (size,):
            0 and 0 where there is no value.
    """

    sizes: Mapping[str, int]
    clusters: Sequence[Sequence[str]]
    summed: tuple[str, Values, Values] | None = None

    @cached_property
    def blocks(self) -> tuple[tuple[int, int, bool], ...]:
        """Where the unknowns of a cluster begin, which it is, and whether they are its sums."""
        column = None if self.summed is None else self.summed[0]
        found, at = [], 0
        for sums in (False, True):
            for k, names in enumerate(self.clusters):
                if not sums or column in names:
                    found.append((at, k, sums))
                    at += self.kinds(k)
        return tuple(found)

    def kinds(self, cluster: int) -> int:
        """How many it has."""
        return prod(self.sizes[name] for name in self.clusters[cluster])

    @cached_property
    def size(self) -> int:
        """How many unknowns there are."""
        return sum(self.kinds(k) for _, k, _ in self.blocks)

    @cached_property
    def counts_size(self) -> int:
        """How many of them are counts: the first."""
        return sum(self.kinds(k) for k in range(len(self.clusters)))

    def form(self, weights: Weights, sums: bool = False) -> csr_array:
        """A sum over patients as a linear form (1, size), of the first cluster with all of its columns.

        Raises:
            KeyError: no cluster has them together.
        """
        for block in self.blocks:
            if block[2] == sums and set(weights) <= set(self.clusters[block[1]]):
                return self._form(block, weights)
        raise KeyError(", ".join(weights))

    def _form(self, block: tuple[int, int, bool], weights: Weights) -> csr_array:
        start, cluster, _ = block
        values = np.ones(1)
        for name in self.clusters[cluster]:
            values = np.multiply.outer(values, weights.get(name, np.ones(self.sizes[name]))).reshape(-1)
        at = np.flatnonzero(values)
        return csr_array((values[at], (np.zeros(len(at), dtype=int), at + start)), shape=(1, self.size))

    def of_rows(self, cells: Mapping[str, Places], values: Values | None = None) -> Values:
        """Of rows at hand, what the unknowns are (size,).

        Args:
            cells: the cell of each row (n,) in each column.
            values: of the summed column (n,), 0 where there is none.
        """
        found = []
        for _, cluster, sums in self.blocks:
            places = np.zeros(len(next(iter(cells.values()))), dtype=np.int64)
            for name in self.clusters[cluster]:
                places = places * self.sizes[name] + cells[name]
            found.append(np.bincount(places, values if sums else None, self.kinds(cluster)).astype(float))
        return np.concatenate(found)

    def ties(self) -> csr_array:
        """What clusters agree on, as forms that are 0 (ties, size)."""
        forms = [csr_array((0, self.size))]
        for one, other in combinations(self.blocks, 2):
            if one[2] != other[2]:
                continue
            shared = [name for name in self.clusters[one[1]] if name in self.clusters[other[1]]]
            for cell in np.ndindex(*(self.sizes[name] for name in shared)):
                weights = {name: np.eye(self.sizes[name])[c] for name, c in zip(shared, cell, strict=True)}
                forms.append(self._form(one, weights) - self._form(other, weights))
        return vstack(forms, format="csr")

    def value_ranges(self) -> csr_array:
        """Forms that are at least 0: sums of values in their range; none without a summed column."""
        forms = [csr_array((0, self.size))]
        if self.summed is None:
            return forms[0]
        name, *ranges = self.summed
        counts = {cluster: start for start, cluster, sums in self.blocks if not sums}
        for start, cluster, sums in self.blocks:
            if not sums:
                continue
            names = list(self.clusters[cluster])
            cells = np.indices([self.sizes[one] for one in names])[names.index(name)].reshape(-1)
            for sign, bound in zip((1.0, -1.0), ranges, strict=True):
                k = np.arange(len(cells))
                data = np.concatenate((np.full(len(k), sign), -sign * bound[cells]))
                places = (np.tile(k, 2), np.concatenate((k + start, k + counts[cluster])))
                forms.append(csr_array((data, places), shape=(len(k), self.size)))
        return vstack(forms, format="csr")
