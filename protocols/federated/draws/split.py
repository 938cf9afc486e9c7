"""One table's rows dealt to simulated clients, as unevenly as is wanted. The rule and its seed are public.

    by labels      clients have equally many rows, of labels in shares q ~ Dirichlet(alpha K p), with p the shares of
                   the K labels in the table, so that alpha is the concentration of one label as mostly stated
                   (Hsu et al. 2019, "Measuring the effects of non-identical data distribution", section 3)
    by quantity    clients' shares of all rows are ~ Dirichlet(alpha), whatever their labels
                   (Li et al. 2022, "Federated learning on non-IID data silos", quantity skew)

A small alpha deals unevenly: by labels at 0.1 most of a client's rows have one label or two; at 100 all clients are
alike. Every row goes to one client, and every client has a row where the rows suffice.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import UsageError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.draws.numbers import dirichlet, permutation, uniforms


def by_labels(labels: Array, clients: int, alpha: float, stream: Stream) -> list[Array]:
    """Each client's row numbers, rising (int64), where labels are spread unevenly.

    The clients take their rows in turn, and from labels that are used up nothing more: the last ones have what is left.

    Args:
        labels: every row's label (n,), of any type that can be sorted.
        alpha: above 0.

    Raises:
        UsageError: there are more clients than rows, or alpha is not above 0.
    """
    _check(labels.size, clients, alpha)
    _, label, left = np.unique(labels, return_inverse=True, return_counts=True)
    wanted = dirichlet(stream, alpha * left.size * left / labels.size, clients)
    sizes = np.full(clients, labels.size // clients)
    sizes[: labels.size % clients] += 1
    taken = np.zeros((clients, left.size), dtype=np.int64)
    for own, shares, size in zip(taken, wanted, sizes, strict=True):
        while missing := int(size - own.sum()):
            chances = np.where(left > 0, shares, 0.0)
            if not chances.any():
                chances = left.astype(np.float64)
            upto = np.cumsum(chances)
            drawn = np.searchsorted(upto[:-1], uniforms(stream, missing) * upto[-1], side="right")
            more = np.minimum(np.bincount(drawn, minlength=left.size), left)
            own += more
            left -= more
    dealt: list[list[Array]] = [[] for _ in range(clients)]
    for k in range(left.size):
        rows = np.flatnonzero(label == k)
        for parts, part in zip(dealt, _cut(rows, np.cumsum(taken[:-1, k]), stream), strict=True):
            parts.append(part)
    return [np.sort(np.concatenate(parts)) for parts in dealt]


def by_quantity(rows: int, clients: int, alpha: float, stream: Stream) -> list[Array]:
    """Each client's row numbers, rising (int64), where some have many rows and others few.

    Clients whose share is below a row take one each from whoever has most.

    Raises:
        UsageError: there are more clients than rows, or alpha is not above 0.
    """
    _check(rows, clients, alpha)
    shares = dirichlet(stream, np.full(clients, alpha), 1)[0]
    sizes = np.diff(np.rint(np.cumsum(shares[:-1]) * rows).astype(np.int64), prepend=0, append=rows)
    for empty in np.flatnonzero(sizes == 0):
        sizes[np.argmax(sizes)] -= 1
        sizes[empty] = 1
    return [np.sort(part) for part in _cut(np.arange(rows), np.cumsum(sizes[:-1]), stream)]


def _check(rows: int, clients: int, alpha: float) -> None:
    if not 0 < alpha < float("inf"):
        raise UsageError("the split's alpha is above 0", "set a larger alpha; 0.1 is uneven, 100 almost even")
    if rows < clients:
        raise UsageError(f"{rows} rows are too few for {clients} clients", "set fewer clients")


def _cut(rows: Array, places: Array, stream: Stream) -> list[Array]:
    """The rows in a random order, cut at these places."""
    return np.split(rows[permutation(stream, rows.size)], places)
