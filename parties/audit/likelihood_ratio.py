"""Membership by likelihood ratio, from trainings on other draws of the rows (shadow models). Carlini et al. 2022.

"Membership Inference Attacks From First Principles" (LiRA), IEEE S&P, algorithm 1. With the score s_i(k) of candidate
i on training k, normal laws are fitted to those with i among the members and to those without it, of one variance
(section 5: variances of their own are worth it only with very many trainings). Of a released score t

    online     log N(t; mean_in, deviation) - log N(t; mean_out, deviation)
    offline    (t - mean_out) / deviation_out           (no training with the candidate is needed)

Here every training is the target once, with all others as its shadows: sums over all less its own give its laws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array

Masks = NDArray[np.bool_]


@dataclass(frozen=True)
class Laws:
    """Normal laws of the candidates' scores, with and without them among the members; arrays of one shape."""

    mean_in: Array
    mean_out: Array
    deviation: Array
    deviation_out: Array

    def online(self, scores: Array) -> Array:
        """The log of the likelihood ratio."""
        middle = (self.mean_in + self.mean_out) / 2
        found: Array = (scores - middle) * (self.mean_in - self.mean_out) / self.deviation**2
        return found

    def offline(self, scores: Array) -> Array:
        """How far above a non-member's, in deviations."""
        found: Array = (scores - self.mean_out) / self.deviation_out
        return found


def laws(scores: Array, members: Masks) -> Laws:
    """From trainings (trainings, candidates), the laws of each candidate (candidates,)."""
    centre = scores.mean(axis=0)
    sums = [_sums(scores - centre, mask) for mask in (members, ~members)]
    return _laws(sums[0], sums[1], centre)


def leave_one_out_laws(scores: Array, members: Masks) -> Laws:
    """The same for each training as a target (trainings, candidates), from all trainings but it."""
    centre = scores.mean(axis=0)
    sums = []
    for mask in (members, ~members):
        own = np.where(mask, scores - centre, 0.0)
        count, total, squares = _sums(scores - centre, mask)
        sums.append((count - mask, total - own, squares - own**2))
    return _laws(sums[0], sums[1], centre)


_Sums = tuple[Array, Array, Array]


def _sums(centred: Array, mask: Masks) -> _Sums:
    """Number, sum and sum of squares of the chosen scores of each candidate."""
    chosen = np.where(mask, centred, 0.0)
    return mask.sum(axis=0).astype(np.float64), chosen.sum(axis=0), (chosen**2).sum(axis=0)


def _laws(inside: _Sums, outside: _Sums, centre: Array) -> Laws:
    least = 1e-9 * max(float(np.abs(centre).max(initial=0.0)), 1e-300)  # of a score that no training moves
    (mean_in, spread_in), (mean_out, spread_out) = _moments(*inside), _moments(*outside)
    both, out = inside[0] + outside[0] - 2.0, outside[0] - 1.0
    return Laws(
        mean_in + centre,
        mean_out + centre,
        np.maximum(np.sqrt((spread_in + spread_out) / np.maximum(both, 1.0)), least),
        np.maximum(np.sqrt(spread_out / np.maximum(out, 1.0)), least),
    )


def _moments(count: Array, total: Array, squares: Array) -> tuple[Array, Array]:
    """Mean, and sum of squares about it."""
    mean = total / np.maximum(count, 1.0)
    return mean, np.maximum(squares - total * mean, 0.0)
