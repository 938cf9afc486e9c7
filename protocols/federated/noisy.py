"""A round's vectors under differential privacy: each client's is rounded and made noisy, and the sum is read back.

The mechanism is the distributed discrete Gaussian (protocols/privacy/distributed.py). A vector has one meaning and one
bound of its L2 norm, so that one client's influence on the sum has one:

    train      the clipped update; all clients weigh the same, and who is in the sum is told, so that their number is
               no release of its own
    evaluate   figures of the last model on a client's held-out rows, each a number from -1 to 1, and a 1 for having
               such rows; each client counts once, however many they are

What `Layout` (coding.py) is without noise, `NoisyLayout` is with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from mpc.errors import InternalError
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.aggregation.parts import quantise
from protocols.federated.evaluate import Judge, clipped, predicted
from protocols.federated.models import Rows
from protocols.privacy.distributed import Distributed, decoded, encoded

MOST_LOSS = 4.0
"""A client's mean loss is clipped to it, before it is a number from -1 to 1."""
MOST_SQUARE = 1.0
"""A row's squared error likewise, in the units of a target from -1 to 1."""


@dataclass(frozen=True)
class NoisyLayout:
    """A client's vector (how.size,), named, and its noise."""

    name: str
    how: Distributed

    @property
    def length(self) -> int:
        """How many numbers are added up."""
        return self.how.length

    @property
    def bits(self) -> int:
        """Of their modulus."""
        return self.how.bits

    def encode(self, vector: Array, signs: bytes, secret: Stream) -> Array:
        """One client's vector as machine words, with its part of the noise.

        Args:
            signs: the round's public seed.
            secret: a stream that nobody else has, for this vector alone.
        """
        return quantise.residues(encoded(np.asarray(vector, dtype=np.float64), self.how, signs, secret), self.bits)

    def decode(self, total: Array, signs: bytes) -> dict[str, Array]:
        """The estimate of the sum (how.size,), by name; any numbers are possible ones, for noise has no bound."""
        if total.shape != (self.length,):
            raise InternalError(f"a sum of {self.length} numbers was expected")
        return {self.name: decoded(total, self.how, signs)}


def figures_size(classes: int) -> int:
    """How many numbers a client tells: a 1, and of classes accuracy and loss, of a number its squared error."""
    return 3 if classes > 1 else 2


def figures_norm(classes: int) -> float:
    """The most that these are long."""
    return sqrt(figures_size(classes))


def client_figures(model: Judge, w: Array, rows: Rows, classes: int) -> Array:
    """A client's numbers (figures_size,) on its held-out rows, from -1 to 1: a 1, 2 accuracy - 1, its loss likewise.

    Zeros of no rows.
    """
    if not rows.y.size:
        return np.zeros(figures_size(classes))
    scores = model.scores(w, rows.x)
    if classes == 1:
        return np.array([1.0, 2 * clipped((scores - rows.y) ** 2, MOST_SQUARE).mean() / MOST_SQUARE - 1])
    accuracy = float(np.mean(predicted(scores) == rows.y))
    loss = min(float(clipped(model.losses(w, rows), MOST_LOSS).mean()), MOST_LOSS)
    return np.array([1.0, 2 * accuracy - 1, 2 * loss / MOST_LOSS - 1])
