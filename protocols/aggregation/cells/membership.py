"""Find small sums where one party has a sum plus a mask and another has the mask: neither learns the sum.

The server has y = x + r modulo 2^b, the helper r. For the least number m and a unit u, a number x is small if it is one
of u, 2u, ..., (m - 1) u: exactly if r is one of y - u, ..., y - (m - 1) u. That is a private membership test, by
blinding that commutes (Meadows, IEEE S&P 1986; Huberman, Franklin and Hogg, EC 1999), on Curve25519:

    helper -> server    H(r)^h
    server -> helper    H(r)^(h a), and in a shuffled order H(y - v u)^a for v = 1, ..., m - 1
    the helper raises the latter to h: the number is small if the former is among them

A cell is of one number or more, its parts, which the server answers in a shuffled order: so the helper has one h for
all of them. H hashes the part's place and the number to the curve; h is fresh for each cell of each attempt, and a for
each part. Reveals to the helper of each cell how many of its parts are small; to the server nothing. Both follow the
protocol (semi-honest). Guesses are of no use to either: the server would need h to try a guess of r, and the helper a
to try one of y, or to tell which part an answer is of (decisional Diffie-Hellman, H a random oracle), though both are
few bits. The shuffle hides which v it was.

Raising to a power is X25519, whose exponents are multiples of the cofactor 8: the results are of prime order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.errors import ProtocolError
from mpc.randomness.key_agreement import KEY_BYTES, KeyPair
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from protocols.aggregation.parts.graph import shuffled

_P = 2**255 - 19
_A = 486662


@dataclass(frozen=True)
class Cell:
    """Numbers of rows, times `unit`: each part is the sum of factor * number over its terms.

    Args:
        parts: the terms of each, (place in the vector, factor).
        unit: what one row adds.
        withholds: the places of the numbers that are withheld if this cell is small.
        most: it is small if 1 to `most` of its parts are.
    """

    parts: tuple[tuple[tuple[int, int], ...], ...]
    unit: int
    withholds: tuple[int, ...]
    most: int = 1


@dataclass(frozen=True)
class CellTest:
    """The cells that are withheld if they have 1 to m - 1 rows; the places `never` only serve the test."""

    m: int
    cells: tuple[Cell, ...]
    never: tuple[int, ...] = ()

    @property
    def hidden_bytes(self) -> int:
        """What the helper sends first."""
        return KEY_BYTES * self.parts

    @property
    def blinded_bytes(self) -> int:
        """What the server answers."""
        return KEY_BYTES * (self.parts + self.guesses)

    @property
    def parts(self) -> int:
        """How many numbers are tested."""
        return sum(len(cell.parts) for cell in self.cells)

    @property
    def guesses(self) -> int:
        """How many guesses there are of all of them."""
        return (self.m - 1) * self.parts

    def disclosed(self, small: Array, length: int) -> Array:
        """The disclosed ones of the `length` numbers (bools), from the cells that are small."""
        disclosed = np.ones(length, dtype=bool)
        disclosed[list(self.never)] = False
        for cell, is_small in zip(self.cells, small, strict=True):
            if is_small:
                disclosed[list(cell.withholds)] = False
        return disclosed


def column_cells(count: int, others: Sequence[int], flagged: int | None, scale: int) -> tuple[Cell, ...]:
    """A column's cells: its rows with a value, c; of flags those with a 1, f, and those with a 0, c - f.

    A small c withholds all of the column; a small f or c - f withholds the sum of flags alone, since c gives neither.

    Args:
        count: the place of c; `others` those of the column's other numbers.
        flagged: the place of the sum of flags, which is f * scale; None where the column is not of flags.
    """
    cells = [Cell((((count, 1),),), 1, (count, *others))]
    if flagged is not None:
        cells.append(Cell((((flagged, 1),),), scale, (flagged,)))
        cells.append(Cell((((count, scale), (flagged, -1)),), scale, (flagged,)))
    return tuple(cells)


def hide(test: CellTest, masks: Array, bits: int, secret: bytes, context: bytes) -> bytes:
    """The helper's H(r)^h of each part of each cell.

    Args:
        masks: (length,) the sum of masks modulo 2^bits of each number.
        secret: 32 fresh bytes, from which the h follow.
    """
    hidden, place = [], 0
    for cell, power in zip(test.cells, _powers(len(test.cells), secret, context), strict=True):
        for r in _of_parts(cell, masks, bits):
            hidden.append(power.shared(_hash(context, place, r)))
            place += 1
    return b"".join(hidden)


def blind(test: CellTest, hidden: bytes, masked: Array, bits: int, secret: bytes, context: bytes) -> bytes:
    """The server's answer: of each part of a cell, in an order that says nothing, H(r)^(h a), then H(y - v u)^a in an
    order that says nothing of v.

    Args:
        masked: (length,) y, the sum plus the masks, modulo 2^bits.
        secret: 32 fresh bytes, from which the a and the orders follow.
    """
    powers, modulus = _powers(test.parts, secret, context), 1 << bits
    stream = Stream(derive(secret, "small sums/order", context))
    answer, first = [], 0
    for cell in test.cells:
        numbers = _of_parts(cell, masked, bits)
        for part in shuffled(len(numbers), stream).tolist():
            place, power = first + part, powers[first + part]
            answer.append(power.shared(_piece(hidden, place)))
            for one in shuffled(test.m - 1, stream).tolist():
                guess = (numbers[part] - (one + 1) * cell.unit) % modulus
                answer.append(power.shared(_hash(context, place, guess)))
        first += len(numbers)
    return b"".join(answer)


def find_small(test: CellTest, blinded: bytes, secret: bytes, context: bytes) -> Array:
    """Which cells are small (bools), for the helper with the same secret as in `hide`.

    Raises:
        ProtocolError: the answer has a wrong length, or holds points that no honest server sends.
    """
    if len(blinded) != test.blinded_bytes:
        raise ProtocolError(f"{len(blinded)} bytes of blinded cells came where {test.blinded_bytes} were due")
    small: list[bool] = []
    start = 0
    for cell, power in zip(test.cells, _powers(len(test.cells), secret, context), strict=True):
        found = 0
        for _ in cell.parts:
            own, *others = (_piece(blinded, place) for place in range(start, start + test.m))
            found += own in [power.shared(other) for other in others]
            start += test.m
        small.append(1 <= found <= cell.most)
    return np.array(small, dtype=bool)


def _powers(count: int, secret: bytes, context: bytes) -> list[KeyPair]:
    return [KeyPair(derive(secret, "small sums/power", context + _number(place))) for place in range(count)]


def _of_parts(cell: Cell, numbers: Array, bits: int) -> list[int]:
    """The value of each part modulo 2^bits, of a vector or of its masks."""
    return [sum(factor * int(numbers[place]) for place, factor in terms) % (1 << bits) for terms in cell.parts]


def _hash(context: bytes, place: int, value: int) -> bytes:
    """H: the u-coordinate of a point of Curve25519, v^2 = u^3 + 486662 u^2 + u, of which nobody knows a logarithm.

    Try and increment (Boneh, Lynn and Shacham, Asiacrypt 2001): hashes with a counter until one is a u of the curve,
    by Euler's criterion. The others are of its twist, and a result on the one or the other would tell a bit of the
    number. How many tries it takes depends on the number: that goes into the time of a whole batch of cells.
    """
    text = b"small sums/point" + context + _number(place) + value.to_bytes(8, "little")
    for counter in range(1 << 16):
        digest = hashlib.sha256(text + _number(counter)).digest()
        u = int.from_bytes(digest, "little") & ((1 << 255) - 1)
        if u < _P and pow(u * (u * (u + _A) + 1) % _P, (_P - 1) // 2, _P) == 1:
            return u.to_bytes(KEY_BYTES, "little")
    raise AssertionError  # but for a chance of 2^-65536


def _piece(body: bytes, place: int) -> bytes:
    return body[KEY_BYTES * place : KEY_BYTES * (place + 1)]


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
