"""Learners of clients' own, as their owners write them: good ones, and some with mistakes."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import SGDClassifier

from mpc.ring.array import Array
from protocols.federated.local import PartialFit
from protocols.federated.models import Network, Rows


def boosted(model: Network) -> PartialFit:
    """scikit-learn's stochastic gradient descent, from the received weights."""
    sgd = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, alpha=0.0, random_state=0)
    return PartialFit(sgd, model, epochs=2)


class Logistic:
    """A logistic regression by whole gradients; it counts its steps."""

    def __init__(self, model: Network | type[Model]) -> None:
        self.size = model.size
        self.steps = 0

    def step(self, weights: Array, rows: Rows) -> Array:
        self.steps += 1
        chance = 1 / (1 + np.exp(-self.scores(weights, rows.x)))
        gradient = np.append((chance - rows.y) @ rows.x, (chance - rows.y).sum()) / max(1, rows.y.size)
        return -0.5 * gradient

    def losses(self, weights: Array, rows: Rows) -> Array:
        return np.logaddexp(0, (1 - 2 * rows.y) * self.scores(weights, rows.x))

    def scores(self, weights: Array, x: Array) -> Array:
        return x @ weights[:-1] + weights[-1]


class StepAlone:
    def __init__(self, model: Network | type[Model]) -> None:
        self.size = model.size

    def step(self, weights: Array, rows: Rows) -> Array:
        return np.ones(self.size)


class Model:
    size = 4


an_object = Logistic(Model)


class Fails(Logistic):
    def step(self, weights: Array, rows: Rows) -> Array:
        raise ValueError(f"patient {rows.y.size} is 93")


class NoNumbers(Logistic):
    def step(self, weights: Array, rows: Rows) -> Array:
        return weights * np.nan


class TooShort(Logistic):
    def step(self, weights: Array, rows: Rows) -> Array:
        return weights[1:]


class ShortScores(Logistic):
    def scores(self, weights: Array, x: Array) -> Array:
        return super().scores(weights, x)[1:]


def nothing(model: Network) -> int:
    return 3


def failing(model: Network) -> None:
    raise RuntimeError("no such model")


class OnTheGrid(Logistic):
    """Whole multiples of 2^-8, which rounding leaves as they are."""

    def step(self, weights: Array, rows: Rows) -> Array:
        return np.rint(super().step(weights, rows) * 256) / 256
