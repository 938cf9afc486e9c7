"""Metrics on rows whose scores are shared: each owner has a part of every row's score, or a share of it.

With the labels y and the scores z shared, over the rows of a set:

    confusion counts    from [z < 0] and y [z < 0]
    log-loss            sum log(1 + e^z) - y z
    Brier score         sum (sigma(z) - y)^2 = sum sigma(z) - sigma(z)(1 - sigma(z)) + y - 2 y sigma(z)
    AUC                 from histograms of all and of the positive rows: metrics.py

The series of sigma and of log(1 + e^z) hold for |z| <= 16: beyond, z is clamped by comparison, which costs sigma 1e-7,
and log(1 + e^z) gets back what was cut off, exactly. So no score is out of range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.comparison import less_than
from protocols.core.selection import as_numbers, select
from protocols.core.truncation import truncate
from protocols.evaluation.metrics import auc_pairs, named_metrics
from protocols.functions.histogram import BINS, histograms
from protocols.functions.logistic_series import ANGLE_SCALE, SERIES_SCALE, logistic_parts

SCORE_SCALE = 24
SCORE_BITS = 37  # all scores of a set together are below 2^37, so that sums at SCORE_SCALE stay in the ring
_SATURATED_BITS = 4  # logistic_series.LARGEST, beyond which a score is clamped
CHUNK = 1 << 14  # rows at once: bounds the memory, and the sums of series to 2^60
# The bins are those of clamp(c, 16) + 8 clamp(c, 2) + 64 clamp(c, 1/4), within 48, for scores c about their mean: they
# are 0.0017 wide in the middle, 0.014 from 1/4 on and 0.125 from 2 on; beyond 16 all is one bin.
_CLAMP_BITS = (4, 1, -2)
_BIN_RANGE_BITS = 7


@dataclass(frozen=True)
class SharedScores:
    """Rows of one set: scores z (m,), the same less their mean (m,), both at SCORE_SCALE, and labels 0/1 y (m,)."""

    z: Share
    centred: Share
    y: Share


async def evaluate_shared(p: Party, sets: dict[str, SharedScores]) -> dict[str, dict[str, Any]]:
    """Pooled metrics of each named set, as `metrics.evaluate` gives them.

    19 rounds for each 2^14 rows and 3 at the end. Reveals what `metrics.evaluate` does: per set the six sums and the
    AUC's pairs. All else is opened under uniform masks.
    """
    return (await evaluate_with_histograms(p, sets))[0]


async def evaluate_with_histograms(
    p: Party, sets: dict[str, SharedScores]
) -> tuple[dict[str, dict[str, Any]], dict[str, Share]]:
    """The same, and the shared histogram of each set's rows (shared_histogram.BINS,), rising with their scores."""
    results = await together(*(_evaluate(p, name, scored) for name, scored in sets.items()))
    found = zip(sets, results, strict=True)
    metrics = {name: {} if p.dry else named_metrics(sums, pairs, withhold=False) for name, (sums, pairs, _) in found}
    return metrics, {name: everyone for name, (_, _, everyone) in zip(sets, results, strict=True)}


def upper_edges(bins: Array, beyond: int) -> Array:
    """The least score about the mean, at SCORE_SCALE (int64), that is above each of these bins; `beyond` above all."""
    place = (bins + 1) * (2.0**_BIN_RANGE_BITS / BINS) - 2.0 ** (_BIN_RANGE_BITS - 1)
    size = np.abs(place)
    # The places of 1/4, 2 and 16, from which on one clamp less goes on rising.
    near = np.where(size <= 73 / 4, size / 73, np.where(size <= 34, (size - 16) / 9, size - 32))
    words = np.ceil(np.copysign(near, place) * 2.0**SCORE_SCALE).astype(np.int64)
    return np.where(place > 48, beyond, np.where(place <= -48, -beyond, words))


@dataclass(frozen=True)
class _Sums:
    """Of some rows: false negatives, negative scores, positives (3,); at SCORE_SCALE what z adds to the log-loss (1,);
    at SERIES_SCALE the rest of the log-loss, and the Brier score (2,); the histograms."""

    counts: Share
    linear: Share
    series: Share
    everyone: Share
    positive: Share


async def _evaluate(p: Party, name: str, scored: SharedScores) -> tuple[Public, Public, Share]:
    rows = scored.z.shape[0]
    parts = [
        await _sums(p, SharedScores(scored.z[some], scored.centred[some], scored.y[some]))
        for some in (slice(start, start + CHUNK) for start in range(0, rows, CHUNK))
    ]
    series = Share(np.concatenate([part.series.value for part in parts]), SERIES_SCALE)
    cut = await truncate(p, series, SERIES_SCALE - SCORE_SCALE)
    loss = cut.reshape(len(parts), 2).sum(axis=0)
    counts, linear, everyone, positive = parts[0].counts, parts[0].linear, parts[0].everyone, parts[0].positive
    for part in parts[1:]:
        counts, linear = counts + part.counts, linear + part.linear
        everyone, positive = everyone + part.everyone, positive + part.positive
    sums = _six_sums(p, rows, counts, Share(np.concatenate(((loss[:1] + linear).value, loss[1:].value)), SCORE_SCALE))
    why = "the model's quality: confusion counts, log-loss and Brier score"
    revealed, pairs = await together(
        p.reveal(sums, what=f"metric sums ({name})", why=why, label="metric sums"),
        auc_pairs(p, positive, everyone - positive, BINS, name=name),
    )
    return revealed[0], pairs, everyone


def _six_sums(p: Party, rows: int, counts: Share, loss: Share) -> Share:
    """True and false positives, true and false negatives, log-loss and Brier score (6,), as `metrics` has them."""
    missed, says_no, positives = counts[:1], counts[1:2], counts[2:]
    right_no = says_no - missed
    false_alarms = p.plus(Share(np.uint64(0) - (positives + right_no).value), p.constant(rows, (1,)))
    confusion = np.concatenate([(positives - missed).value, false_alarms.value, right_no.value, missed.value])
    return Share(np.concatenate((Share(confusion).shifted(SCORE_SCALE).value, loss.value)), SCORE_SCALE)


async def _sums(p: Party, rows: SharedScores) -> _Sums:
    """19 rounds; nothing is revealed but masked values."""
    cut = await _clamped(p, rows.z, rows.centred)
    (counts, linear, series), (everyone, positive) = await together(
        _quality(p, rows, cut), histograms(p, cut.place, rows.y, label="auc/histogram")
    )
    return _Sums(counts, linear, series, everyone, positive)


@dataclass(frozen=True)
class _Cut:
    """Of scores z (m,): [z < 0] as a number; z within 16, and by how much it is above; its place among the bins."""

    says_no: Share
    within: Share
    above: Share
    place: Share


async def _clamped(p: Party, z: Share, centred: Share) -> _Cut:
    """8 rounds; reveals masked values and bits only.

    clamp(z, t) = z - [z < -t] (z + t) - [t < z] (z - t): the numbers below 0 are z + t, t - z, and z itself.
    """
    (m,) = z.shape
    clamps = [(z, _SATURATED_BITS), *((centred, bits) for bits in _CLAMP_BITS)]
    n = len(clamps)
    edges = [p.constant(1 << (SCORE_SCALE + bits), (1,), SCORE_SCALE) for _, bits in clamps]
    under = np.concatenate([p.plus(v, t).value for (v, _), t in zip(clamps, edges, strict=True)])
    over = np.concatenate([p.plus(v, _minus(t)).value for (v, _), t in zip(clamps, edges, strict=True)])
    compared = Share(np.concatenate((under, np.uint64(0) - over, z.value)), SCORE_SCALE)
    bits = await less_than(
        p, compared, Share(np.zeros(compared.shape, dtype=np.uint64), SCORE_SCALE), label="scores/compare"
    )
    outside = Share(np.concatenate((under, over)), SCORE_SCALE)
    nothing = Share(np.zeros(outside.shape, dtype=np.uint64), SCORE_SCALE)
    beyond, says_no = await together(
        select(p, bits[: 2 * n * m], outside, nothing, label="scores/clamp"),
        as_numbers(p, bits[2 * n * m :], label="scores/sign"),
    )
    below, above = (part.reshape(n, m) for part in (beyond[: n * m], beyond[n * m :]))
    within, place, *finer = [v - below[k] - above[k] for k, (v, _) in enumerate(clamps)]
    for bits_of, clamped in zip(_CLAMP_BITS[1:], finer, strict=True):
        place = place + clamped.shifted(_CLAMP_BITS[0] - bits_of)
    fill = 64 - _BIN_RANGE_BITS - SCORE_SCALE
    return _Cut(says_no, within, above[0], place.shifted(fill).at_scale(SCORE_SCALE + fill))


def _minus(t: Public) -> Public:
    return Public(np.uint64(0) - t.value, t.scale)


async def _quality(p: Party, rows: SharedScores, cut: _Cut) -> tuple[Share, Share, Share]:
    """`_Sums` but the histograms. 2 rounds; reveals masked values only."""
    y, (m,) = rows.y, rows.z.shape
    angle = cut.within.shifted(ANGLE_SCALE - SCORE_SCALE).at_scale(ANGLE_SCALE)
    parts = await logistic_parts(p, angle, label="logistic")
    sigma, slope, softplus = parts[0], parts[1], parts[2]
    # Three sums of products with y, each of its own scale, by one product of the ring elements.
    factors = np.concatenate([v.value.reshape(1, m) for v in (cut.says_no, sigma, rows.z)])
    products = await matmul(p, Share(factors), y, label="labels")
    half = cut.within.shifted(SERIES_SCALE - SCORE_SCALE - 1).at_scale(SERIES_SCALE)
    brier = (sigma - slope).sum() - products[1:2].at_scale(SERIES_SCALE).shifted(1)
    brier = p.plus(brier, p.constant(m << (SERIES_SCALE - 1), (1,), SERIES_SCALE))
    return (
        Share(np.concatenate((products[:1].value, cut.says_no.sum().value, y.sum().value))),
        cut.above.sum() - products[2:].at_scale(SCORE_SCALE),
        Share(np.concatenate(((softplus + half).sum().value, brier.value)), SERIES_SCALE),
    )
