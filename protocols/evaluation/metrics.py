"""Metrics of an open model on rows that nobody may show: sums over the owners, and the AUC from a shared histogram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.secure_sum import secure_sum
from protocols.evaluation.auc_interval import auc_interval
from protocols.evaluation.auc_pairs import BUCKETS, buckets_of, count_pairs, pair_counts, ranked_right

SUM_SCALE = 24
_COUNTS = ("true positives", "false positives", "true negatives", "false negatives", "log-loss", "Brier")
_SIGNIFICANT = 8  # bits of |score - middle| after its first that tell bins apart
_OCTAVES = 24  # binary orders of |score - middle| that do
_HALF = _OCTAVES << _SIGNIFICANT
_LARGEST = 10  # scores further off than 2^10 times the sum of |w| fall into the outermost bins
BINS = 2 * _HALF
MOST_DOUBT = 0.005
"""The largest error of an AUC that is disclosed."""


@dataclass(frozen=True)
class Scored:
    """An owner's rows of one set (training or test): scores z = x w (m,) and labels 0/1 (m,)."""

    z: Array
    y: Array


@dataclass(frozen=True)
class Bins:
    """The histogram's bins: public, from the open model. A bin is the sign, the exponent and the first bits of the
    score less `middle`, in units of the power of two next to `unit`, as in floating-point numbers.
    """

    middle: float
    unit: float

    def number(self, z: Array) -> Array:
        """The bin of each score (m,), rising with it."""
        place = np.clip(z - self.middle, -1e300, 1e300)
        words = np.abs(place).view(np.int64) >> (52 - _SIGNIFICANT)
        exponent = math.frexp(self.unit)[1] + _LARGEST - _OCTAVES
        size = np.clip(words - ((1023 + exponent) << _SIGNIFICANT), 0, _HALF - 1)
        bins: Array = np.where(place < 0, _HALF - 1 - size, _HALF + size)
        return bins


def bins_for(weights: Array, middle: float | None = None) -> Bins:
    """Bins for a model, the intercept last, whose scores lie around `middle`: the intercept, for standardised rows."""
    unit = math.fsum(abs(w) for w in weights[:-1]) or 1.0
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


async def auc_pairs(
    p: Party, positives: Share, negatives: Share, bins: int, *, name: str, own: Array | None = None
) -> Public:
    """Reveal twice the pairs that are ranked right, ties counting half, and how many are in doubt: see auc_pairs.py.

    The histograms (bins + buckets,) stay shared. 2 rounds; reveals masked histograms (uniform) and these two numbers.

    Args:
        own: this owner's addends to both (2,), from its own rows; None where scores are shared.
    """
    pairs = await count_pairs(p, positives, negatives, bins)
    note = ""
    if own is not None:
        pairs = pairs + Share(own)
        note = " (with two owners each can take off the pairs among its own rows)" if len(p.owners) == 2 else ""
    why = f"the AUC's numerator, twice the pairs ranked right{note}, and the pairs that its bins cannot tell apart"
    (result,) = await p.reveal(pairs, what=f"AUC pairs ({name})", why=why, label="auc/reveal")
    return result


async def evaluate(p: Party, sets: dict[str, Scored], bins: Bins) -> dict[str, dict[str, Any]]:
    """Pooled metrics of each named set. 2 rounds; reveals per set the six sums and the AUC's pairs."""
    runs = []
    for name, scored in sets.items():
        own = p.compute(lambda s=scored: encode(local_sums(s), SUM_SCALE, what="a metric"), shape=(len(_COUNTS),))
        why = "the model's quality: confusion counts, log-loss and Brier score"
        runs.append(secure_sum(p, own, SUM_SCALE, what=f"metric sums ({name})", why=why, label="metric sums"))
        positives, negatives = (_histogram(p, scored, bins, label) for label in (1, 0))
        known = p.compute(_known_better, scored, positives, negatives, shape=(2,))
        runs.append(auc_pairs(p, positives, negatives, BINS, name=name, own=known))
    results = await together(*runs)
    return {name: {} if p.dry else named_metrics(results[2 * k], results[2 * k + 1]) for k, name in enumerate(sets)}


def _histogram(p: Party, scored: Scored, bins: Bins, label: int) -> Share:
    """An owner's rows of one class by bin, then by bucket (BINS + BUCKETS,)."""

    def count() -> Array:
        z = scored.z[scored.y == label]
        parts = np.bincount(bins.number(z), minlength=BINS), np.bincount(buckets_of(z), minlength=BUCKETS)
        return np.concatenate(parts).astype(np.uint64)

    return Share(p.compute(count, shape=(BINS + BUCKETS,)))


def _known_better(scored: Scored, positives: Share, negatives: Share) -> Array:
    """An owner's correction for pairs among its own rows: their exact number less that by bins, and no doubt (2,)."""
    exact = ranked_right(*(scored.z[scored.y == label] for label in (1, 0)))
    return np.array([exact, 0], dtype=np.uint64) - pair_counts(positives.value, negatives.value, BINS)


def named_metrics(sums: Public, pairs: Public, *, withhold: bool = True) -> dict[str, Any]:
    """A set's metrics from its six sums and the AUC's pairs, as both were revealed; None where rows are too few.

    `auc_error` bounds the AUC's error: half the pairs in doubt, of all pairs. Where equal scores are distinguished
    from others in their bin (`withhold`), an AUC with a larger bound than MOST_DOUBT is None.

    Raises:
        ProtocolError: the numerator is not possible with these counts.
    """
    tp, fp, tn, fn = (round(v) for v in sums.real()[:4])
    loss, brier = (float(v) for v in sums.real()[4:])
    rows, positives = tp + fp + tn + fn, tp + fn
    negatives = rows - positives
    twice, doubt = (int(v) for v in Z64.centred(pairs.value))
    if not 0 <= twice <= 2 * positives * negatives:
        raise ProtocolError("the AUC's numerator is outside what the class counts allow", "report this as a bug")
    auc = error = None
    if positives and negatives:
        error = max(0, doubt) / (2 * positives * negatives)
        auc = twice / (2 * positives * negatives) if error <= MOST_DOUBT or not withhold else None
    return {
        "rows": rows,
        "positives": positives,
        "accuracy": (tp + tn) / rows if rows else None,
        "auc": auc,
        "auc_error": error,
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
