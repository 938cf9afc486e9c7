"""How good a model is, from noisy counts of held-out rows by class and score: one release, and public arithmetic on it.

Each held-out row is in one of 2 B cells: its class, and the bin of its predicted probability (`EDGES`). From the noisy
counts n_0 (B,) and n_1 (B,) follow, as for exact ones, with scores of one bin counted as equal:

- accuracy: right / (right + wrong), the edge at 0.5 among the bins' edges;
- AUC = n_1' K n_0 / (P Q), K[i, j] = 1 where i > j, 1/2 where i = j; P and Q the sums of n_1 and n_0
  (Mann, Whitney 1947).

Intervals are for what the owners' held-out rows give, as in privacy/estimates.py: they hold it in at least
95 of 100 runs. That of the AUC is the delta method's: with independent noise of variance s^2 in each count, it has the
variance

    s^2 (|K n_0 / Q - A|^2 / P^2 + |K' n_1 / P - A|^2 / Q^2) + s^4 |K - A|^2 / (P Q)^2

Where P or Q is less than `_MANY` times the noise of a sum of B counts there is none, and no AUC.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from protocols.privacy.estimates import NOTHING, Estimate, margin

PROBABILITIES: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""The bins' edges."""
EDGES: Final = tuple(log(p / (1 - p)) for p in PROBABILITIES)
"""The same, of scores."""
BINS: Final = len(EDGES) + 1
_HALF: Final = PROBABILITIES.index(0.5) + 1  # bins of rows that count as class 0
_MANY: Final = 4.0


def cells(scores: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows are in each cell (2, B), of scores (m,) and labels 0/1 (m,)."""
    places = labels * BINS + np.searchsorted(np.array(EDGES), scores, side="right")
    return np.bincount(places, minlength=2 * BINS).reshape(2, BINS)


def right_and_wrong(counts: NDArray[np.float64]) -> tuple[float, float]:
    """How many rows are predicted rightly, and wrongly, of counts (2, B): a score of 0 and more says class 1."""
    low, high = counts[:, :_HALF].sum(axis=1), counts[:, _HALF:].sum(axis=1)
    return float(low[0] + high[1]), float(low[1] + high[0])


def auc_of(counts: NDArray[np.float64], deviation: float) -> Estimate:
    """The AUC of noisy counts (2, B) whose noise has this deviation; `NOTHING` where that leaves too little to say."""
    zeros, ones = counts
    q, p = float(zeros.sum()), float(ones.sum())
    if min(p, q) < max(1.0, _MANY * sqrt(BINS) * deviation):
        return NOTHING
    above = np.tri(BINS, k=-1) + np.eye(BINS) / 2
    value = float(ones @ above @ zeros) / (p * q)
    by_ones, by_zeros = above @ zeros / q - value, ones @ above / p - value
    variance = deviation**2 * (float(by_ones @ by_ones) / p**2 + float(by_zeros @ by_zeros) / q**2)
    variance += deviation**4 * float(((above - value) ** 2).sum()) / (p * q) ** 2
    reach = margin(sqrt(variance))
    value, low, high = (min(1.0, max(0.0, one)) for one in (value, value - reach, value + reach))
    return Estimate(value, low, high)
