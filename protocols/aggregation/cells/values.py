"""Numbers of rows with each value, for the test by server and helper where nobody knows a column's commonest value.

A sum of 50 zeros, 47 ones and three times 1,000 is 3,047, and gives back the three. As in disclosure/rare_values.py,
for the least number m a sum is disclosed only if, over all clients,

    the rows that differ from the commonest value   are 0 or at least m, and
    of at most FEW_VALUES different values, the rows with each one   are at least m:

if there are at most V = max(FEW_VALUES, m) values, then each one's rows are at least m. (Where fewer than m rows differ
from the commonest value, there are at most m values, and one of those rows' is rare.) Clients do not know each other's
values. Each one adds its rows to tables, one for each modulus p of some primes,

    t_p[k] = how many rows have a value q with q = k modulo p,

which only the test sees (membership.py), and m to every place if it has more than V values itself: then all have more.
Every place of 1 to m - 1 rows is one of rare values alone, and V values leave at most V such places in a table. So the
sum is withheld if 1 to V times the number of tables are small; more, if there are more values. (Of more than V rare
values that share places so many may be small, too: then a sum is withheld that the rule would let through.)

A rare value is missed only where in every table it shares its place with another. Two values do only if their
difference is divisible by 11 * 13 * 17 * 19 * 23 = 1,062,347; of four values, one does by chance in some 4,000 cases.
Where the range has no more values than there are places, each has its own, in one table, and none is missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mpc.ring.array import Array
from protocols.aggregation.cells.membership import Cell
from protocols.aggregation.cells.own import FEW_VALUES

Of = Literal["value", "weight", "product"]
"""The values whose rows are counted: a column's, the weights, or the products of both."""

PRIMES = (11, 13, 17, 19, 23)


@dataclass(frozen=True)
class ValueRows:
    """The tables of one column's values, of its rows' weights or of the products.

    Args:
        column: which.
        moduli: p of each table.
    """

    column: str
    of: Of
    moduli: tuple[int, ...]

    @property
    def places(self) -> int:
        """How many numbers they are."""
        return sum(self.moduli)

    def cell(self, first: int, withholds: Iterable[int], m: int) -> Cell:
        """The cell that is tested; the tables stand from `first` on in the vector."""
        parts = tuple(((place, 1),) for place in range(first, first + self.places))
        return Cell(parts, 1, tuple(withholds), most=len(self.moduli) * most_values(m))

    def counted(self, values: Array, m: int) -> Array:
        """What a client adds, int64 (places,), of whole numbers (rows,): those of its rows that have a value."""
        different, counts = np.unique(values, return_counts=True)
        if len(different) > most_values(m):
            return np.full(self.places, m, dtype=np.int64)
        tables = [np.zeros(p, dtype=np.int64) for p in self.moduli]
        for p, table in zip(self.moduli, tables, strict=True):
            np.add.at(table, different % p, counts)
        return np.concatenate(tables)


def most_values(m: int) -> int:
    """V: above so many different values, single values' rows are not tested."""
    return max(FEW_VALUES, m)


def moduli(low: int, high: int) -> tuple[int, ...]:
    """Those of the tables of whole numbers from `low` to `high`."""
    return (high - low + 1,) if high - low < sum(PRIMES) else PRIMES
