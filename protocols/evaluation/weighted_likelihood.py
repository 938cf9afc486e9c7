"""The log-likelihood of a model on weighted rows whose scores and weights are shared."""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.selection import maximum
from protocols.core.truncation import truncate
from protocols.evaluation.metrics import SUM_SCALE
from protocols.evaluation.null_model import null_log_likelihood
from protocols.evaluation.shared_scores import SCORE_SCALE, SharedScores
from protocols.functions.logistic_series import ANGLE_SCALE, LARGEST, SERIES_SCALE, logistic_parts
from protocols.rows.own_rows import OwnColumns
from protocols.rows.results import FitLosses
from protocols.rows.settings import TrainingSettings
from protocols.scaling.own_columns import entered

_COUNT_SCALE = 14  # of counts in the log-likelihood: whole ones up to 2^14 are exact
_LOSS_BITS = 62 - SCORE_SCALE - _COUNT_SCALE  # all losses and scores together are below 2^24


async def vertical_likelihoods(
    p: Party, scored: SharedScores, own: OwnColumns, unit: float, settings: TrainingSettings
) -> tuple[FitLosses, float] | None:
    """The log-likelihoods of the model and of the intercept alone, and the sum of the rows' weights.

    12 rounds, for each row's loss has to be multiplied by its count; reveals these three numbers. None in a dry run.
    """
    (rows,) = settings.train_rows
    offset_weights = own.offset_weights_train
    # An owner's share of the scores is what its own columns make of them.
    p.insist(
        lambda: check_losses(p.name, decode(scored.z.value, SCORE_SCALE), len(p.owners)),
        lambda: DataError("a loss does not fit"),
    )
    counts = np.ones(len(own.y_train)) if offset_weights.counts is None else offset_weights.counts
    c = entered(p, own, counts / unit, (rows,), _COUNT_SCALE)
    cy = entered(p, own, counts / unit * own.y_train, (rows,), _COUNT_SCALE) if not p.dry else c
    loss = await weighted_loss(p, scored.z, c, cy)
    known = np.zeros(2)
    if own.target_owner == p.name and not p.dry:
        null = null_log_likelihood(own.y_train, offset=offset_weights.offset, counts=counts)
        known = np.array([-null, counts.sum()])
    alone = entered(p, own, known, (2,), SUM_SCALE)
    why = "how well the model explains the classes: its log-likelihood, that of the intercept alone, the sum of weights"
    disclosed, others = await p.reveal(loss, alone, what="log-likelihood", why=why, label="log-likelihood")
    if p.dry:
        return None
    null_loss, weight = map(float, others.real())
    return FitLosses(float(disclosed.real()[0]) * unit, null_loss if null_loss > 0 else None), weight


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
    """Check that the weighted sum of all losses stays in the ring, by the distance of an owner's parts from their mean.

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
