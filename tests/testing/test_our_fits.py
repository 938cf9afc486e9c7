"""What stands beside a fit, under all four checks: weights, the model without features, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own, reals
from protocols.calibration import GROUPS, STEP, calibrate, cells_of
from protocols.evaluation.weighted_likelihood import vertical_likelihoods, weighted_loss
from protocols.inference_twin import null_log_likelihood
from protocols.metrics import Scored
from protocols.null_model import STEP as INTERCEPT_STEP
from protocols.null_model import excess, null_intercept
from protocols.rows.offset_weights import NOTHING_BESIDE, Beside
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.rows.results import Calibration
from protocols.shared_calibration import calibrate_shared
from protocols.shared_histogram import BINS
from protocols.shared_scores import SCORE_SCALE, SharedScores, evaluate_with_histograms, upper_edges
from protocols.training_settings import TrainingSettings
from tests.protocols.test_calibration import plainly_joined
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

WORD = 8
SCALE = 8
M = 3
CUTS, SIDE = GROUPS - 1, 128  # rows and columns of the 2^14 points
STEPS = CUTS * (SIDE - 1)
COMPARED, DEALT = WORD + 29, WORD + 19  # bytes of a comparison of two numbers

# -- each row's loss times its count


def _loss_twin(z: Array, c: Array, cy: Array) -> Array:
    return np.array([np.sum(c * np.logaddexp(0, z) - cy * z)])


async def _likelihoods(p: Party, parts: Array, counts: Array, labels: Array) -> Any:
    """Of scores that are the sum of the owners' parts; the first owner has counts and labels."""
    m = parts.shape[0]
    how = TrainingSettings(p.owners, "helper", (m,), (0,), 1, 1, 1, 1, 1.0, 0.0, None, True, True, weighted=True)
    beside, y = NOTHING_BESIDE, labels[:0]
    if p.index == 0 and not p.dry:
        beside, y = Beside(None, np.abs(decode(counts, SCALE))), labels.astype(np.float64)
    own_columns = OwnColumns({}, p.owners[0], parts, y, parts, y, np.zeros(DIGEST_BITS, np.uint8), beside)
    z = Share(parts, SCORE_SCALE)
    found = await vertical_likelihoods(p, SharedScores(z, z, z), own_columns, 4.0, how)
    return None if found is None else np.array([found[0].loss, found[0].null_loss or 0.0, found[1]])


def _likelihoods_twin(parts: tuple[Array, ...], counts: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
    c, y, z = np.abs(counts[0]), labels[0], np.sum(parts, axis=0)
    null = -null_log_likelihood(y, counts=c)
    return np.array([np.sum(c * (np.logaddexp(0, z) - y * z)), max(null, 0.0), c.sum()])


# -- the intercept that fits best beside offsets


async def _null(p: Party, offsets: Array, labels: Array) -> Any:
    mine = (labels, NOTHING_BESIDE) if p.dry else (labels.astype(np.float64), Beside(decode(offsets, SCALE)))
    return await null_intercept(p, *mine)


def _null_twin(offsets: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
    """The least point at which the owners' functions, each rounded, add up to 0 or more, by bisection."""
    low, high = 0, 1 << 24
    while low < high:
        middle = (low + high) // 2
        at = np.array([middle * INTERCEPT_STEP - 512.0])
        both = zip(labels, offsets, strict=True)
        if sum(np.rint(2.0**20 * excess(y, Beside(o), at))[0] for y, o in both) >= 0:
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


def _tenths_twin(scores: tuple[Array, ...], labels: tuple[Array, ...]) -> Array:
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


def _shared_tenths_twin(z: Array, y: Array) -> Array:
    bins = np.searchsorted(upper_edges(np.arange(BINS), 1 << 60), np.rint(z * 2.0**SCORE_SCALE), side="right")
    return _table([bins], [y], [1 / (1 + np.exp(-z))])


def _turned(n: int) -> Secrets:
    """Each owner in turn has its rows in another order."""
    scores = [[1.0, -2.0, 0.5]] * n
    labels = [[0, 1, 1]] * n
    found = []
    for k in range(n):
        other = [one[::-1] if i == k else one for i, one in enumerate(scores)]
        found.append(([scores, labels], [other, [one[::-1] if i == k else one for i, one in enumerate(labels)]]))
    return found


SCORES, LABELS = own(reals(("m",), scale=SCALE, largest=4.0)), own(integers(("m",), 0, 1))
OURS = {
    "weighted loss": Spoken(
        weighted_loss,
        _loss_twin,
        [reals(("m",), scale=SCORE_SCALE, largest=60.0), *[reals(("m",), scale=14, largest=1.0)] * 2],
        lambda z, c, cy: 5e-5 * len(z),
        11,
        2 * M * (COMPARED + WORD) + 1 + M * 6 * WORD,
        2 * M * (DEALT + 2 * WORD) + M * (48 + 2) * WORD + 2 * WORD,
        {"m": M},
        view_sizes={"m": 2},
        structure_sizes={"m": 1},
        words=120,
        shift=0.9,
        examples=10,
        every=40,
    ),
    "likelihoods": Spoken(
        _likelihoods,
        _likelihoods_twin,
        [own(reals(("m",), scale=SCORE_SCALE, largest=20.0)), own(reals(("m",), scale=SCALE, largest=3.0)), LABELS],
        2e-3,
        12,
        2 * M * (COMPARED + WORD) + 1 + (M * 6 + 3) * WORD,
        2 * M * (DEALT + 2 * WORD) + M * (48 + 2) * WORD + 2 * WORD,
        {"m": M},
        cost_owners=(2,),
        examples=10,
        every=40,
    ),
    "null model": Spoken(
        _null,
        _null_twin,
        [SCORES, LABELS],
        0.0,
        48,
        6 * (15 * COMPARED + 2),
        6 * 15 * DEALT,
        {"m": M},
        cost_owners=(2,),
        secrets=_turned,
        view_sizes={"m": M},
        structure="by round",  # the search's masks are looked at in test_our_search.py
        words=100,
        shift=0.9,
        examples=10,
        every=60,
    ),
    "tenths": Spoken(
        _tenths,
        _tenths_twin,
        [SCORES, LABELS],
        1e-5,
        30,
        2 * (STEPS * COMPARED + -(-STEPS // 8))  # which row, and which point of it
        + (CUTS * SIDE + SIDE * 2 * (SIDE + 1) + CUTS * SIDE * (1 + 2 * 2))
        * WORD  # rows of both owners, up to and below
        + (CUTS * SIDE + SIDE * 3 * SIDE + CUTS * SIDE * (1 + 3)) * WORD  # both owners' rows of class 1, and risks
        + 72 * (WORD + 58)  # of two owners: 72 intervals
        + 25
        + (9 + 30) * WORD,
        2 * STEPS * (DEALT + WORD) + CUTS * (2 * (SIDE + 1) + (2 * 2 + 3 + 3) * SIDE) * WORD + (72 * 46) + 200 * WORD,
        {"m": M},
        cost_owners=(2,),
        secrets=_turned,
        view_sizes={"m": M},
        structure="by round",  # of search and small cells, likewise
        words=100,
        shift=0.9,
        examples=8,
        every=60,
    ),
    "tenths of shared scores": Spoken(
        _shared_tenths,
        _shared_tenths_twin,
        [reals(("m",), scale=SCORE_SCALE, largest=20.0), integers(("m",), 0, 1)],
        1e-3,
        62,
        97298,  # with the histogram, which is most of it: the parts are checked elsewhere
        67463,
        {"m": M},
        cost_owners=(2,),
        examples=5,
        every=200,
    ),
}
LONG = ("tenths of shared scores", "tenths")
every_one = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.soak) if name in LONG else name for name in OURS]
)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@pytest.mark.parametrize("name", OURS)
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in OURS if OURS[name].words is not None])
def test_view(name: str) -> None:
    """Of what opens a number that follows from the secret, no two secrets have the same but by chance."""
    hold_to_view(OURS[name], 2)


@pytest.mark.soak
@pytest.mark.parametrize("name", OURS)
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
