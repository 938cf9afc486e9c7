"""Metrics of scores, open and shared, and of a kept model; what stands beside a fit: likelihoods, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own, reals
from protocols.evaluation.auc_pairs import BUCKETS, count_pairs
from protocols.evaluation.calibration import GROUPS, STEP, calibrate
from protocols.evaluation.metrics import BINS, Bins, Scored, evaluate, mean_score
from protocols.evaluation.null_model import STEP as INTERCEPT_STEP
from protocols.evaluation.null_model import excess, null_intercept
from protocols.evaluation.shared_calibration import calibrate_shared
from protocols.evaluation.shared_model import evaluate_kept, keep, kept_scale
from protocols.evaluation.shared_scores import (
    SCORE_SCALE,
    SharedScores,
    evaluate_shared,
    evaluate_with_histograms,
    upper_edges,
)
from protocols.evaluation.weighted_likelihood import vertical_likelihoods, weighted_loss
from protocols.functions.histogram import BINS as SHARED_BINS
from protocols.functions.logistic_series import LARGEST
from protocols.rows.limits import X_SCALE
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.rows.results import Calibration
from protocols.rows.settings import TrainingSettings
from tests.fit_reference import null_log_likelihood
from tests.protocols.evaluation.test_calibration import cells_of, plainly_joined
from tests.testing.cases.case import Case, Cost, Secrets, View, each_in_turn, two_others_trade
from tests.testing.cases.costs import COMPARED, COMPARED_DEALT, WORD, bits, clamped, measured
from tests.testing.cases.numbers import decoded, listed, plain_metrics, plain_metrics_shared

SCALE = 8
LABELS = own(integers(("m",), 0, 1))

# -- metrics of scores that their owners know


async def _mean_score(p: Party, z: Array) -> Array:
    return await mean_score(p, Scored(decoded(p, z, SCALE), z), len(p.owners) * z.shape[0])


async def _auc(p: Party, mine: Array) -> Share:
    """Of histograms whose last two numbers are of buckets."""
    return await count_pairs(p, Share(mine[0]), Share(mine[1]), mine.shape[1] - 2)


def _auc_reference(parts: tuple[Array, ...]) -> Array:
    positives, negatives = np.sum(parts, axis=0)
    low, bins = negatives[:-2], positives[:-2]
    return np.array([bins @ (2 * np.cumsum(low) - low), bins @ low - positives[-2:] @ negatives[-2:]])


async def _evaluate(p: Party, z: Array, y: Array) -> tuple[Array, ...]:
    found = await evaluate(p, {"test": Scored(decoded(p, z, 0), y)}, Bins(0.0, 1.0))
    return () if p.dry else listed(found["test"])


# -- of shared scores, and of a model that nobody sees

D = 3
LIMIT = 8.0


async def _evaluate_shared(p: Party, z: Share, y: Share) -> tuple[Array, ...]:
    scores = z.shifted(SCORE_SCALE).at_scale(SCORE_SCALE)
    found = await evaluate_shared(p, {"test": SharedScores(scores, scores, y)})  # its bins lie around 0
    return () if p.dry else listed(found["test"])


def _evaluate_shared_reference(z: Array, y: Array) -> tuple[Array, ...]:
    """Whole numbers have bins of their own, up to 16."""
    return listed({**plain_metrics_shared(z, y), "auc": plain_metrics(np.clip(z, -LARGEST, LARGEST), y)["auc"]})


async def _keep(p: Party, w: Share) -> Share:
    return await keep(p, w, limit=LIMIT)


def _keep_reference(w: Array) -> Array:
    if np.abs(w).max() > LIMIT:
        raise ProtocolError("too large")
    return w


async def _evaluate_kept(p: Party, x: Share, y: Share, w: Share) -> tuple[Array, ...]:
    found = await evaluate_kept(p, w, {"test": (x.shifted(X_SCALE).at_scale(X_SCALE), y)})
    return () if p.dry else listed(found["test"], but="auc")


def _evaluate_kept_reference(x: Array, y: Array, w: Array) -> tuple[Array, ...]:
    z = np.rint((x @ w[:-1] + w[-1]) * 2.0**24) / 2.0**24
    return listed(plain_metrics_shared(z, y), but="auc")


# -- each row's loss times its count


def _loss_reference(z: Array, c: Array, cy: Array) -> Array:
    return np.array([np.sum(c * np.logaddexp(0, z) - cy * z)])


async def _likelihoods(p: Party, parts: Array, counts: Array, labels: Array) -> Any:
    """Of scores that are the sum of the owners' parts; the first owner has counts and labels."""
    m = parts.shape[0]
    how = TrainingSettings(p.owners, "helper", (m,), (0,), 1, 1, 1, 1, 1.0, 0.0, None, True, True, weighted=True)
    offset_weights, y = NO_OFFSET_WEIGHTS, labels[:0]
    if p.index == 0 and not p.dry:
        offset_weights, y = OffsetWeights(None, np.abs(decode(counts, SCALE))), labels.astype(np.float64)
    own_columns = OwnColumns({}, p.owners[0], parts, y, parts, y, np.zeros(DIGEST_BITS, np.uint8), offset_weights)
    z = Share(parts, SCORE_SCALE)
    found = await vertical_likelihoods(p, SharedScores(z, z, z), own_columns, 4.0, how)
    return None if found is None else np.array([found[0].loss, found[0].null_loss or 0.0, found[1]])


def _likelihoods_reference(parts: tuple[Array, ...], counts: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
    c, y, z = np.abs(counts[0]), labels[0], np.sum(parts, axis=0)
    null = -null_log_likelihood(y, counts=c)
    return np.array([np.sum(c * (np.logaddexp(0, z) - y * z)), max(null, 0.0), c.sum()])


# -- the intercept that fits best beside offsets


async def _null(p: Party, offsets: Array, labels: Array) -> Any:
    mine = (labels, NO_OFFSET_WEIGHTS) if p.dry else (labels.astype(np.float64), OffsetWeights(decode(offsets, SCALE)))
    return await null_intercept(p, *mine)


def _null_reference(offsets: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
    """The least point at which the owners' functions, each rounded, add up to 0 or more, by bisection."""
    low, high = 0, 1 << 24
    while low < high:
        middle = (low + high) // 2
        at = np.array([middle * INTERCEPT_STEP - 512.0])
        both = zip(labels, offsets, strict=True)
        if sum(np.rint(2.0**20 * excess(y, OffsetWeights(o), at))[0] for y, o in both) >= 0:
            high = middle
        else:
            low = middle + 1
    return np.array([low * INTERCEPT_STEP - 512.0])


# -- tenths of predicted risk

LEAST = 3


def _told(p: Party, found: Calibration) -> Any:
    """The groups as rows of numbers, and -1 in place of those that are not, as they are joined."""
    if p.dry:
        return None
    rows = [(one.first, one.last, one.rows, one.observed, one.expected) for one in found["all"]]
    return np.array([*rows, *[(-1.0,) * 5] * (GROUPS - len(rows))])


async def _tenths(p: Party, scores: Array, labels: Array) -> Any:
    scored = Scored(scores, labels) if p.dry else Scored(decode(scores, SCALE), labels.astype(np.float64))
    return _told(p, await calibrate(p, {"all": (scored, len(p.owners) * scores.shape[0])}, LEAST))


def _tenths_reference(scores: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
    z = [np.ceil(one / STEP) for one in scores]
    return _table(z, labels, [1 / (1 + np.exp(-one)) for one in scores])


def _table(place: Any, labels: Any, risk: Any) -> Array:
    """The tenths of rows cut at order statistics of `place`; small by what others than each owner have."""
    every = np.sort(np.concatenate(place))
    cuts = [every[-(-k * len(every) // GROUPS) - 1] for k in range(1, GROUPS)]
    groups = [np.searchsorted(cuts, one, side="left") for one in place]
    joined = plainly_joined(np.stack([cells_of(g, y) for g, y in zip(groups, labels, strict=True)]).astype(int), LEAST)
    group, y, expected = (np.concatenate(one) for one in (groups, labels, risk))
    spans = sorted([*joined, *((k, k + 1) for k in range(GROUPS) if not any(a <= k < b for a, b in joined))])
    rows = []
    for a, b in spans if joined != [(0, GROUPS)] else []:
        mine = (group >= a) & (group < b)
        rows.append((a + 1, b, mine.sum(), y[mine].sum(), expected[mine].sum()))
    return np.array([*rows, *[(-1.0,) * 5] * (GROUPS - len(rows))])


async def _shared_tenths(p: Party, z: Share, y: Share) -> Any:
    """Of scores about a mean of 0, so that all know where the bins lie."""
    scored = SharedScores(z, z, y)
    _, histograms = await evaluate_with_histograms(p, {"all": scored})
    return _told(p, await calibrate_shared(p, {"all": (scored, histograms["all"])}, LEAST))


def _shared_tenths_reference(z: Array, y: Array) -> Array:
    bins = np.searchsorted(upper_edges(np.arange(SHARED_BINS), 1 << 60), np.rint(z * 2.0**SCORE_SCALE), side="right")
    return _table([bins], [y], [1 / (1 + np.exp(-z))])


M = 3
CUTS, SIDE = GROUPS - 1, 128  # rows and columns of the 2^14 points
STEPS = CUTS * (SIDE - 1)
SCORES = own(reals(("m",), scale=SCALE, largest=4.0))
(OF_CLAMP, OF_CLAMP_DEALT), (OF_SHARED, OF_SHARED_DEALT) = clamped(M), measured(M)


def _turned(n: int) -> Secrets:
    """Each owner in turn has its rows in another order."""
    return each_in_turn(n, ([1.0, -2.0, 0.5], [0.5, -2.0, 1.0]), ([0, 1, 1], [1, 1, 0]))


CASES = {
    "mean score": Case(
        _mean_score,
        lambda parts: np.atleast_1d(np.mean(np.concatenate(parts))),
        [own(reals(("m",), scale=8, largest=1000.0))],
        1e-6,
        Cost(1, WORD, 0, {"m": 2}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade([[1.0, 3.0], [5.0, 7.0], [2.0, 0.0]]),
            sizes={"m": 2},
            words=700,
            structure="by round",
            addends=True,
        ),
    ),
    "AUC": Case(
        _auc,
        _auc_reference,
        [own(integers((2, "m"), 0, 1000))],
        0.0,
        Cost(1, 6 * WORD, 2 * WORD, {"m": 3}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade([[[k]] * 2 for k in (1, 7, 100)]),
            sizes={"m": 60},
        ),
    ),
    "metrics": Case(
        _evaluate,
        lambda z, y: listed(plain_metrics(np.concatenate(z), np.concatenate(y))),
        [own(integers(("m",), -40, 40)), LABELS],
        1e-6,
        Cost(2, (6 + 2 * (BINS + BUCKETS) + 2) * WORD, 2 * WORD, {"m": 5}),
        View(owners=()),
        examples=10,
        every=7,
    ),
    "shared metrics": Case(
        _evaluate_shared,
        _evaluate_shared_reference,
        [integers(("m",), -40, 40), integers(("m",), 0, 1)],
        4e-5,
        Cost(22, OF_SHARED, OF_SHARED_DEALT, {"m": 3}),
        View(
            owners=(2,),
            soak_from=2,
            secrets=lambda _: [
                ([[1.0, -2.0, 3.0], [1.0, 0.0, 1.0]], [[3.0, -2.0, 1.0], [1.0, 0.0, 1.0]]),
                ([[5.0, 5.0, -20.0], [1.0, 0.0, 1.0]], [[5.0, 5.0, -20.0], [0.0, 1.0, 1.0]]),
                ([[5.0, 20.0, -2.0], [1.0, 0.0, 1.0]], [[-2.0, 20.0, 5.0], [1.0, 0.0, 1.0]]),
                ([[2.0, 4.0, -2.0], [1.0, 0.0, 1.0]], [[4.0, -2.0, 2.0], [0.0, 1.0, 1.0]]),
            ],
            sizes={"m": 3},
            words=100,
            shift=0.8,
            structure="by round",
        ),
        examples=10,
        every=23,
    ),
    "kept model": Case(
        _keep,
        _keep_reference,
        [reals((D + 1,), scale=43, largest=2 * LIMIT)],
        2.0 ** -kept_scale(D),
        Cost(10, 4 * WORD + 4 * (COMPARED + 29) + 1 + WORD, 4 * (2 * WORD) + 4 * (COMPARED_DEALT + 19) + 4 * WORD),
        View(
            owners=(2,),
            secrets=lambda _: [([[1.0, -2.0, 3.0, 4.0]], [[-8.0, 7.0, 0.0, 1e-3]])],
            words=100,
            shift=0.8,
            structure="by round",
            kept=(0,),
        ),
        examples=15,
    ),
    "kept metrics": Case(
        _evaluate_kept,
        _evaluate_kept_reference,
        [integers(("m", D), -9, 9), integers(("m",), 0, 1), reals((D + 1,), scale=kept_scale(D), largest=LIMIT)],
        4e-5,
        Cost(
            34,
            (M * D + D + M) * WORD + OF_CLAMP + 2 * WORD + OF_SHARED,
            3 * M * WORD + OF_CLAMP_DEALT + 2 * 2 * WORD + OF_SHARED_DEALT,
            {"m": 3},
        ),
        View(owners=(), structure="by round"),
        examples=8,
        every=41,
    ),
    "weighted loss": Case(
        weighted_loss,
        _loss_reference,
        [reals(("m",), scale=SCORE_SCALE, largest=60.0), *[reals(("m",), scale=14, largest=1.0)] * 2],
        lambda z, c, cy: 5e-5 * len(z),
        Cost(11, OF_CLAMP + M * 6 * WORD, OF_CLAMP_DEALT + M * (48 + 2) * WORD + 2 * WORD, {"m": M}),
        View(owners=(2,), soak_from=2, sizes={"m": 2}, structure_sizes={"m": 1}, words=120, shift=0.9),
        examples=10,
        every=40,
        long=("faults",),
    ),
    "likelihoods of columns": Case(
        _likelihoods,
        _likelihoods_reference,
        [own(reals(("m",), scale=SCORE_SCALE, largest=20.0)), own(reals(("m",), scale=SCALE, largest=3.0)), LABELS],
        2e-3,
        Cost(12, OF_CLAMP + (M * 6 + 3) * WORD, OF_CLAMP_DEALT + M * (48 + 2) * WORD + 2 * WORD, {"m": M}, owners=(2,)),
        View(owners=()),
        examples=10,
        every=40,
        long=("faults",),
    ),
    "null model": Case(
        _null,
        _null_reference,
        [SCORES, LABELS],
        0.0,
        Cost(48, 6 * (15 * COMPARED + 2), 6 * 15 * COMPARED_DEALT, {"m": M}, owners=(2,)),
        # the search's masks are looked at in cases/core.py
        View(owners=(2,), soak_from=2, secrets=_turned, sizes={"m": M}, words=100, shift=0.9, structure="by round"),
        examples=10,
        every=60,
        long=("faults",),
    ),
    "tenths": Case(
        _tenths,
        _tenths_reference,
        [SCORES, LABELS],
        1e-5,
        Cost(
            30,
            2 * (STEPS * COMPARED + bits(STEPS))  # which row, and which point of it
            + (CUTS * SIDE + SIDE * 2 * (SIDE + 1) + CUTS * SIDE * (1 + 2 * 2))
            * WORD  # rows of both owners, up to and below
            + (CUTS * SIDE + SIDE * 3 * SIDE + CUTS * SIDE * (1 + 3)) * WORD  # both owners' rows of class 1, and risks
            + 72 * (COMPARED + 29)  # of two owners: 72 intervals
            + 25
            + (9 + 30) * WORD,
            2 * STEPS * (COMPARED_DEALT + WORD)
            + CUTS * (2 * (SIDE + 1) + (2 * 2 + 3 + 3) * SIDE) * WORD
            + 72 * (COMPARED_DEALT + 19)
            + 200 * WORD,
            {"m": M},
            owners=(2,),
        ),
        # of search and small cells, likewise
        View(owners=(2,), soak_from=2, secrets=_turned, sizes={"m": M}, words=100, shift=0.9, structure="by round"),
        examples=8,
        every=60,
        long=("correct", "faults"),
    ),
    "tenths of shared scores": Case(
        _shared_tenths,
        _shared_tenths_reference,
        [reals(("m",), scale=SCORE_SCALE, largest=20.0), integers(("m",), 0, 1)],
        1e-3,
        # with the histogram, which is most of it: the parts are checked elsewhere
        Cost(62, 97298, 67463, {"m": M}, owners=(2,)),
        View(owners=()),
        examples=5,
        every=200,
        long=("correct", "faults"),
    ),
}
