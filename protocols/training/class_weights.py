"""Rows weighted by their class: the mean of c_i times row i's loss, plus l2 / 2 |w|^2, with c_i by the label y_i.

All is divided by the heavier class's weight, which moves no optimum: so weights are at most 1, whatever they are, and
every bound of an unweighted training holds. Since c is linear in y, c_0 + (c_1 - c_0) y, it takes no round; the rows of
the gradient, c_i x_i, are made once, and a step then costs what it costs without weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.errors import DataError
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.secure_sum import TWO_OWNERS
from protocols.core.truncation import truncate
from protocols.rows.settings import ClassWeighting

WEIGHT_SCALE = 14
MOST_UNEQUAL = 64.0  # how many times one class may count what the other does


@dataclass(frozen=True)
class ClassWeights:
    """Each class's weight over the heavier one's, at WEIGHT_SCALE, and the heavier one's."""

    of_0: int
    of_1: int
    heavier: float


def scaled(of_0: float, of_1: float) -> ClassWeights:
    """The weights as a training uses them."""
    heavier = max(of_0, of_1)
    return ClassWeights(_word(of_0 / heavier), _word(of_1 / heavier), heavier)


def _word(weight: float) -> int:
    return round(weight * 2.0**WEIGHT_SCALE)


def most_unequal(weighting: ClassWeighting | None) -> float:
    """A bound of one over the mean weight of a row, for any labels; 1 without weights."""
    if weighting is None:
        return 1.0
    # Balanced, all rows of the rare class together count half: the mean is twice its part of the rows.
    return (MOST_UNEQUAL + 1) / 2 if weighting == "balanced" else max(weighting) / min(weighting)


def balanced(positives: int, rows: int) -> ClassWeights | None:
    """rows / (2 rows of the class): both classes count alike. None if one is missing, or more than 64 times rarer."""
    rare, common = sorted((positives, rows - positives))
    if not rare or common > MOST_UNEQUAL * rare:
        return None
    return scaled(rows / (2 * (rows - positives)), rows / (2 * positives))


async def class_weights(p: Party, y: Share, weighting: ClassWeighting) -> ClassWeights:
    """The weights of a training with labels [y] (m,). 0 rounds, or 1 if balanced, which reveals how many y are 1.

    Raises:
        DataError: balanced, and one class is missing or more than 64 times rarer than the other.
    """
    if weighting != "balanced":
        return scaled(*weighting)
    why = "balanced class weights: how many training rows are of class 1" + (TWO_OWNERS if len(p.owners) == 2 else "")
    (count,) = await p.reveal(y.sum(), what="class count", why=why, label="class count")
    if p.dry:
        return scaled(1.0, 1.0)
    found = balanced(int(count.value[0]), y.shape[0])
    if found is None:
        raise DataError(
            f"class_weights: of all training rows, one class has fewer than one in {MOST_UNEQUAL + 1:g}",
            'give class_weights as two numbers, or leave it out, instead of "balanced"',
        )
    return found


async def weighted_rows(p: Party, x: Share, y: Share, weights: ClassWeights) -> Share:
    """[c_i x_i] for rows x (m, d) and labels y (m,), at x's scale. 2 rounds; reveals values under uniform masks."""
    slope = (weights.of_1 - weights.of_0) % (1 << 64)
    c = y * Public(np.array([slope], dtype=np.uint64), WEIGHT_SCALE)
    c = p.plus(c, p.constant(weights.of_0, y.shape, WEIGHT_SCALE))
    return await truncate(p, await multiply(p, c.reshape(-1, 1), x, label="class weights"), WEIGHT_SCALE)
