"""An accountant of its own for tests: the law of the losses by convolution, in whole numbers.

A release whose numbers y ~ N(v) a patient shifts by x has the loss (x.x - 2 x.y) / (2 v): a function of x.y alone. Of
all releases together it is so one of S = sum of k x.y, with k = V / v for a common V. The law of S is convolved as
whole multiples of 2^-BITS, each rounded up: delta is off by 1e-35 at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from math import gcd, lcm

from protocols.privacy.accounting import Mechanism, VectorMechanism

BITS = 160
_DIGITS = 60
_TAIL = 1 << 24  # chances of 1e-41, which are left out at both ends
_REACH = 14  # standard deviations: what is beyond has a chance of 1e-43


@dataclass(frozen=True)
class Change:
    """What a patient changes in a release: its numbers by `by`, each with noise of N(variance); so `times` over."""

    variance: int
    by: tuple[int, ...]
    times: int = 1

    @property
    def mechanism(self) -> Mechanism | VectorMechanism:
        """As it is charged."""
        if len(self.by) == 1:
            return Mechanism(self.variance, abs(self.by[0]), self.times)
        return VectorMechanism(self.variance, sum(x * x for x in self.by), self.times)


def noise_law(variance: int) -> list[int]:
    """The chances of -r, ..., r, in 2^-BITS."""
    reach = int(_REACH * variance**0.5) + 2
    with localcontext() as context:
        context.prec = _DIGITS
        half = [(-Decimal(x * x) / (2 * variance)).exp() for x in range(reach + 1)]
        whole = half[0] + 2 * sum(half[1:])
        ends = [int(one / whole * 2**BITS) + 1 for one in half]
    return ends[:0:-1] + ends


def convolved(one: list[int], other: list[int]) -> list[int]:
    """The law of a sum. Kronecker: a product of two numbers whose digits are the chances."""
    width = (2 * BITS + 40) // 8

    def packed(law: list[int]) -> int:
        return int.from_bytes(b"".join(x.to_bytes(width, "little") for x in law), "little")

    count = len(one) + len(other) - 1
    digits = (packed(one) * packed(other)).to_bytes(count * width + 8, "little")
    found = [-(-int.from_bytes(digits[i * width : (i + 1) * width], "little") >> BITS) for i in range(count)]
    cut = next(i for i, (low, high) in enumerate(zip(found, reversed(found), strict=True)) if max(low, high) > _TAIL)
    return found[cut : count - cut]


def spread(law: list[int], by: int) -> list[int]:
    """The law of `by` times the number."""
    found = [0] * ((len(law) - 1) * abs(by) + 1)
    found[:: abs(by)] = law
    return found


def power(law: list[int], times: int) -> list[int]:
    """The law of a sum of `times` draws."""
    found, square = [1 << BITS], law
    while times:
        found = convolved(found, square) if times & 1 else found
        times >>= 1
        square = convolved(square, square) if times else square
    return found


@dataclass(frozen=True)
class Losses:
    """The law of S / unit, -r, ..., r; the loss is (squares - 2 S) / (2 common)."""

    law: list[int]
    squares: int
    common: int
    unit: int

    def delta(self, epsilon: float) -> float:
        """The exact delta, but for 1e-35."""
        reach, total = len(self.law) // 2, 0
        with localcontext() as context:
            context.prec = _DIGITS
            for place, chance in enumerate(self.law):
                loss = Decimal(self.squares - 2 * self.unit * (place - reach)) / (2 * self.common)
                if chance and loss > Decimal(epsilon):
                    total += int(chance * (1 - (Decimal(epsilon) - loss).exp())) + 1
        return total / 2**BITS


def losses(changes: Sequence[Change]) -> Losses:
    """Of all releases together."""
    common = lcm(*(one.variance for one in changes))
    unit = gcd(*(common // one.variance * x for one in changes for x in one.by))
    law, squares = [1 << BITS], 0
    for one in changes:
        k = common // one.variance
        noise = noise_law(one.variance)
        for x in one.by:
            if x:
                law = convolved(law, power(spread(noise, k * x // unit), one.times))
                squares += one.times * k * x * x
    return Losses(law, squares, common, unit)


def delta_of_shift(law: list[int], shift: int, epsilon: float) -> float:
    """The exact delta of any noise on a whole number that a patient changes by `shift`, to either side."""
    one, other = law + [0] * shift, [0] * shift + law
    with localcontext() as context:
        context.prec = _DIGITS
        factor = int(Decimal(epsilon).exp() * 2**BITS)
    sides = [
        sum(max((p << BITS) - factor * q, 0) for p, q in zip(*pair, strict=True))
        for pair in ((one, other), (other, one))
    ]
    return max(sides) / 2 ** (2 * BITS)
