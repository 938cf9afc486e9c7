"""A client's training on its own rows, between two rounds.

    FedAvg (McMahan et al. 2017, algorithm 1, ClientUpdate):   for each epoch, for each batch b:
        w <- w - rate (grad F_b(w) + l2 w)                       (intercepts are not penalised)
    FedProx (Li et al. 2020, algorithm 2) adds (mu / 2) |w - w_t|^2 to the objective, w_t the received model:
        w <- w - rate (grad F_b(w) + l2 w + mu (w - w_t))

F_b is the mean loss over the batch. Every epoch has an order of its own, from a public stream: so a client that
repeats a round gets the same model to the bit (on the same machine, with as many threads).

A client may train otherwise: by any object with a `step(weights, rows)` that returns an update (`Step`). What it does
is its owner's affair; the update that comes out is checked, clipped and coded as the built-in one's is.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mpc.errors import DataError, UsageError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.draws.numbers import permutation
from protocols.federated.models import Model, Network, Rows


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


@runtime_checkable
class Step(Protocol):
    """What trains a client's model in a round."""

    def step(self, weights: Array, rows: Rows) -> Array:
        """The update: the weights after training less `weights`, float64 (size,).

        Args:
            weights: the received model, float64 (size,); its own copy.
            rows: the client's training rows, which cannot be written to.
        """


@dataclass(frozen=True)
class Training:
    """The built-in step of one round: `train`.

    Args:
        stream: of this client and round, for one step.
    """

    model: Model
    how: Local
    stream: Stream

    def step(self, weights: Array, rows: Rows) -> Array:
        """The update."""
        return train(self.model, weights, rows, self.how, self.stream) - weights


def update_of(learner: Step, weights: Array, rows: Rows) -> Array:
    """What a client's learner makes of its rows, checked: float64 (size,).

    Raises:
        UsageError: it gave something else than so many numbers.
        DataError: not all of them are finite.
    """
    seen = Rows(rows.x.view(), rows.y.view())
    seen.x.flags.writeable = seen.y.flags.writeable = False
    given = np.asarray(learner.step(weights.astype(np.float64), seen))
    if given.dtype.kind not in "fiu" or given.shape != weights.shape:
        raise UsageError(
            f"the learner's step gave an array {given.shape} of {given.dtype}, and an update has {weights.size} reals",
            "return the weights after training less those that were given, in their order",
        )
    update: Array = given.astype(np.float64)
    if not np.isfinite(update).all():
        raise DataError("the training on this client's rows diverged", "train with smaller steps")
    return update


class Estimator(Protocol):
    """A linear model that can go on training, as scikit-learn's SGDClassifier, SGDRegressor and Perceptron."""

    coef_: Any
    intercept_: Any

    def partial_fit(self, x: Array, y: Array, **first: Any) -> Any:
        """One pass over the rows; a classifier's first call gets `classes`, for not every client has rows of each."""


@dataclass(frozen=True)
class PartialFit:
    """A step by an object's `partial_fit`, for a regression's weights in `coef_` and `intercept_`.

    Every step begins with a copy of the estimator, so that it keeps nothing between rounds but what is in the model.

    Args:
        estimator: not yet trained; its `random_state` decides its draws.
        model: the agreed regression (no hidden layers): what the flat weights mean.
        epochs: passes over the rows.
    """

    estimator: Estimator = field(repr=False)
    model: Network
    epochs: int = 1

    def step(self, weights: Array, rows: Rows) -> Array:
        """The update."""
        [(w, b)] = self.model.layers(weights)
        if not rows.y.size:
            return np.zeros(weights.shape)
        learner = deepcopy(self.estimator)
        classes = {} if self.model.loss == "squared" else {"classes": np.arange(float(max(2, b.size)))}
        learner.partial_fit(rows.x[:1], rows.y[:1], **classes)  # makes the arrays that the model is then put into
        learner.coef_[...] = w.T.reshape(learner.coef_.shape)
        learner.intercept_[...] = b
        for _ in range(self.epochs):
            learner.partial_fit(rows.x, rows.y)
        after = np.empty_like(weights)
        [(w, b)] = self.model.layers(after)
        w[:], b[:] = np.reshape(learner.coef_, (b.size, -1)).T, learner.intercept_
        return after - weights
