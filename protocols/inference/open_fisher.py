"""The maximum-likelihood fit where owners agreed to open the pooled gradient and Fisher matrix of every Newton step.

Each owner adds up g = X^T C (y - p) and F = X^T C diag(p (1 - p)) X over its own rows, the sums over the owners are
opened, and everyone solves w <- w + F^-1 g for itself: a round a step, and no helper. The price is the disclosure of
the pooled sums of products of every two columns, weighted by p (1 - p), at each step's w. With two owners, each learns
the other's sums, which with few rows can be solved for the rows themselves.

The opened numbers are the same at every owner to the bit. What follows is computed by single IEEE-754 operations in one
order, so that all owners get the same table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from protocols.core.secure_sum import secure_sum
from protocols.inference.irls import LARGEST_MOVE, not_reached
from protocols.linalg.inverse import collinear
from protocols.linalg.symmetric import Matrix, identity, invert, pairs, symmetric
from protocols.rows.offset_weights import OffsetWeights
from protocols.scaling.standardise import SUM_RING, SUM_SCALE


@dataclass(frozen=True)
class OpenFit:
    """The weights (d,) and their covariance (d, d), known to every owner."""

    weights: tuple[float, ...]
    covariance: Matrix


async def fit_open(p: Party, x: Array, y: Array, offset_weights: OffsetWeights, steps: int) -> OpenFit:
    """The fit to all owners' rows, of which x (m, d), the last column all ones, and labels y (m,) are this owner's.

    Args:
        offset_weights: the rows' counts C and offsets, if any; the counts are 1 on average, over all owners.
        steps: the number of steps, the first of them from scores of 0, as in irls.py.

    `steps` rounds; reveals at each of them the pooled gradient and Fisher matrix (d + d (d + 1) / 2 numbers).

    Raises:
        DataError: columns are collinear, or the classes can be separated.
    """
    d = x.shape[1]
    w, inverse, gram = [0.0] * d, identity(d), identity(d)
    move = w
    why = "at each step: everyone works out the next weights, and at last the standard errors"
    for t in range(steps):
        p.stage("training", t, steps)
        at = np.array(w) if t else None
        own = p.compute(lambda at=at: _own_sums(x, y, offset_weights, at), shape=(d + d * (d + 1) // 2,))
        total = await secure_sum(
            p, own, SUM_SCALE, SUM_RING, what="gradient and Fisher matrix", why=why, label="gradient and Fisher matrix"
        )
        if p.dry:
            continue
        sums = total.real().tolist()
        fisher = symmetric(sums[d:], d)
        if t == 0:
            gram = [[4 * v for v in row] for row in fisher]
        inverse = invert(fisher, collinear() if t == 0 else not_reached(steps))
        move = [math.fsum(a * b for a, b in zip(row, sums[:d], strict=True)) for row in inverse]
        w = [a + b for a, b in zip(w, move, strict=True)]
    p.stage("range check")
    # The sum over rows of C (x move)^2: so no row's score moved further in the last step, that counts as much as most.
    moved = math.fsum(a * g * b for a, row in zip(move, gram, strict=True) for g, b in zip(row, move, strict=True))
    p.insist_jointly(lambda: moved <= LARGEST_MOVE**2, lambda: not_reached(steps))
    return OpenFit(tuple(w), inverse)


def _own_sums(x: Array, y: Array, offset_weights: OffsetWeights, w: Array | None) -> Array:
    """g and F over an owner's own rows, as ring elements; without weights, at scores of 0, as irls.py begins."""
    j, k = pairs(x.shape[1])
    with np.errstate(over="ignore"):
        p = np.full(len(x), 0.5) if w is None else 0.5 * (1.0 + np.tanh(0.5 * offset_weights.add_offset(x @ w)))
    error, slope = y - p, p * (1 - p)
    if w is None and offset_weights.offset is not None:
        error = error - offset_weights.offset / 4
    if offset_weights.counts is not None:
        error, slope = offset_weights.counts * error, offset_weights.counts * slope
    fisher = x.T @ (x * slope[:, np.newaxis])
    return encode(np.concatenate((x.T @ error, fisher[j, k])), SUM_SCALE, SUM_RING, what="a sum of the rows")
