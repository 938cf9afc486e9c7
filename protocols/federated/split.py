"""One table's rows dealt to simulated clients, as unevenly as is wanted. The rule and its seed are public.

    by labels      the rows of each label are dealt in shares ~ Dirichlet(alpha) (Yurochkin et al. 2019; Li et al. 2022,
                   NIID-Bench, "distribution-based label imbalance"; Hsu et al. 2019 draw shares of labels instead)
    by quantity    all rows are dealt in shares ~ Dirichlet(alpha) (NIID-Bench, "quantity skew")

A small alpha deals unevenly: at 0.1 a client has most of its rows of one or two labels. Every row goes to one client.
Clients that got none take one each from whoever has most, so that nobody is without where the rows suffice.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import UsageError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.draws import dirichlet, permutation


def by_labels(labels: Array, clients: int, alpha: float, stream: Stream) -> list[Array]:
    """Each client's row numbers, rising (int64), where labels are spread unevenly.

    Args:
        labels: every row's label (n,), of any type that can be sorted.
        alpha: of the Dirichlet distribution, above 0.

    Raises:
        UsageError: there are more clients than rows, or alpha is not above 0.
    """
    dealt: list[list[Array]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        parts = _deal(np.flatnonzero(labels == label), clients, alpha, stream)
        for own, part in zip(dealt, parts, strict=True):
            own.append(part)
    return _nobody_without([np.concatenate(own) for own in dealt], labels.size)


def by_quantity(rows: int, clients: int, alpha: float, stream: Stream) -> list[Array]:
    """Each client's row numbers, rising (int64), where some have many rows and others few.

    Raises:
        UsageError: there are more clients than rows, or alpha is not above 0.
    """
    return _nobody_without(_deal(np.arange(rows), clients, alpha, stream), rows)


def _deal(rows: Array, clients: int, alpha: float, stream: Stream) -> list[Array]:
    """The rows in a random order, cut into shares ~ Dirichlet(alpha)."""
    if not 0 < alpha < float("inf"):
        raise UsageError("the split's alpha is above 0", "set a larger alpha; 0.1 is uneven, 100 almost even")
    cuts = np.rint(np.cumsum(dirichlet(stream, alpha, clients))[:-1] * rows.size).astype(np.int64)
    return np.split(rows[permutation(stream, rows.size)], cuts)


def _nobody_without(parts: list[Array], rows: int) -> list[Array]:
    if rows < len(parts):
        raise UsageError(f"{rows} rows are too few for {len(parts)} clients", "set fewer clients")
    sizes = np.array([part.size for part in parts])
    for empty in np.flatnonzero(sizes == 0):
        most = int(np.argmax(sizes))
        parts[empty], parts[most] = parts[most][:1], parts[most][1:]
        sizes[empty], sizes[most] = 1, sizes[most] - 1
    return [np.sort(part) for part in parts]
