"""Find the wrong ones among shares, and the secret (Gao, "A new algorithm for decoding Reed-Solomon
codes", 2003).

Of m shares with threshold t, up to (m - t) // 2 wrong ones are found. Plain Python integers: this is the rare case.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.aggregation.parts.shamir import PRIME

Poly = list[int]  # coefficients modulo the prime, the constant first, no zero at the end


def wrong_shares(points: Sequence[int], shares: Sequence[Sequence[int]], threshold: int) -> frozenset[int] | None:
    """The positions of the wrong shares; None where there are too many of them to tell.

    Args:
        points: the holders' x.
        shares: each holder's share, limb by limb.
    """
    wrong: set[int] = set()
    for limb in zip(*shares, strict=True):
        f = _decode(points, limb, threshold)
        if f is None:
            return None
        wrong |= {j for j, (x, y) in enumerate(zip(points, limb, strict=True)) if _at(f, x) != y}
    return frozenset(wrong) if len(wrong) <= (len(points) - threshold) // 2 else None


def _decode(xs: Sequence[int], ys: Sequence[int], t: int) -> Poly | None:
    """The polynomial of degree < t that all but (m - t) // 2 of the points lie on."""
    m = len(xs)
    g0: Poly = [1]
    g1: Poly = []
    for x, y in zip(xs, ys, strict=True):  # Newton: g1 goes through the points so far, g0 is 0 at them
        g1 = _sum(g1, g0, (y - _at(g1, x)) * pow(_at(g0, x), -1, PRIME))
        g0 = _sum([0, *g0], g0, -x)
    u, v, r, s = [], [1], g0, g1
    while 2 * (len(s) - 1) >= m + t:  # Euclid, half way
        quotient, rest = _divide(r, s)
        u, v = v, _sum(u, _product(quotient, v), -1)
        r, s = s, rest
    f, rest = _divide(s, v)
    return f if not rest and len(f) <= t else None


def _at(f: Poly, x: int) -> int:
    value = 0
    for coefficient in reversed(f):
        value = (value * x + coefficient) % PRIME
    return value


def _sum(f: Poly, g: Poly, times: int) -> Poly:
    """f + times g."""
    size = max(len(f), len(g))
    out = [((f[i] if i < len(f) else 0) + times * (g[i] if i < len(g) else 0)) % PRIME for i in range(size)]
    return _trimmed(out)


def _product(f: Poly, g: Poly) -> Poly:
    out = [0] * max(0, len(f) + len(g) - 1)
    for i, a in enumerate(f):
        for j, b in enumerate(g):
            out[i + j] = (out[i + j] + a * b) % PRIME
    return _trimmed(out)


def _divide(f: Poly, g: Poly) -> tuple[Poly, Poly]:
    rest, quotient = list(f), [0] * max(0, len(f) - len(g) + 1)
    leading = pow(g[-1], -1, PRIME)
    for shift in range(len(f) - len(g), -1, -1):
        factor = rest[shift + len(g) - 1] * leading % PRIME
        quotient[shift] = factor
        for i, b in enumerate(g):
            rest[shift + i] = (rest[shift + i] - factor * b) % PRIME
    return _trimmed(quotient), _trimmed(rest)


def _trimmed(f: Poly) -> Poly:
    while f and f[-1] == 0:
        f.pop()
    return f
