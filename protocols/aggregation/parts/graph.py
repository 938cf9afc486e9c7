"""The graph of neighbours, whose masks cancel and who hold each other's shares.

A semi-honest server draws the graph of Bell et al. 2020 (section 3): a Harary graph, in which each client is joined
to those within k/2 places on a circle, with the clients placed on it in random order. A lying server draws nothing:
each client chooses k holders of its shares out of the whole roster, and masks with them and with those who chose it.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import InternalError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array


def draw_graph(clients: int, neighbours: int, stream: Stream) -> Array:
    """Each client's neighbours (clients, k), ascending; symmetric. Complete for k = clients - 1."""
    n, k = clients, neighbours
    if not 0 < k < n or (k % 2 and n % 2):
        raise InternalError(f"there is no graph of {n} clients with {k} neighbours each")
    half = k // 2
    steps = [*range(1, half + 1), *range(n - half, n), *([n // 2] if k % 2 else [])]
    order = shuffled(n, stream)
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    return np.sort(order[(place[:, None] + np.array(steps)) % n], axis=1)


def choose(clients: int, count: int, me: int, stream: Stream) -> Array:
    """`count` of the other clients, uniform and ascending: the choice of a client that trusts no server's graph."""
    others = np.delete(np.arange(clients), me)
    return np.sort(others[shuffled(clients - 1, stream)[:count]])


def shuffled(count: int, stream: Stream) -> Array:
    """A uniformly random order of range(count): that of distinct 64-bit random words."""
    while True:
        words = stream.take(8 * count).view("<u8")
        order = np.argsort(words, kind="stable")
        ascending = words[order]
        if np.all(ascending[1:] != ascending[:-1]):
            return order
