"""Models as functions of one flat weight vector: linear, logistic and multinomial regression, and small networks.

    a_0 = x,   a_l = tanh(a_(l-1) W_l + b_l)  for the hidden layers,   scores = a_(L-1) W_L + b_L

A regression is a network without hidden layers. The flat vector holds W_1 (row by row), b_1, W_2, b_2, ... The loss of
a row with label y and scores s is

    squared    (s - y)^2 / 2                  linear regression
    logistic   log(1 + exp(-(2 y - 1) s))     y is 0 or 1
    softmax    log(sum_k exp(s_k)) - s_y      y is a class's number

each computed without overflow, whatever the scores are. The gradient is by back-propagation (Rumelhart et al. 1986).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

import numpy as np

from mpc.errors import InternalError, UsageError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.federated.draws.numbers import uniforms

ModelName = Literal["linear", "logistic", "multinomial", "mlp"]
Loss = Literal["squared", "logistic", "softmax"]


@dataclass(frozen=True)
class Rows:
    """Some rows of a client.

    Args:
        x: features, float64 (n, p).
        y: labels, float64 (n,); for a classification the class's number, from 0.
    """

    x: Array = field(repr=False)
    y: Array = field(repr=False)

    def of(self, rows: Array | slice) -> Rows:
        """Some of them, by their numbers."""
        return Rows(self.x[rows], self.y[rows])


class Model(Protocol):
    """What a client trains. All weights are one float64 vector (size,)."""

    @property
    def size(self) -> int:
        """How many weights it has."""

    @property
    def penalised(self) -> Array:
        """1 for each weight that an l2 penalty is on, 0 for the intercepts: float64 (size,)."""

    def start(self, stream: Stream) -> Array:
        """The weights before the first round, float64 (size,)."""

    def losses(self, w: Array, rows: Rows) -> Array:
        """Each row's loss, float64 (n,)."""

    def gradient(self, w: Array, rows: Rows) -> Array:
        """Of the mean loss over the rows (at least one), float64 (size,)."""

    def scores(self, w: Array, x: Array) -> Array:
        """What is predicted: (n,) the value, or the log odds of class 1; (n, classes) the classes' log odds."""


@dataclass(frozen=True)
class Network:
    """A network of fully connected layers; a regression, if it has no hidden one.

    Args:
        widths: of the features, each hidden layer, and the scores.
        loss: what its scores are compared with the labels by.
    """

    widths: tuple[int, ...]
    loss: Loss

    @cached_property
    def size(self) -> int:
        """How many weights it has."""
        return sum((above + 1) * below for above, below in zip(self.widths, self.widths[1:], strict=False))

    @cached_property
    def penalised(self) -> Array:
        """1 for each weight that an l2 penalty is on, 0 for the intercepts: float64 (size,)."""
        mask = np.ones(self.size)
        for _, intercepts in self.layers(mask):
            intercepts[:] = 0
        return mask

    def layers(self, w: Array) -> list[tuple[Array, Array]]:
        """Each layer's W (width above, width) and intercepts b (width,): views into the flat vector."""
        if w.shape != (self.size,):
            raise InternalError(f"the model has {self.size} weights, and {w.size} were given")
        found, at = [], 0
        for above, width in zip(self.widths, self.widths[1:], strict=False):
            end = at + above * width
            found.append((w[at:end].reshape(above, width), w[end : end + width]))
            at = end + width
        return found

    def start(self, stream: Stream) -> Array:
        """The weights before the first round: 0 for a regression; else Glorot's, with intercepts of 0.

        W_l is uniform between -r and r, r^2 = 6 / (width above + width) (Glorot and Bengio 2010, eq. 16). The stream is
        public: who knows the start knows no row.
        """
        w = np.zeros(self.size)
        if len(self.widths) > 2:
            for weights, _ in self.layers(w):
                weights[:] = (2 * uniforms(stream, *weights.shape) - 1) * np.sqrt(6 / sum(weights.shape))
        return w

    def scores(self, w: Array, x: Array) -> Array:
        """What is predicted: (n,) the value, or the log odds of class 1; (n, classes) the classes' log odds."""
        return self._flat(self._forward(w, x)[-1])

    def losses(self, w: Array, rows: Rows) -> Array:
        """Each row's loss, float64 (n,)."""
        s = self.scores(w, rows.x)
        losses: Array
        if self.loss == "squared":
            losses = (s - rows.y) ** 2 / 2
        elif self.loss == "logistic":
            losses = np.logaddexp(0.0, (1 - 2 * rows.y) * s)
        else:
            s = s - np.max(s, axis=1, keepdims=True)
            losses = np.log(np.sum(np.exp(s), axis=1)) - s[np.arange(rows.y.size), rows.y.astype(np.int64)]
        return losses

    def gradient(self, w: Array, rows: Rows) -> Array:
        """Of the mean loss over the rows (at least one), float64 (size,)."""
        gradient = np.empty(self.size)
        outputs = self._forward(w, rows.x)
        back = self._residuals(outputs[-1], rows.y) / rows.y.size
        layers = list(zip(outputs, self.layers(w), self.layers(gradient), strict=False))
        for at, (entered, (weights, _), (by_weights, by_intercepts)) in reversed(list(enumerate(layers))):
            np.matmul(entered.T, back, out=by_weights)
            np.sum(back, axis=0, out=by_intercepts)
            if at:
                back = (back @ weights.T) * (1 - entered**2)
        return gradient

    def _forward(self, w: Array, x: Array) -> list[Array]:
        """What enters each layer, and the scores (n, width of the scores) at the end."""
        outputs = [x]
        layers = self.layers(w)
        for at, (weights, intercepts) in enumerate(layers):
            z = outputs[-1] @ weights + intercepts
            outputs.append(np.tanh(z) if at < len(layers) - 1 else z)
        return outputs

    def _residuals(self, s: Array, y: Array) -> Array:
        """The losses' derivatives by the scores, in their shape: the prediction less the label."""
        if self.loss == "softmax":
            exp = np.exp(s - np.max(s, axis=1, keepdims=True))
            residuals: Array = exp / np.sum(exp, axis=1, keepdims=True)
            residuals[np.arange(y.size), y.astype(np.int64)] -= 1
            return residuals
        if self.loss == "logistic":
            from scipy.special import expit

            s = expit(s)
        return s - y[:, None]

    def _flat(self, s: Array) -> Array:
        return s if self.loss == "softmax" else s[:, 0]


def model_of(name: ModelName, features: int, classes: int, hidden: tuple[int, ...] = ()) -> Network:
    """The model of this name.

    Args:
        features: p.
        classes: how many there are; 2 are told apart by one score, and 1 stands for a number as target.
        hidden: an mlp's hidden layers' widths.

    Raises:
        UsageError: the classes or hidden layers do not fit the model.
    """
    if (name == "mlp") != bool(hidden) or min(hidden, default=1) < 1:
        raise UsageError("hidden layers belong to an mlp alone, which has at least one", "set hidden, or another model")
    if {"linear": classes != 1, "logistic": classes != 2, "multinomial": classes < 2}.get(name, classes < 1):
        needed = {"linear": "no classes", "logistic": "two classes", "multinomial": "classes"}.get(name, "classes")
        raise UsageError(f"a {name} model needs {needed}, and the target has {classes}", "set another model or classes")
    loss: Loss = "squared" if classes == 1 else "softmax" if classes > 2 or name == "multinomial" else "logistic"
    return Network((features, *hidden, classes if loss == "softmax" else 1), loss)
