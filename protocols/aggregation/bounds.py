"""The number of neighbours and the threshold, from the tails of the hypergeometric distribution.

Of n clients, up to C = gamma n work with the server and up to D = delta n drop out; a client's k holders are a random
sample of the others. X and Y count the corrupt and the dropped ones among them. With a union over all clients:

    semi-honest server   n P[X >= t]      <= 2^-security     no neighbourhood can open a client by itself
    lying server         n P[X >= 2t - k] <= 2^-security     nor get both its secrets by telling holders two stories
    both                 n P[Y > k - t]   <= 2^-failure      every secret finds its t shares

k is the smallest for which there is a t; where several fit, the middle one. (Bell et al. 2020, sections 3.3 and 4;
Bonawitz et al. 2017, section 6: with the complete graph, k = n - 1, the second is 2t > k + c.) Up to 64 clients the
graph is complete. Besides:

    semi-honest: the honest survivors stay connected, for else each part would be a sum of its own. A Harary graph
        falls apart only where two stretches of k/2 neighbours on the circle are gone: with a chance of at most
        C(n, 2) P[2 floor(k/2) given clients are all corrupt or dropped], which is to be below 2^-security too.
    lying: the server can declare all but a group of s honest clients dropped, and gets the group's sum alone if it
        can open them all. A client is opened by t of its holders, and masks with t that it was told are there: at
        least 2t - k do both, and each of those is corrupt or in the group, for an honest one that is in neither keeps
        the mask it shares. So the chance of such a group is at most C(n, s) P[W >= 2t - k]^s, W the holders that are
        corrupt or in it. The smallest s for which that is not below 2^-security is reported, and must be a tenth of
        the clients at least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor, inf, lgamma, log, log2

from mpc.errors import UsageError

SECURITY = 40
FAILURE = 20
FEWEST = 3
"""Clients of a sum: of two, each would have the other's numbers."""
_ONE_BY_ONE = 50
COMPLETE = 64
"""The largest number of clients for which the graph is complete."""


@dataclass(frozen=True)
class Bounds:
    """A choice of neighbours and threshold, and the attacks and failures that it withstands.

    Args:
        clients, corrupt, dropped: n, and the most of them that may work with the server, and drop out.
        neighbours, threshold: k holders of each client's shares; t of them open a secret.
        malicious: whether the server may lie.
        security, failure: minus log2 of the chances that a secret is open to the corrupt, and that one cannot be
        opened.
        smallest_group: the fewest honest clients whose sum the server can get by itself, if all that may drop out do.
        most_incoming: with a lying server, how many may choose one client as a holder.
    """

    clients: int
    corrupt: int
    dropped: int
    neighbours: int
    threshold: int
    malicious: bool
    security: float
    failure: float
    smallest_group: int
    most_incoming: int

    @property
    def tolerated(self) -> int:
        """The largest number of corrupt clients among one client's holders."""
        return (2 * self.threshold - self.neighbours if self.malicious else self.threshold) - 1

    @property
    def largest_coalition(self) -> int:
        """The most corrupt clients of all for which `security` still holds as asked; found by bisection."""
        low, high = -1, self.clients - 2
        while low < high:
            middle = (low + high + 1) // 2
            if -_security(self.clients, middle, self.neighbours, self.tolerated) >= min(SECURITY, self.security):
                low = middle
            else:
                high = middle - 1
        return max(0, low)


@lru_cache(maxsize=64)
def choose_bounds(
    clients: int,
    *,
    corrupt: float = 0.1,
    dropout: float = 0.1,
    malicious: bool = False,
    neighbours: int | None = None,
    threshold: int | None = None,
    security: float = SECURITY,
    failure: float = FAILURE,
) -> Bounds:
    """The smallest neighbourhoods that withstand the stated rates; `neighbours` and `threshold` overrule.

    Raises:
        UsageError: no choice withstands them (too few clients for so many corrupt and dropped), or an overruling one
            is no graph or no threshold at all.
    """
    n, c, d = clients, floor(corrupt * clients), floor(dropout * clients)
    if n < FEWEST:
        raise UsageError(f"{n} clients are too few to hide in a sum", "secure aggregation needs three at least")
    if neighbours is not None and not (2 <= neighbours < n and (malicious or neighbours % 2 == 0 or n % 2 == 0)):
        raise UsageError(
            f"there is no graph of {n} clients with {neighbours} neighbours each",
            f"take from 2 to {n - 1}, an even number where the clients are odd in number",
        )
    sizes = [neighbours] if neighbours is not None else _sizes(n, malicious)

    def fits(k: int) -> tuple[int, int]:
        return _thresholds(n, c, d, k, malicious, security, failure)

    if threshold is not None:
        k = neighbours if neighbours is not None else _first(sizes, lambda k: fits(k)[0] <= threshold <= fits(k)[1])
        if k is None or not 1 <= threshold <= k:
            raise UsageError(f"a threshold of {threshold} fits no number of neighbours", "leave it out")
        return _bounds(n, c, d, k, threshold, malicious, security)
    found = _first(sizes, lambda k: fits(k)[0] <= fits(k)[1])
    if found is None:
        if neighbours is not None:  # as asked, and told how little it withstands
            return _bounds(n, c, d, neighbours, _balanced(neighbours, c / n, d / n, malicious), malicious, security)
        raise UsageError(
            f"{n} clients cannot withstand that {c} of them are corrupt and {d} drop out",
            "lower `corrupt` or `dropout`, or take more clients",
        )
    low, high = fits(found)
    return _bounds(n, c, d, found, (low + high) // 2, malicious, security)


def hypergeometric_tail(population: int, marked: int, drawn: int, least: int) -> float:
    """log2 P[at least `least` of `drawn` are marked], drawing without replacement; -inf where impossible."""
    first, last = max(least, drawn - (population - marked), 0), min(drawn, marked)
    if least <= max(0, drawn - (population - marked)):
        return 0.0
    logs = [_choose(marked, x) + _choose(population - marked, drawn - x) for x in range(first, last + 1)]
    return _sum(logs) - _choose(population, drawn) if logs else -inf


def _sizes(n: int, malicious: bool) -> list[int]:
    """The neighbourhoods to choose from, ascending."""
    if n <= COMPLETE:
        return [n - 1]
    return [k for k in range(2, n) if malicious or k % 2 == 0 or n % 2 == 0]


def _first(sizes: list[int], fits: Callable[[int], bool]) -> int | None:
    """The first that fits, by doubling and then bisecting: what fits k fits, but for parity, all above it."""
    low, step = -1, 1
    while low + step < len(sizes) - 1 and not fits(sizes[low + step]):
        low, step = low + step, 2 * step
    high = min(low + step, len(sizes) - 1)
    if not fits(sizes[high]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(sizes[middle]) else (middle, high)
    while high > 0 and any(fits(sizes[i]) for i in range(max(0, high - 3), high)):  # where parity made a step
        high = next(i for i in range(max(0, high - 3), high) if fits(sizes[i]))
    return sizes[high]


def _thresholds(n: int, c: int, d: int, k: int, malicious: bool, security: float, failure: float) -> tuple[int, int]:
    """The smallest t that is secure, and the largest that does not fail."""
    holders = _first(list(range(1, k + 2)), lambda x: -_security(n, c, k, x - 1) >= security)
    lost = _first(list(range(k + 2)), lambda y: -log2(n) - hypergeometric_tail(n - 1, d, k, y + 1) >= failure)
    assert holders is not None and lost is not None  # more than all is never reached
    lowest = (holders + k + 1) // 2 if malicious else holders
    if not malicious and -_apart(n, c + d, k) < security:
        return k + 1, k - lost
    if malicious and k < n - 1:
        while lowest <= k - lost and _smallest_group(n, c, k, lowest, security) < n // 10:
            lowest += 1
    return max(2, lowest), k - lost


def _security(n: int, c: int, k: int, tolerated: int) -> float:
    """log2 of the chance that some client has more than `tolerated` corrupt holders."""
    return min(0.0, log2(n) + hypergeometric_tail(n - 1, c, k, tolerated + 1))


def _balanced(k: int, corrupt: float, dropout: float, malicious: bool) -> int:
    """A threshold in the middle between the expected corrupt holders and the expected holders that stay."""
    lowest = k * (1 + corrupt) / 2 if malicious else k * corrupt
    return min(k, max(2, ceil((lowest + k * (1 - dropout)) / 2)))


def _bounds(n: int, c: int, d: int, k: int, t: int, malicious: bool, security: float) -> Bounds:
    tolerated = (2 * t - k if malicious else t) - 1
    lost = min(0.0, log2(n) + hypergeometric_tail(n - 1, d, k, k - t + 1))
    leak = _security(n, c, k, tolerated)
    if malicious:
        group = _smallest_group(n, c, k, t, security)
        incoming = _most_incoming(n, k)
    else:
        leak = max(leak, _apart(n, c + d, k))
        group, incoming = n - c - d, 0
    return Bounds(n, c, d, k, t, malicious, -leak, -lost, group, incoming)


def _apart(n: int, gone: int, k: int) -> float:
    """log2 of the chance that the survivors' Harary graph falls apart."""
    stretch = 2 * (k // 2)
    if k == n - 1 or stretch > gone:
        return -inf
    return min(0.0, _choose(n, 2) + _choose(n - stretch, gone - stretch) - _choose(n, gone))


def _smallest_group(n: int, c: int, k: int, t: int, security: float) -> int:
    """The fewest honest clients whose sum alone can be opened, but for a chance of 2^-security."""
    both = 2 * t - k
    if k == n - 1:  # everybody holds everything: all are in the group but for those that neither open nor mask
        return max(1, both - c + 1)

    def possible(s: int) -> bool:
        return _choose(n - c, s) + s * hypergeometric_tail(n - 1, s - 1 + c, k, both) > -security

    for s in range(1, min(n - c, _ONE_BY_ONE) + 1):
        if possible(s):
            return s
    low, high = min(n - c, _ONE_BY_ONE), n - c
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if possible(middle) else (middle, high)
    return high


def _most_incoming(n: int, k: int) -> int:
    """The most clients that choose one holder, but for a chance of 2^-FAILURE: binomial, over all clients."""
    p, most = k / (n - 1), k
    while most < n - 1 and log2(n) + _binomial_tail(n - 1, p, most + 1) > -FAILURE:
        most += 1
    return most


def _binomial_tail(n: int, p: float, least: int) -> float:
    if p >= 1:
        return 0.0
    logs = [_choose(n, x) + x * log2(p) + (n - x) * log2(1 - p) for x in range(least, min(n, least + 200) + 1)]
    return _sum(logs) if logs else -inf


def _choose(n: int, k: int) -> float:
    """log2 of the binomial coefficient."""
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(2)


def _sum(logs: list[float]) -> float:
    """log2 of a sum, from the logarithms of its terms."""
    top = max(logs)
    return top + log2(sum(2.0 ** (one - top) for one in logs))
