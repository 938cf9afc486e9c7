"""How good an open model is on rows that nobody may show: sums over the owners, and the AUC from a shared histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.errors import ProtocolError
from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from mpc.ring import Z64
from mpc.round import together
from mpc.share import Public, Share
from protocols.auc_interval import auc_interval
from protocols.beaver import matmul
from protocols.secure_sum import secure_sum

BINS = 4096
SUM_SCALE = 24
_COUNTS = ("true positives", "false positives", "true negatives", "false negatives", "log-loss", "Brier")
_FINEST = 0.01  # of the sum of |w|: scores closer to the middle than this are binned evenly
_WIDEST = 1e4  # in the same unit: scores beyond fall into the outermost bins


@dataclass(frozen=True)
class Scored:
    """An owner's rows of one set (training or test): scores z = x w (m,) and labels 0/1 (m,)."""

    z: Array
    y: Array


@dataclass(frozen=True)
class Bins:
    """Where the histogram's bins lie: public, from the open model. Finest around `middle`, wider further out."""

    middle: float
    unit: float

    def number(self, z: Array) -> Array:
        """The bin of each score, rising with it."""
        reach = math.asinh(_WIDEST)
        place = np.arcsinh((z - self.middle) / self.unit)
        return np.clip((place + reach) * (BINS / (2 * reach)), 0, BINS - 1).astype(np.int64)


def bins_for(weights: Array, middle: float | None = None) -> Bins:
    """Bins for a model, the intercept last, whose scores lie around `middle`: the intercept, for standardised rows."""
    unit = _FINEST * math.fsum(abs(w) for w in weights[:-1]) or 1.0
    return Bins(float(weights[-1]) if middle is None else middle, unit)


async def mean_score(p: Party, scored: Scored, rows: int) -> Array:
    """Reveal the pooled mean score of `rows` rows, float64 (1,): the bins' middle where rows are not standardised.

    1 round.
    """
    own = p.compute(lambda: encode(np.array([scored.z.sum()]), SUM_SCALE, what="a score"), shape=(1,))
    why = "where the scores lie, for the AUC's bins"
    total = await secure_sum(p, own, SUM_SCALE, what="mean score", why=why, label="mean score")
    return p.compute(lambda: total.real() / rows, shape=(1,))


def local_sums(scored: Scored) -> Array:
    """An owner's confusion counts at probability 1/2, log-loss and Brier sums, float64 (6,)."""
    z, y = scored.z, scored.y
    says = z >= 0
    probability = 1 / (1 + np.exp(-np.clip(z, -700, 700)))
    loss = np.logaddexp(0, z) - y * z
    counts = [
        np.sum(says & (y == 1)),
        np.sum(says & (y == 0)),
        np.sum(~says & (y == 0)),
        np.sum(~says & (y == 1)),
    ]
    return np.array([*counts, np.sum(loss), np.sum((probability - y) ** 2)], dtype=np.float64)


async def auc_numerator(p: Party, positives: Share, negatives: Share, *, name: str, own_rows: bool = True) -> Public:
    """Reveal sum_b pos_b (2 sum_{a<b} neg_a + neg_b): twice the pairs ranked right, ties counting half.

    The histograms (BINS,) stay shared. 2 rounds; reveals masked histograms (uniform) and this one number.
    `own_rows`: whether each owner has rows of its own, scores and labels.
    """
    below = Share(_twice_below(p, negatives.value))
    pairs = await matmul(p, positives, below, label="auc/product")
    note = (
        " (with two owners each can take off the pairs among its own rows)" if own_rows and len(p.owners) == 2 else ""
    )
    why = "the AUC's numerator, twice the pairs ranked right" + note
    (result,) = await p.reveal(pairs, what=f"AUC pairs ({name})", why=why, label="auc/reveal")
    return result


async def evaluate(p: Party, sets: dict[str, Scored], bins: Bins) -> dict[str, dict[str, Any]]:
    """Pooled metrics of each named set. 2 rounds; reveals per set the six sums and the AUC's numerator."""
    runs = []
    for name, scored in sets.items():
        own = p.compute(lambda s=scored: encode(local_sums(s), SUM_SCALE, what="a metric"), shape=(len(_COUNTS),))
        why = "the model's quality: confusion counts, log-loss and Brier score"
        runs.append(secure_sum(p, own, SUM_SCALE, what=f"metric sums ({name})", why=why, label="metric sums"))
        positives, negatives = (_histogram(p, scored, bins, label) for label in (1, 0))
        runs.append(auc_numerator(p, positives, negatives, name=name))
    results = await together(*runs)
    return {name: {} if p.dry else named_metrics(results[2 * k], results[2 * k + 1]) for k, name in enumerate(sets)}


def _histogram(p: Party, scored: Scored, bins: Bins, label: int) -> Share:
    def count() -> Array:
        return np.bincount(bins.number(scored.z[scored.y == label]), minlength=BINS).astype(np.uint64)

    return Share(p.compute(count, shape=(BINS,)))


def _twice_below(p: Party, negatives: Array) -> Array:
    """2 sum_{a<b} neg_a + neg_b for every bin b: linear, so each owner does it on its share."""
    return p.compute(lambda: np.cumsum(negatives, dtype=np.uint64) * np.uint64(2) - negatives, shape=negatives.shape)


def named_metrics(sums: Public, pairs: Public) -> dict[str, Any]:
    """A set's metrics from its six sums and the AUC's numerator, as both were revealed; None where rows are too few.

    Raises:
        ProtocolError: the numerator is not possible with these counts.
    """
    tp, fp, tn, fn = (round(v) for v in sums.real()[:4])
    loss, brier = (float(v) for v in sums.real()[4:])
    rows, positives = tp + fp + tn + fn, tp + fn
    negatives = rows - positives
    twice = int(Z64.centred(pairs.value)[0])
    if not 0 <= twice <= 2 * positives * negatives:
        raise ProtocolError("the AUC's numerator is outside what the class counts allow", "report this as a bug")
    auc = twice / (2 * positives * negatives) if positives and negatives else None
    return {
        "rows": rows,
        "positives": positives,
        "accuracy": (tp + tn) / rows if rows else None,
        "auc": auc,
        **auc_interval(auc, positives, negatives),
        "log_loss": loss / rows if rows else None,
        "brier": brier / rows if rows else None,
        "confusion": {
            "true_positives": tp,
            "false_positives": fp,
            "true_negatives": tn,
            "false_negatives": fn,
        },
    }
