"""The distributed discrete Gaussian mechanism: each client adds a part of the noise, below secure aggregation.

Kairouz, Liu, Steinke 2021, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
Aggregation", ICML, algorithms 1 and 2. Of a client's vector u (m,) with |u|_2 <= c:

    x = H S u s          padded with zeros to d = 2^k numbers; S signs from public randomness, H the Walsh-Hadamard
                         matrix divided by sqrt(d), s = r / c: in whole units, c is r
    q                    x rounded up or down at random, E[q] = x, all anew until |q|_2^2 <= D^2
    q + z mod 2^b        z of d independent draws of N(v), the discrete Gaussian (discrete_gaussian.py)

and of the sum Q of all these modulo 2^b, read as a number from -2^(b-1) up:    S H Q / s, its first m numbers.

**The bound after rounding.** Rounding makes a vector longer. With chance 1 - BIAS or more, a first rounding has

    |q|_2^2 <= D^2 = min((r + sqrt(d))^2,  r^2 + d/4 + sqrt(2 log(1/BIAS)) (r + sqrt(d)/2))

and one that has not is drawn again. It is tested in whole numbers: what a client releases is within D whatever the
rounding of floating point did before. Drawing again moves E[q] off x by BIAS / (1 - BIAS) sqrt(d) at the most.

**Whose noise counts.** A client knows its own noise, and clients that work together, with the server or not, take off
all theirs. Of a sum of f or more clients, of whom up to c work together, at least h = f - c draws are left: the noise
of the honest survivors. So v is such that h draws carry the claim, and not the number of clients that were asked. One
that dropped out of the sum takes its noise with it, which is why f is the fewest for which a sum is opened. Where all
take part, the noise of the sum is n / h times what the claim needs: this is the price.

**The law of what is left.** A sum of h draws of N(v) is no discrete Gaussian, but each of its chances is within a
factor e^(+-tau) of N(h v)'s (their bound on convolutions, for v >= 1/2):

    tau = 10 sum over k from 1 to h-1 of exp(-2 pi^2 v k / (k+1))

With v >= `LEAST` and 10^6 clients tau is below 10^-60. A vector of N(h v) costs rho = D^2 / (2 h v), and d tau goes to
the slack of `epsilon_at` (concentrated.py), for each release. What more than h honest clients add, and the modulus, are
computed from it without the data, and cost nothing.

**Neighbours** differ by the data of one client, which are there or are not: without data its vector is 0, and it takes
part all the same, as who takes part is told. A client whose data change from one to another costs as D twice as large.

**The modulus** has no part in the claim. A coordinate that leaves [-2^(b-1), 2^(b-1)) comes back at the other end, and
the estimate is spoilt. With n clients, a coordinate of sum x is sub-Gaussian with variance (n r)^2 / d over the signs
(Hoeffding; and below n r for certain), rounding adds n at the most, and the noise is sub-Gaussian with n v (Canonne,
Kamath, Steinke 2020): b is the least for which this happens with chance `WRAPS` at most in a study.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, floor, log, log2, pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import UsageError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.privacy.discrete_gaussian import MOST_VARIANCE, samples

BIAS: Final = 1e-6
"""The chance with which a rounding is drawn again, at the most; the paper's beta."""
LEAST: Final = 16
"""The least parameter of a client's noise, in units: of so wide ones the sum is a discrete Gaussian, nearly."""
WRAPS: Final = 2.0**-20
"""The chance, at the most, that any number of any release of a study wraps around."""
_FEWEST_UNITS: Final = 512  # of the norm: rounding then adds a hundredth to D^2
_UNITS_A_ROOT: Final = 16  # of the norm, for each sqrt(d)
_DIGITS: Final = 10  # bits of a variance, rounded up: the same at every party, whose last bits may differ
_MOST_BITS: Final = 62
_COIN: Final = 2.0**-53


@dataclass(frozen=True)
class Distributed:
    """How vectors of one study are rounded and made noisy.

    Args:
        size: numbers of a client's vector, m.
        norm: the most that it is long, c, in L2 norm.
        units: r, what `norm` is in the units of the whole numbers.
        variance: v, the parameter of a client's noise, in units.
        clients: the most that a sum has, n.
        fewest: the honest clients whose noise carries the claim, h.
        bits: b.
    """

    size: int
    norm: float
    units: int
    variance: int
    clients: int
    fewest: int
    bits: int

    @property
    def length(self) -> int:
        """How many numbers are added up: d, the next power of two."""
        return padded(self.size)

    @property
    def scale(self) -> float:
        """What a coordinate is multiplied with."""
        return self.units / self.norm

    @property
    def squared_norm(self) -> int:
        """D^2, the most that a rounded vector has, in units."""
        return squared_bound(self.units, self.length)

    @property
    def rho(self) -> float:
        """What a release costs at the most: with the noise of the fewest."""
        return self.rho_of(self.fewest)

    def rho_of(self, noises: int) -> float:
        """What a release costs with so many clients' noise in it that nobody who looks at it knows."""
        return self.squared_norm / (2 * noises * self.variance)

    @property
    def slack(self) -> float:
        """d tau: of a release."""
        return self.length * divergence(self.fewest, self.variance)

    def deviation(self, summed: int) -> float:
        """The standard deviation of a number of a sum over so many clients: of noise and rounding, in the vectors' own
        unit."""
        return sqrt(summed * (self.variance + 0.25)) / self.scale


def calibrated_vector(
    size: int, norm: float, rho: float, *, clients: int, fewest: int, numbers: int | None = None
) -> Distributed:
    """The least noise, but for a thousandth, with which a release costs `rho` at the most.

    Args:
        clients: the most in a sum; `fewest` of them, honest, carry the claim.
        numbers: of all releases of the study, among which none is to wrap around; by default of one.

    Raises:
        UsageError: the sums do not fit 62 bits.
    """
    if not (1 <= fewest <= clients and size >= 1 and norm > 0 and rho > 0):
        raise ValueError("a vector, a norm and a cost above 0 are needed, and from 1 to all clients' noise")
    d = padded(size)
    units = 1 << ceil(log2(max(_FEWEST_UNITS, _UNITS_A_ROOT * sqrt(d))))
    while squared_bound(units, d) < 2 * fewest * LEAST * rho:
        units *= 2
    variance = _rounded_up(squared_bound(units, d) / (2 * fewest * rho))
    bits = modulus_bits(units, variance, d, clients, d if numbers is None else numbers)
    if bits > _MOST_BITS or variance > MOST_VARIANCE:
        raise UsageError(
            f"noisy sums of {clients} clients take {bits} bits, of {_MOST_BITS}", "raise epsilon, or ask fewer clients"
        )
    return Distributed(size, norm, units, variance, clients, fewest, bits)


def squared_bound(units: int, d: int) -> int:
    """D^2 of a vector (d,) that is `units` long before it is rounded: what both bounds allow, a whole number."""
    root = sqrt(d)
    likely = units**2 + d / 4 + sqrt(2 * log(1 / BIAS)) * (units + root / 2)
    return floor(min((units + root) ** 2, likely))


def divergence(draws: int, variance: float) -> float:
    """tau: a sum of so many draws has each chance within e^(+-tau) of the discrete Gaussian's."""
    return 10.0 * sum(exp(-2 * pi**2 * variance * k / (k + 1)) for k in range(1, draws))


def modulus_bits(units: int, variance: int, d: int, clients: int, numbers: int) -> int:
    """The least b for which none of `numbers` coordinates wraps around, but for a chance of `WRAPS`."""
    tail = sqrt(2 * log(4 * numbers / WRAPS))  # two tails of each of the two
    vectors = clients * units * min(1.0, tail / sqrt(d))
    most = ceil(vectors + clients + tail * sqrt(clients * variance))
    return 1 + most.bit_length()


def encoded(vector: Array, how: Distributed, signs: bytes, secret: Stream) -> NDArray[np.int64]:
    """A client's vector as whole numbers (d,), with its part of the noise; reduce them modulo 2^b.

    Args:
        vector: (m,) float64, no longer than `how.norm`.
        signs: the public seed of the round's signs.
        secret: a stream that nobody else has, and that is used for this vector alone.

    Raises:
        ValueError: the vector is longer than that, has another size, or is not finite.
    """
    length = float(np.linalg.norm(vector))
    if vector.shape != (how.size,) or not length <= how.norm * (1 + 1e-9):
        raise ValueError(f"a vector of {how.size} numbers with a norm of {how.norm} at most was expected")
    if length > how.norm:  # by the last bits
        vector = vector * (how.norm / length)
    rounded = rounded_within(rotated(vector, signs, how.length) * how.scale, how.squared_norm, secret)
    return rounded + samples(secret, how.variance, how.length)


def decoded(total: Array, how: Distributed, signs: bytes) -> Array:
    """The estimate (m,) of the sum of all vectors, from the sum modulo 2^b in machine words (d,)."""
    return rotated_back(centred(total, how.bits), signs)[: how.size] / how.scale


def centred(words: Array, bits: int) -> Array:
    """Numbers modulo 2^b in machine words as what they stand for, from -2^(b-1) up, float64."""
    half, mask = np.uint64(1 << (bits - 1)), np.uint64((1 << bits) - 1)
    found: Array = (((words.astype(np.uint64) + half) & mask).astype(np.int64) - np.int64(half)).astype(np.float64)
    return found


def rounded_within(x: Array, squared_norm: int, stream: Stream) -> NDArray[np.int64]:
    """Each number of x (d,) rounded up or down with mean x, all anew until the squares add up to no more than that."""
    low = np.floor(x)
    part = x - low
    while True:
        coins = (stream.take(8 * x.size).view("<u8") >> np.uint64(11)) * _COIN
        found: NDArray[np.int64] = (low + (coins < part)).astype(np.int64)
        if int(np.dot(found, found)) <= squared_norm:
            return found


def rotated(vector: Array, signs: bytes, d: int) -> Array:
    """H S u (d,) of the vector, padded with zeros: its length is the same, and is spread over all numbers."""
    wide = np.zeros(d)
    wide[: vector.size] = vector
    return _hadamard(wide * _signs(signs, d))


def rotated_back(x: Array, signs: bytes) -> Array:
    """S H x (d,): the inverse, for H and S are their own."""
    return _hadamard(x) * _signs(signs, x.size)


def padded(size: int) -> int:
    """The least power of two that is no smaller."""
    return 1 << (size - 1).bit_length()


def _signs(seed: bytes, d: int) -> Array:
    bits = np.unpackbits(Stream(seed).take(-(-d // 8)))[:d]
    return 1.0 - 2.0 * bits


def _hadamard(x: Array) -> Array:
    """H x by the fast transform: log2(d) passes of sums and differences."""
    d, half = x.size, 1
    found = x.astype(np.float64)
    while half < d:
        pairs = found.reshape(-1, 2, half)
        found = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), axis=1).reshape(-1)
        half *= 2
    return found / sqrt(d)


def _rounded_up(variance: float) -> int:
    """A whole number of `_DIGITS` bits, and `LEAST` or more."""
    whole = max(LEAST, ceil(variance))
    step = 1 << max(0, whole.bit_length() - _DIGITS)
    return -(-whole // step) * step
