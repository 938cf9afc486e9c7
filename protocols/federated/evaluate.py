"""How good the received model is on the clients' held-out rows: every figure from sums over rows, so over clients.

    rows N, loss L, correct C         mean loss L / N, accuracy C / N;  squared error S: root mean square (S / N)^1/2
    histograms of scores, of the rows of a class and of all others:  the AUC of that class

The AUC is the chance that a row of the class has a higher score than one of another class. Pairs in different bins are
ranked for certain, and of those in one bin nothing is known: with the histograms h and g of n and m rows,

    P / (n m) <= AUC <= (P + T) / (n m)         P = sum_(a > b) h_a g_b,   T = sum_a h_a g_a

and the figure is the middle, as if all T were ties. Bins have equal widths on the scale of log odds, between
-LARGEST_SCORE and LARGEST_SCORE; the outermost reach to infinity. Losses of a row are clipped to a stated bound, so
that a client's sum has one.

The server sees the histograms, too, of all clients that took part: how many rows of a class have a score in a bin, be
it a single one. They are no part of the figures that it tells others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from mpc.ring.array import Array
from protocols.evaluation.auc_interval import auc_interval
from protocols.evaluation.auc_pairs import pair_counts
from protocols.federated.coding import Part, scale_within
from protocols.federated.models import Rows

LARGEST_SCORE = 8.0
LOSS_SCALE = 2.0**20
"""A client's sum of losses is then off by at most 2^-21. It may take more bits than all else: see `within`."""


class Judge(Protocol):
    """What judges a model's weights: every `Model` does."""

    def losses(self, w: Array, rows: Rows) -> Array:
        """Each row's loss: float64 (n,)."""

    def scores(self, w: Array, x: Array) -> Array:
        """Each row's scores: (n,) of numbers or log odds, or (n, classes) of log odds."""


@dataclass(frozen=True)
class Evaluation:
    """What is evaluated, the same at all clients.

    Args:
        classes: how many; 1 stands for a number as target.
        most_rows: the most held-out rows of a client.
        most_loss: what a row's loss is clipped to; for a linear model its squared error to twice that.
        bins: of each histogram; 0: no AUC.
        loss_scale: a power of two; the mean loss of N rows of n clients is off by at most n / (2 N loss_scale).
    """

    classes: int
    most_rows: int
    most_loss: float = 32.0
    bins: int = 128
    loss_scale: float = LOSS_SCALE

    @property
    def told(self) -> tuple[int, ...]:
        """The classes of which there are histograms: of two, class 1 alone."""
        if self.classes == 1 or not self.bins:
            return ()
        return (1,) if self.classes == 2 else tuple(range(self.classes))


def within(how: Evaluation, clients: int, bits: int) -> Evaluation:
    """The same with losses that are coarse enough for sums of so many bits, and no finer than LOSS_SCALE."""
    most = how.most_loss * how.most_rows * (2 if how.classes == 1 else 1)
    return replace(how, loss_scale=min(LOSS_SCALE, scale_within(most, clients, bits)))


def evaluation_parts(how: Evaluation) -> tuple[Part, ...]:
    """The parts of a client's vector: counts, and losses as multiples of 1 / loss_scale."""
    most = how.most_rows
    second = Part("correct", 1, 0, most)
    if how.classes == 1:
        second = Part("squares", 1, 0, 2 * how.most_loss * most, how.loss_scale)
    parts = [
        Part("rows", 1, 0, most),
        Part("loss", 1, 0, how.most_loss * most, how.loss_scale),
        second,
    ]
    parts += [Part(f"scores of class {c}", 2 * how.bins, 0, most) for c in how.told]
    return tuple(parts)


def evaluation_sums(model: Judge, w: Array, rows: Rows, how: Evaluation) -> dict[str, Array]:
    """A client's addends to these parts, from its held-out rows; 0 of none."""
    if not rows.y.size:
        return {part.name: np.zeros(part.length) for part in evaluation_parts(how)}
    losses = clipped(model.losses(w, rows), how.most_loss)
    scores = model.scores(w, rows.x)
    sums = {"rows": np.array([float(rows.y.size)]), "loss": np.array([losses.sum()])}
    if how.classes == 1:
        sums["squares"] = np.array([clipped((scores - rows.y) ** 2, 2 * how.most_loss).sum()])
        return sums
    sums["correct"] = np.array([float(np.count_nonzero(predicted(scores) == rows.y))])
    for c in how.told:
        own = rows.y == c
        place = _bins(_log_odds(scores, c), how.bins)
        halves = [np.bincount(place[one], minlength=how.bins) for one in (own, ~own)]
        sums[f"scores of class {c}"] = np.concatenate(halves).astype(np.float64)
    return sums


def predicted(scores: Array) -> Array:
    """The class of each row, from log odds of class 1 (n,) or of all classes (n, classes)."""
    found: Array = np.argmax(scores, axis=1) if scores.ndim == 2 else (scores >= 0).astype(np.int64)
    return found


def clipped(losses: Array, most: float) -> Array:
    """Each row's loss, at most `most`; that of a score that is not a number is `most`."""
    found: Array = np.minimum(np.nan_to_num(losses, nan=most, posinf=most), most)
    return found


@dataclass(frozen=True)
class Auc:
    """An AUC.

    Args:
        auc: the middle of `least` and `most`, between which the bins leave it.
        se, low, high: Hanley and McNeil's standard error and 95 % interval of the middle; None of an AUC of 0 or 1.
        own, others: how many rows are of the class, and are not.
    """

    auc: float
    least: float
    most: float
    se: float | None
    low: float | None
    high: float | None
    own: int
    others: int


@dataclass(frozen=True)
class Figures:
    """A model's figures over all clients' held-out rows; None what there is none of.

    Args:
        loss: the mean of the clipped losses.
        auc: by class; of two classes, that of class 1. None where a class has no rows.
    """

    rows: int
    loss: float | None
    accuracy: float | None
    root_mean_square: float | None
    auc: Mapping[int, Auc | None]


def figures(sums: Mapping[str, Array], how: Evaluation) -> Figures:
    """The figures, from the decoded sums of these parts."""
    rows = round(float(sums["rows"][0]))
    aucs = {c: auc_of(sums[f"scores of class {c}"]) for c in how.told}
    if rows == 0:
        return Figures(0, None, None, None, aucs)
    loss = float(sums["loss"][0]) / rows
    if how.classes == 1:
        return Figures(rows, loss, None, math.sqrt(float(sums["squares"][0]) / rows), aucs)
    return Figures(rows, loss, float(sums["correct"][0]) / rows, None, aucs)


def auc_of(histograms: Array) -> Auc | None:
    """The AUC from the histograms of a class and of the others (2 bins,); None if either is empty."""
    own, others = np.split(np.rint(histograms).astype(np.uint64), 2)
    n, m = int(own.sum()), int(others.sum())
    if not n or not m:
        return None
    bins = len(own)
    empty = np.zeros(0, dtype=np.uint64)
    twice, tied = (int(one) for one in pair_counts(np.append(own, empty), np.append(others, empty), bins))
    auc = twice / (2 * n * m)
    half = tied / (2 * n * m)
    interval = auc_interval(auc, n, m)
    return Auc(auc, auc - half, auc + half, interval["auc_se"], interval["auc_low"], interval["auc_high"], n, m)


def _log_odds(scores: Array, c: int) -> Array:
    """The log odds (n,) of class c against all others."""
    if scores.ndim == 1:
        return scores
    others = np.delete(scores, c, axis=1)
    top = others.max(axis=1)
    odds: Array = scores[:, c] - top - np.log(np.exp(others - top[:, None]).sum(axis=1))
    return odds


def _bins(z: Array, bins: int) -> Array:
    """The bin of each score, from 0 up; the first and the last reach to infinity."""
    place = np.floor((np.nan_to_num(z) + LARGEST_SCORE) * (bins / (2 * LARGEST_SCORE)))
    found: Array = np.clip(place, 0, bins - 1).astype(np.int64)
    return found
