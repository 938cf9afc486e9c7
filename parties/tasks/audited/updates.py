"""What a federated training sends in its first rounds, client by client, as an audit takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from numpy.random import Generator

from mpc.ring.array import Array
from protocols.federated.models import Network, Rows


@dataclass(frozen=True)
class RoundUpdates:
    """One round of training.

    Args:
        t: its number.
        updates: of each client that was asked, by number, its clipped update (size,).
        shares: what it counts in the sum.
    """

    t: int
    updates: Mapping[int, Array] = field(repr=False)
    shares: Mapping[int, float]


@dataclass(frozen=True)
class Updates:
    """The clients' rows, and the updates that they send in a few rounds.

    Args:
        rows, held: of each client, by number, the rows that it trains on and those that it holds out, as the model
            takes them.
        rounds: of a run in the clear.
        retrain: (round, client, rows) -> the update (size,) that it would send if it had these rows.
        opened: (updates, shares, whose noise) -> their mean as the server sees it: rounded, and with [privacy] noisy.
        fewest: honest clients in the smallest sum that is opened.
        asked: clients in a round.
        plain: whether the server sees each client's own.
        noisy: whether there is noise.
        labels: of a classification; none for a number.
    """

    model: Network
    rows: Mapping[int, Rows] = field(repr=False)
    held: Mapping[int, Rows] = field(repr=False)
    rounds: tuple[RoundUpdates, ...]
    retrain: Callable[[int, int, Rows], Array]
    opened: Callable[[Sequence[Array], Sequence[float], Generator], Array]
    fewest: int
    asked: int
    plain: bool
    noisy: bool
    labels: tuple[float, ...]
