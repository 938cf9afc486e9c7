"""Some rows of a matrix that is multiplied by vectors: not copied out, for that would take longer than the product."""

from __future__ import annotations

from dataclasses import dataclass

from mpc.errors import InternalError
from mpc.ring.array import Array
from mpc.sharing.share import Public, Share


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class RowSelection:
    """The rows at `index` (int64) of a value (m, d), in that order: X_S.

    Args:
        first: where the value has only the rows from this one on of a matrix whose other rows are zero.
    """

    value: Public | Share
    index: Array
    first: int | None = None

    def __matmul__(self, other: Public | Share) -> Share:
        """X_S v for a vector v; one of the two is public, and the scales add."""
        a = self.value
        if isinstance(a, Public) == isinstance(other, Public):
            raise InternalError(f"{self!r} and {other!r}: one of the two has to be public, and one shared")
        if (a.ring is not other.ring and a.ring != other.ring) or a.ring.xor:
            raise InternalError(f"{self!r} and {other!r} cannot be multiplied: they differ in ring, or are bits")
        product = a.ring.rows_matmul(a.value, self.index, other.value, self.first)
        return Share(product, a.scale + other.scale, a.ring)

    def __repr__(self) -> str:
        return f"{self.index.shape[0]} rows of {self.value!r}"
