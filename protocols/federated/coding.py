"""A client's update and figures as one vector of numbers modulo 2^b, and the sum of all clients' vectors back as reals.

A value x of a part with scale s (a power of two) is the whole number q = round(x s), after x was clipped to
[low, high]. All parts share one modulus 2^b, the widest part's, so that one secure aggregation adds up all of them:

    b = the largest over the parts of ceil(log2(n (ceil(high s) - floor(low s)) + 1)),  n the clients

Error of a decoded sum. x s and the division by s only change an exponent, so each is exact, and rounding to a whole
number is off by at most 1/2. n' clients' sum is thus off by at most n' / (2 s), and by nothing where their values are
multiples of 1/s. The sum Q of the whole numbers is exact in the ring; as a float64 it is exact up to 2^53, and off by
at most |Q| 2^-53 above. Together, with m = max(|floor(low s)|, |ceil(high s)|):

    |decoded - exact| <= (n' / 2 + e) / s,   e = n' m 2^-53 if n' m > 2^53, else 0             (`Layout.bound`)

What a client that lies can do. It may put any numbers modulo 2^b into the sum, and nobody sees whose they were. A
sum outside [n' low, n' high] tells that somebody lied (`Layout.decode` refuses it); inside, a liar moves each number of
the sum by up to n' (high - low). The mean of honest clients' updates is no longer than the clipping norm, because
each update is clipped to it and the mean is convex (weights of 0 or more): `refuse_large` refuses a longer one, so
that a round's mean update is no longer than that, whoever lies. In which direction, is then the liar's choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, frexp, isfinite, log2, sqrt

import numpy as np

from mpc.errors import DataError, InternalError, ProtocolError, UsageError
from mpc.ring.array import Array
from protocols.aggregation.parts import quantise
from protocols.aggregation.parts.pack import word
from protocols.aggregation.parts.quantise import MOST_BITS, Coding

_SLACK = 1e-9  # of float64's own rounding in a norm, relative to it


@dataclass(frozen=True)
class Part:
    """Some numbers of a client's vector, with one meaning and one range.

    Args:
        name: what it is called in errors, and in what is decoded.
        length: how many numbers.
        low, high: the range of one client's values; what is outside is clipped.
        scale: a power of two; values are rounded to multiples of 1 / scale. 1 for counts.
    """

    name: str
    length: int
    low: float
    high: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low < self.high):
            raise UsageError(f"the range of {self.name} is empty or not finite", "give the smaller number first")
        if not (isfinite(self.scale) and self.scale > 0 and frexp(self.scale)[0] == 0.5):
            raise InternalError(f"the scale of {self.name} is no power of two")
        if self.length < 1:
            raise InternalError(f"{self.name} has no numbers")

    def coding(self, clients: int) -> Coding:
        """Its numbers' range, rounded outwards so that no value of the range loses more than the rounding."""
        return Coding(floor(self.low * self.scale), ceil(self.high * self.scale), self.scale, clients)


@dataclass(frozen=True)
class Layout:
    """The parts of every client's vector, in order, and how many clients may be summed.

    Raises:
        UsageError: the sum of a part does not fit 64 bits.
    """

    parts: tuple[Part, ...]
    clients: int

    def __post_init__(self) -> None:
        if len({part.name for part in self.parts}) < len(self.parts) or not self.parts:
            raise InternalError("a vector's parts need names of their own")
        for part in self.parts:
            how = part.coding(self.clients)
            if how.bits > MOST_BITS or max(-how.low, how.high) >= 1 << 63:
                raise UsageError(
                    f"the sum of {self.clients} clients' {part.name} takes {how.bits} bits, of {MOST_BITS}",
                    "raise precision, lower the largest value, or take smaller cohorts",
                )

    @cached_property
    def length(self) -> int:
        """How many numbers the vector has."""
        return sum(part.length for part in self.parts)

    @cached_property
    def bits(self) -> int:
        """b, of the modulus that all parts share."""
        return max(part.coding(self.clients).bits for part in self.parts)

    def part(self, name: str) -> Part:
        """The part of this name."""
        return next(part for part in self.parts if part.name == name)

    def places(self) -> Iterator[tuple[Part, slice]]:
        """Each part, and where it stands in the vector."""
        start = 0
        for part in self.parts:
            yield part, slice(start, start + part.length)
            start += part.length

    def encode(self, values: Mapping[str, Array]) -> tuple[Array, int]:
        """One client's vector (length,) in machine words, and how many of its values were outside their range.

        Args:
            values: each part's numbers, any shape of its length.

        Raises:
            DataError: a value is not a finite number; its part and position are named, never the value.
        """
        if values.keys() != {part.name for part in self.parts}:
            raise InternalError(f"the vector has {', '.join(part.name for part in self.parts)}")
        words = np.empty(self.length, dtype=word(self.bits))
        clipped = 0
        for part, place in self.places():
            x = np.asarray(values[part.name], dtype=np.float64).reshape(-1)
            if x.size != part.length:
                raise InternalError(f"{part.name} has {part.length} numbers, and {x.size} were given")
            finite = np.isfinite(x)
            if not finite.all():
                raise DataError(
                    f"number {int(np.argmin(finite))} of {part.name} is infinite or not a number",
                    "look for extreme values in the data, or lower learning_rate",
                )
            inside = np.clip(x, part.low, part.high)
            clipped += int(np.count_nonzero(inside != x))
            words[place] = quantise.residues(np.rint(inside * part.scale), self.bits)
        return words, clipped

    def decode(self, total: Array, summed: int) -> dict[str, Array]:
        """Each part's sum over `summed` clients, as reals: float64 (part's length,).

        Args:
            total: the sum of their vectors modulo 2^b, in words (length,).

        Raises:
            ProtocolError: the sum is none of values in the agreed range: a client sent others.
        """
        if total.shape != (self.length,) or not 1 <= summed <= self.clients:
            raise InternalError(f"a sum of {self.length} numbers over 1 to {self.clients} clients was expected")
        sums = {}
        for part, place in self.places():
            how = part.coding(self.clients)
            numbers = quantise.decode(total[place], how, summed, self.bits)
            if np.any(numbers > summed * how.high):
                raise ProtocolError(
                    f"the sum of {part.name} is none that {summed} clients with values in their range can have",
                    "a client sent values outside the agreed range; the sum is not used",
                )
            sums[part.name] = numbers.astype(np.float64) / part.scale
        return sums

    def bound(self, name: str, summed: int) -> float:
        """The largest |decoded - exact| of a number of this part, for a sum over so many clients (proof above)."""
        part = self.part(name)
        how = part.coding(self.clients)
        largest = summed * max(abs(how.low), abs(how.high))
        as_float = largest * 2.0**-53 if largest > 1 << 53 else 0.0
        return (summed / 2 + as_float) / part.scale


def clip(update: Array, norm: float) -> tuple[Array, bool]:
    """The update, shortened to L2 norm `norm` where it is longer, and whether it was.

    Works for every finite update: one of 10^300 does not overflow. No coordinate of it is above `norm` then.

    Raises:
        DataError: a number of it is not finite.
    """
    finite = np.isfinite(update)
    if not finite.all():
        raise DataError(
            f"number {int(np.argmin(finite))} of the update is infinite or not a number",
            "look for extreme values in the data, or lower learning_rate",
        )
    largest = float(np.max(np.abs(update), initial=0.0))
    if largest == 0.0:
        return update, False
    direction = update / largest
    length = float(np.linalg.norm(direction))  # from 1 to the root of the update's size
    if largest * length <= norm:
        return update, False
    return np.clip(direction * (norm / length), -norm, norm), True


def scale_for(precision: float, clip: float, cohort: int, least_weight: float = 1.0) -> float:
    """The coarsest scale (a power of two) at which a mean update is within `precision` times `clip` a coordinate.

    n' clients' sum is off by at most n' / (2 scale), and is divided by the sum of their weights p_i, which are from 0
    to 1. If that is at least n' `least_weight`, the mean is off by at most 1 / (2 scale least_weight), whatever n' is.
    The assumption is checked where the weights' sum is known: what holds then is `Layout.bound` divided by that sum.

    Args:
        precision: the largest error, as a share of `clip`.
        clip: the norm to which updates are clipped.
        cohort: the most clients in a sum.
        least_weight: the least mean of the summed clients' weights (1 where all weigh the same).

    Raises:
        UsageError: the sums would take more than 64 bits.
    """
    if not (0 < precision < 1 and clip > 0 and isfinite(clip) and 0 < least_weight <= 1 and cohort >= 1):
        raise UsageError("precision is from 0 to 1, and clip above 0", "correct them in [task]")
    needed = -log2(2 * least_weight) - log2(precision) - log2(clip)
    scale = 2.0 ** ceil(needed)
    bits = Part("updates", 1, -clip, clip, scale).coding(cohort).bits
    if bits > MOST_BITS:
        raise UsageError(
            f"updates to {precision:g} of their largest size take {bits} bits in a sum of {cohort} clients, "
            f"of {MOST_BITS}",
            f"raise precision to {precision * 2.0 ** (bits - MOST_BITS):g}, or lower most_rows or cohort",
        )
    return scale


def mean_update(total: Array, weight: float, clip: float, bound: float) -> tuple[Array, float]:
    """The clients' weighted mean update, and the largest rounding error of a coordinate of it.

    Args:
        total: the decoded sum of p_i u_i, each update u_i clipped to `clip`.
        weight: the decoded sum of the p_i, exact (rows are counted in whole numbers).
        clip: the norm to which every client's update is clipped.
        bound: of `total`, from `Layout.bound`.

    Raises:
        ProtocolError: the weights add up to nothing, or the mean is one that honest clients cannot have.
    """
    if weight <= 0:
        raise ProtocolError("the weights of the updates add up to 0", "no client that took part has rows")
    mean, error = total / weight, bound / weight
    refuse_large(mean, clip, error)
    return mean, error


def scale_within(span: float, clients: int, bits: int) -> float:
    """The finest scale (a power of two) at which the sum of so many clients' values takes at most `bits` bits.

    Args:
        span: how far apart one client's values may be.
    """
    _, exponent = frexp(clients * span * (1 + _SLACK))  # n span < 2^exponent, with room for the rounding of the ends
    return 2.0 ** (bits - exponent)


def refuse_large(mean: Array, clip: float, bound: float) -> None:
    """Refuse a mean update that honest clients cannot have: one whose L2 norm is above `clip`.

    Args:
        mean: the decoded sum of weighted updates divided by the decoded sum of the weights.
        clip: the norm to which every client's update is clipped.
        bound: the largest rounding error of a coordinate of `mean`.

    Raises:
        ProtocolError: it is longer, by more than the rounding.
    """
    largest = float(np.max(np.abs(mean), initial=0.0))
    length = largest * float(np.linalg.norm(mean / largest)) if 0 < largest < float("inf") else largest
    if not length <= clip * (1 + _SLACK) + sqrt(mean.size) * bound:
        raise ProtocolError(
            "the mean of the updates is longer than the norm that each of them is clipped to",
            "a client sent more than its clipped update; the sum is not used",
        )
