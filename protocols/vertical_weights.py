"""Offsets and weights of rows that all owners have: both are known to the owner of the labels, and to nobody else.

The maximum-likelihood fit's are here; for weighted least squares see weighted_columns.py.

The other owners scale their columns without knowing how often a row counts. So counts are divided by a power of two
that is no smaller than any of them, and all bounds of unweighted rows hold. The fit without features needs nothing of
the other owners: the labels' owner finds it by itself, and only its log-likelihood is opened.
"""

from __future__ import annotations

import math

import numpy as np

from mpc.array import Array
from mpc.errors import DataError
from mpc.fixed import decode, encode
from mpc.party import Party
from mpc.ring import Z64
from mpc.round import together
from mpc.share import Public, Share
from protocols.beaver import matmul
from protocols.inference_table import Sums
from protocols.inference_twin import null_log_likelihood
from protocols.logistic_series import ANGLE_SCALE, LARGEST, SERIES_SCALE, logistic_parts
from protocols.metrics import SUM_SCALE
from protocols.row_weights import check_mean
from protocols.selection import maximum
from protocols.shared_scores import SCORE_SCALE, SharedScores
from protocols.training_settings import OwnColumns, TrainingSettings
from protocols.truncation import truncate

MOST_UNEQUAL = 256.0  # the largest count over the mean: as much smaller is the least eigenvalue that is told from 0
_COUNT_SCALE = 14  # of counts in the log-likelihood: whole ones up to 2^14 are exact
_LOSS_BITS = 62 - SCORE_SCALE - _COUNT_SCALE  # all losses and scores together are below 2^24


def entered(p: Party, own: OwnColumns, values: Array | None, shape: tuple[int, ...], scale: int) -> Share:
    """What the labels' owner has of each row, shared. 0 rounds."""
    mine = own.target_owner == p.name and not p.dry
    return p.input(own.target_owner, encode(np.asarray(values), scale) if mine else None, shape, scale)


async def largest_weight(p: Party, own: OwnColumns, settings: TrainingSettings) -> float:
    """A power of two that no row's count is above. 0 rounds without weights; else 1, which reveals it.

    Raises:
        DataError: (at the owner of the counts) they are 0, too large on average, or too unequal.
    """
    if not settings.weighted:
        return 1.0
    largest = None
    if own.target_owner == p.name and not p.dry:
        counts = np.asarray(own.beside_train.counts)
        check_mean(float(counts.mean()))
        check_equal(
            p.name, counts, "split a row that counts so much into several, at all owners, with ids of their own"
        )
        largest = float(counts.max())
    return await told_power(p, own, largest, "the weights are divided by it: a power of two, as its exponent")


async def told_power(p: Party, own: OwnColumns, number: float | None, why: str) -> float:
    """A power of two that the number, which the target's owner has, is not above. 1 round, which reveals it."""
    exponent = None
    if number is not None:
        exponent = np.array([math.ceil(math.log2(number))], dtype=np.int64).view(np.uint64)
    share = p.input(own.target_owner, exponent, (1,), 0)
    (told,) = await p.reveal(share, what="largest weight", why=why, label="largest weight")
    return 1.0 if p.dry else 2.0 ** int(Z64.centred(told.value)[0])


def check_equal(owner: str, counts: Array, hint: str) -> None:
    """Counts that do not differ too much.

    Raises:
        DataError: one does from their mean.
    """
    if counts.max() > MOST_UNEQUAL * counts.mean():
        raise DataError(
            f"{owner}: the largest weight is more than {MOST_UNEQUAL:g} times what weights are on average",
            hint,
            party=owner,
        )


async def vertical_likelihoods(
    p: Party, scored: SharedScores, own: OwnColumns, unit: float, settings: TrainingSettings
) -> tuple[Sums, float] | None:
    """The log-likelihoods of the model and of the intercept alone, and how often all rows count together.

    12 rounds, for each row's loss has to be multiplied by its count; reveals these three numbers. None in a dry run.
    """
    (rows,) = settings.train_rows
    beside = own.beside_train
    # An owner's share of the scores is what its own columns make of them.
    p.insist(
        lambda: check_losses(p.name, decode(scored.z.value, SCORE_SCALE), len(p.owners)),
        lambda: DataError("a loss does not fit"),
    )
    counts = np.ones(len(own.y_train)) if beside.counts is None else beside.counts
    c = entered(p, own, counts / unit, (rows,), _COUNT_SCALE)
    cy = entered(p, own, counts / unit * own.y_train, (rows,), _COUNT_SCALE) if not p.dry else c
    loss = await weighted_loss(p, scored.z, c, cy)
    known = np.zeros(2)
    if own.target_owner == p.name and not p.dry:
        null = null_log_likelihood(own.y_train, offset=beside.offset, counts=counts)
        known = np.array([-null, counts.sum()])
    alone = entered(p, own, known, (2,), SUM_SCALE)
    why = "how well the model explains the classes: its log-likelihood, that of the intercept alone, the sum of weights"
    told, others = await p.reveal(loss, alone, what="log-likelihood", why=why, label="log-likelihood")
    if p.dry:
        return None
    null_loss, weight = map(float, others.real())
    return Sums(float(told.real()[0]) * unit, null_loss if null_loss > 0 else None), weight


async def weighted_loss(p: Party, z: Share, c: Share, cy: Share) -> Share:
    """[sum_i c_i log(1 + e^z_i) - c_i y_i z_i] (1,), for scores z (m,) at SCORE_SCALE and counts at _COUNT_SCALE.

        log(1 + e^z) = log(1 + e^z') + max(z - 16, 0)      z' = max(z + 16, 0) - max(z - 16, 0) - 16

    within 1e-7. 11 rounds; reveals masked values and bits only.
    """
    (m,) = z.shape
    edge = p.constant(int(LARGEST) << SCORE_SCALE, (1,), SCORE_SCALE)
    below = Public(np.uint64(0) - edge.value, SCORE_SCALE)
    both = Share(np.concatenate((p.plus(z, edge).value, p.plus(z, below).value)), SCORE_SCALE)
    cut = await maximum(p, both, Share(np.zeros((2 * m,), dtype=np.uint64), SCORE_SCALE), label="loss/clamp")
    above = cut[m:]
    within = p.plus(cut[:m] - above, below)
    angle = within.shifted(ANGLE_SCALE - SCORE_SCALE).at_scale(ANGLE_SCALE)
    softplus = (await logistic_parts(p, angle, label="loss"))[2]
    half = within.shifted(SERIES_SCALE - SCORE_SCALE - 1).at_scale(SERIES_SCALE)
    lost = await truncate(p, softplus + half, SERIES_SCALE - SCORE_SCALE) + above
    first, second = await together(
        matmul(p, lost.reshape(1, m), c, label="loss/counts"), matmul(p, z.reshape(1, m), cy, label="loss/counts")
    )
    total: Share = first - second
    return total


def check_losses(owner: str, part: Array, owners: int) -> bool:
    """Whether the weighted sum of all rows' losses stays in the ring: how far an owner's parts are from their mean.

    Raises:
        DataError: they are further off, naming the owner.
    """
    if float(np.abs(part - part.mean()).sum()) > 2.0 ** (_LOSS_BITS - 1) / owners:
        raise DataError(
            f"{owner}: there are too many rows, or values too far from the others', for a weighted log-likelihood",
            'look for wrong values in this owner\'s columns, or leave "metrics" out of `reveal`',
            party=owner,
        )
    return True
