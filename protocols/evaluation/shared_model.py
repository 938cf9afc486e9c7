"""A model that nobody sees: each owner keeps a share of its weights, and metrics come from shared scores.

    z = x' w + b        x' = (x - mean) / scale - [shift]        x' shared (or its owner's), w and b shared

The weights are kept at a scale that depends on the number of features alone, so that whoever plans a later scoring
needs to know no more of the training. With |x'_j| <= 2^10, sum_j |x'_j| <= 2^10 min(d, 2^7) and |w_j| <= 2^13 (which
one declared bit confirms) no score leaves the ring.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mpc.errors import DataError, ProtocolError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul
from protocols.core.comparison import any_set, outside
from protocols.core.selection import clamp
from protocols.core.truncation import truncate
from protocols.evaluation.shared_scores import CHUNK, SCORE_BITS, SCORE_SCALE, SharedScores, evaluate_shared
from protocols.rows.kept_model import Units
from protocols.rows.limits import X_LIMIT, X_SCALE

KEPT_LIMIT = 8192.0
"""The largest weight in standardised units: twice the limit of a training's steps."""

_WIDE = 128  # from so many features on, a row's values are bounded together
_RATIO_BITS = 20
_COARSE = 20  # bits that a sum of scores loses before it is divided


def kept_scale(features: int) -> int:
    """Fractional bits of a kept model's weights: 24 for one feature, 17 for many."""
    return 24 - math.ceil(math.log2(min(features, _WIDE)))


async def keep(p: Party, w: Share, *, limit: float = KEPT_LIMIT) -> Share:
    """[w] (d + 1,) as it is kept: at scale `kept_scale(d)`, in shares that are independent of all that was sent.

    |w| < 2^62 in ring units. 10 rounds; reveals one declared bit, whether all |w| <= `limit`, and masked values.

    Raises:
        ProtocolError: a weight is larger; nothing else is opened then.
    """
    scale = kept_scale(w.shape[0] - 1)
    low = await truncate(p, w, w.scale - scale) if w.scale > scale else w.shifted(scale - w.scale).at_scale(scale)
    high = np.full(low.shape, round(limit * 2.0**scale), dtype=np.int64)
    word = await any_set(
        p,
        await outside(p, low, -high, high, label="kept weights"),
        what="range check",
        why="one bit: zero if every weight is small enough to be scored by, else a random word",
    )
    p.insist_jointly(
        lambda: not word.value.any(),
        lambda: ProtocolError(f"a weight passed {limit:g}: the model stays hidden", "raise l2, or lower learning_rate"),
    )
    return p.refreshed(low)


async def scores(p: Party, x: Share, w: Share) -> Share:
    """[z] (m,) at scale X_SCALE + w.scale, for rows x (m, d) at X_SCALE and kept weights w (d + 1,).

    1 round for each 2^14 rows; reveals rows and weights under uniform masks.
    """
    rows = x.shape[0]
    parts = [await matmul(p, x[start : start + CHUNK], w[:-1], label="scores") for start in range(0, rows, CHUNK)]
    z = Share(np.concatenate([part.value for part in parts]), X_SCALE + w.scale)
    return z + w[-1:].shifted(X_SCALE).at_scale(z.scale)


async def evaluate_kept(p: Party, w: Share, sets: dict[str, tuple[Share, Share]]) -> dict[str, dict[str, Any]]:
    """Pooled metrics of each named set of rows x (m, d) at X_SCALE and labels y (m,), as `metrics.evaluate` gives them.

    34 rounds, and as many for each further 2^14 rows. Reveals what `metrics.evaluate` does, for each set six sums and
    the AUC's numerator: no weight and no score. Scores beyond 2^36 / m are taken for that.
    """
    sets = {name: rows for name, rows in sets.items() if rows[0].shape[0]}
    scored = await together(*(_scored(p, x, y, w) for x, y in sets.values()))
    return await evaluate_shared(p, dict(zip(sets, scored, strict=True)))


async def _scored(p: Party, x: Share, y: Share, w: Share) -> SharedScores:
    """12 rounds; reveals masked values and bits only."""
    (rows, _), whole = x.shape, await scores(p, x, w)
    cut = await truncate(p, whole, whole.scale - SCORE_SCALE)
    furthest = SCORE_BITS - 1 - _bits(rows)
    parts = [await clamp(p, cut[start : start + CHUNK], furthest) for start in range(0, rows, CHUNK)]
    z = Share(np.concatenate([part.value for part in parts]), SCORE_SCALE)
    return SharedScores(z, z - await _mean(p, z), y)


async def _mean(p: Party, z: Share) -> Share:
    """[sum_i z_i / m] (1,), where all z together are below 2^36. 2 rounds; reveals masked values."""
    (rows,) = z.shape
    total = await truncate(p, z.sum(), _COARSE)
    more = _bits(rows)
    ratio = Public(np.array([((2 << (_RATIO_BITS + more)) // rows + 1) >> 1], dtype=np.uint64), _RATIO_BITS + more)
    fine = total * ratio  # at SCORE_SCALE + more: _COARSE is _RATIO_BITS
    return await truncate(p, fine, more) if more else fine


def _bits(rows: int) -> int:
    return (rows - 1).bit_length()


def check_rows(owner: str, x: Array, units: Units, names: tuple[str, ...], what: str, owners: int = 1) -> bool:
    """True if an owner's rows x (m, d), in their own units, cannot carry a score out of the ring.

    `owners`: how many have other columns of the same rows.

    Raises:
        DataError: one might; says how many rows, and the column that lies furthest off.
    """
    reach = np.abs(x - units.centre) / units.scale + units.slack
    most = X_LIMIT * min(len(names), _WIDE // owners)
    wrong = ~((reach <= X_LIMIT).all(axis=1) & (reach.sum(axis=1) <= most))
    if wrong.any():
        column = names[int(np.argmax(reach[wrong].max(axis=0)))]
        raise DataError(
            f"{owner}: {int(wrong.sum())} of {what} have values too far from the others', in column {column} above all",
            "look for wrong values (a wrong unit, a placeholder such as 1e30)",
            party=owner,
        )
    return True


def check_wide_rows(owner: str, x: Array, names: tuple[str, ...], owners: int = 1) -> bool:
    """As `check_rows`, of training rows as they entered the training, where no value is beyond X_LIMIT already."""
    if len(names) * owners <= _WIDE:
        return True
    plain = Units.known(np.zeros(x.shape[1]), np.ones(x.shape[1]))
    return check_rows(owner, x, plain, names, "the training rows", owners)
