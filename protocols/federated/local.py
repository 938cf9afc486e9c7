"""A client's training on its own rows, between two rounds.

    FedAvg (McMahan et al. 2017, algorithm 1, ClientUpdate):   for each epoch, for each batch b:
        w <- w - rate (grad F_b(w) + l2 w)                       (intercepts are not penalised)
    FedProx (Li et al. 2020, algorithm 2) adds (mu / 2) |w - w_t|^2 to the objective, w_t the received model:
        w <- w - rate (grad F_b(w) + l2 w + mu (w - w_t))

F_b is the mean loss over the batch. Every epoch has an order of its own, from a public stream: so a client that
repeats a round gets the same model to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mpc.errors import DataError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.draws import permutation
from protocols.federated.models import Model, Rows


@dataclass(frozen=True)
class Local:
    """How a client trains.

    Args:
        epochs: passes over its rows.
        batch_size: rows a step; 0: all of them. An epoch's last batch has what is left.
        rate: the step's length.
        l2: the strength of the penalty (l2 / 2) |w|^2.
        proximal: mu, of FedProx.
    """

    epochs: int
    batch_size: int
    rate: float
    l2: float = 0.0
    proximal: float = 0.0


def batches(rows: int, how: Local, stream: Stream) -> Iterator[Array]:
    """The row numbers of every batch, epoch after epoch."""
    size = how.batch_size or max(1, rows)
    for _ in range(how.epochs):
        order = permutation(stream, rows)
        yield from (order[start : start + size] for start in range(0, rows, size))


def train(model: Model, w: Array, rows: Rows, how: Local, stream: Stream, anchor: Array | None = None) -> Array:
    """The weights after a client's training from `w`: float64 (size,). Without rows they are `w`.

    Args:
        anchor: what FedProx's term pulls to; `w` itself if it is None.

    Raises:
        DataError: the training diverged.
    """
    start = w.astype(np.float64)
    anchor = start if anchor is None else anchor
    decay = how.l2 * model.penalised
    found = start.copy()
    with np.errstate(over="ignore", invalid="ignore"):  # told once, below
        for batch in batches(rows.y.size, how, stream):
            step = model.gradient(found, rows.of(batch))
            if how.l2:
                step += decay * found
            if how.proximal:
                step += how.proximal * (found - anchor)
            found -= how.rate * step
    if not np.isfinite(found).all():
        raise DataError(
            "the training on this client's rows diverged", "lower learning_rate, or standardise the features"
        )
    return found
