"""Shamir's secret sharing of 32-byte secrets, over the prime 2^31 - 1, for many secrets and holders at a time.

    s(X) = s_0 + a_1 X + ... + a_(t-1) X^(t-1)      the a_i uniform; holder j gets s(x_j), x_j != 0

Shamir, "How to share a secret", CACM 22 (1979). Any t shares give the secret, t - 1 give nothing about it. A secret
is nine limbs of 30 bits, each shared on its own; products of two limbs stay below 2^62, so numpy's 64-bit words do.
"""

from __future__ import annotations

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array

PRIME = (1 << 31) - 1
SECRET_BYTES = 32
LIMBS = 9
SHARE_BYTES = 4 * LIMBS
_LIMB_BITS = 30
_P = np.uint64(PRIME)
_31 = np.uint64(31)


def limbs(secret: bytes) -> Array:
    """The nine limbs (uint64) of 32 bytes, the lowest first."""
    number = int.from_bytes(secret, "little")
    return np.array([number >> _LIMB_BITS * i & (1 << _LIMB_BITS) - 1 for i in range(LIMBS)], dtype=np.uint64)


def from_limbs(words: Array) -> bytes | None:
    """The 32 bytes of nine limbs; None where no secret has these."""
    number = sum(int(word) << _LIMB_BITS * i for i, word in enumerate(words))
    return number.to_bytes(SECRET_BYTES, "little") if number < 1 << 8 * SECRET_BYTES else None


def split(secret: Array, threshold: int, points: Array, stream: Stream) -> Array:
    """Shares of limbs (L,): (holders, L) uint32. Horner's rule over all holders and limbs at once.

    Args:
        secret: limbs below the prime.
        threshold: t, how many shares give the secret.
        points: the holders' x, distinct and not 0 modulo the prime.
        stream: where the coefficients come from; secret, and used for nothing else.
    """
    coefficients = uniform((threshold - 1, secret.size), stream)
    x = points.astype(np.uint64)[:, None]
    shares = np.zeros((points.size, secret.size), dtype=np.uint64)
    for coefficient in coefficients:
        shares = reduce(shares + coefficient) * x  # below 2^62
    return reduce(shares + secret).astype(np.uint32)


def uniform(shape: tuple[int, int], stream: Stream) -> Array:
    """Uniform field elements (uint64): 31 bits each, drawn again where they are the prime itself."""
    count = shape[0] * shape[1]
    words = stream.take(4 * count).view("<u4").astype(np.uint64) & _P
    while np.any(words == _P):
        again = words == _P
        words[again] = stream.take(4 * int(again.sum())).view("<u4").astype(np.uint64) & _P
    return words.reshape(shape)


def combine(points: Array, shares: Array) -> Array:
    """The secrets' limbs (secrets, L), by Lagrange's weights at 0.

    Args:
        points: (secrets, t): the x of the shares at hand, each secret's distinct.
        shares: (secrets, t, L).
    """
    weights = weights_at_zero(points)
    total = np.zeros((shares.shape[0], shares.shape[2]), dtype=np.uint64)
    for j in range(points.shape[1]):
        total = reduce(total + reduce(weights[:, j, None] * shares[:, j].astype(np.uint64)))
    return total


def weights_at_zero(points: Array) -> Array:
    """Lagrange's weights: prod_(m != j) x_m / (x_m - x_j), for points (secrets, t)."""
    x = points.astype(np.uint64)
    above, below = np.ones_like(x), np.ones_like(x)
    for m in range(x.shape[1]):
        one = x[:, m, None]
        other = np.arange(x.shape[1]) != m
        above[:, other] = reduce(above[:, other] * one)
        below[:, other] = reduce(below[:, other] * reduce(one + (_P - x[:, other])))
    return reduce(above * inverse(below))


def inverse(values: Array) -> Array:
    """1 / values, by Fermat: values^(p - 2)."""
    result, power, rest = np.ones_like(values), values, PRIME - 2
    while rest:
        if rest & 1:
            result = reduce(result * power)
        power, rest = reduce(power * power), rest >> 1
    return result


def reduce(values: Array) -> Array:
    """Values below 2^62, modulo the prime: 2^31 = 1, twice, and once less the prime where it is reached."""
    values = (values & _P) + (values >> _31)
    values = (values & _P) + (values >> _31)
    return np.where(values >= _P, values - _P, values)
