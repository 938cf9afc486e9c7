"""Scores of owners' new rows by a model that nobody sees, each opened to the rows' owner alone, rounded.

    z = x' w + b                                     shared_model.py
    score    floor(G sigma(z) + 1/2) / G             on the grid 0, 1/G, 2/G ... 1
    class    [z >= 0]

The rounding is under sharing (exact_floor.py): the owner gets the whole number and nothing below it. A score does
disclose something of the model: d + 1 exact ones are d + 1 linear equations for w and b (Tramer, Zhang, Juels,
Reiter, Ristenpart, "Stealing machine learning models via prediction APIs", USENIX Security 2016), and rounded ones are
as many inequalities. So the number of rows is limited elsewhere, by every owner that holds a share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import less_than
from protocols.core.exact_floor import floor
from protocols.core.selection import as_numbers, clamp
from protocols.evaluation.shared_model import check_rows, kept_scale, scores
from protocols.functions.logistic_series import ANGLE_SCALE, SERIES_SCALE, logistic_parts
from protocols.rows.kept_model import SharedModel
from protocols.rows.limits import X_SCALE

_SATURATED_BITS = 4  # logistic_series.LARGEST, beyond which a score is 0 or 1 on any grid

FINEST = 1000
"""The steps of the finest grid: the series of sigma is right to 4e-5."""


def uncounted() -> None:
    """The `count` of a model without a limit on scores."""


@dataclass(frozen=True)
class PredictSettings:
    """All that is public about a scoring: the same at every party, the helper too.

    Args:
        rows: how many scores each owner gets; 0 for one that only holds its share, or another part of the rows.
        features: how many columns the model has, without the intercept.
        steps: of the grid, 1 / grid; None for classes.
        split: whether every owner has other columns of the rows (columns_job.py), or its own rows whole.
    """

    owners: tuple[str, ...]
    helper: str
    rows: tuple[int, ...]
    features: int
    steps: int | None
    split: bool = False


@dataclass(frozen=True)
class NewRows:
    """One owner's share of the model and its own new rows (m, d), float64, in the features' own units.

    `count` notes all owners' rows as scored, and raises an error where this owner does not allow it. It is called
    just before the scores are opened.
    """

    model: SharedModel
    names: tuple[str, ...]
    x: Array
    count: Callable[[], None] = field(default=uncounted, repr=False)


async def predict_job(p: Party, own: NewRows | None, settings: PredictSettings) -> Array | None:
    """This owner's scores (m,) on the grid, or classes 0 and 1. A dry party has neither rows nor a share.

    19 rounds, or 10 for classes. Reveals to each owner its rows' rounded scores; all else under uniform masks.

    Raises:
        DataError: a row has values that fixed point cannot hold.
        BeaverlodgeError: what `count` raises; then nothing was opened, and this owner's share of no score was sent.
    """
    p.stage("sharing")
    if own is not None:
        check_rows(p.name, own.x, own.model.units, own.names, "the new rows")
    x = _input_rows(p, own, settings)
    if own is None:
        return await opened_scores(p, x, blank_weights(settings), settings, uncounted)
    return await opened_scores(p, x, own.model.weights, settings, own.count)


def blank_weights(settings: PredictSettings) -> Share:
    """The weights of a dry party."""
    return Share(abstract((settings.features + 1,)), kept_scale(settings.features))


async def opened_scores(
    p: Party, x: Share, w: Share, settings: PredictSettings, count: Callable[[], None]
) -> Array | None:
    """This owner's part of the scores of rows x (m, d) at X_SCALE by kept weights w; `count` comes before they open.

    19 rounds, or 10 for classes. Reveals to each owner as many scores as `settings.rows` says, in the rows' order.
    """
    p.stage("scores")
    z = await scores(p, x, w)
    found = await (_classes(p, z) if settings.steps is None else _rounded(p, z, settings.steps))
    p.stage("opening")
    count()
    mine = await p.reveal_to_each(
        _by_owner(found, settings),
        what="classes" if settings.steps is None else "scores",
        why=_why(settings),
        label="scores",
    )
    p.stage("done")
    return None if p.dry else mine.real() / (settings.steps or 1)


async def _rounded(p: Party, z: Share, steps: int) -> Share:
    """[floor(G sigma(z) + 1/2)] (m,), of which no bit after the point is set. 17 rounds; reveals masked values only."""
    within = await clamp(p, z, _SATURATED_BITS)
    angle = within.shifted(ANGLE_SCALE - z.scale).at_scale(ANGLE_SCALE)
    sigma = (await logistic_parts(p, angle))[0]
    grown = p.constant(steps, (1,)) * sigma
    half = Public(np.array([(steps + 1) << (SERIES_SCALE - 1)], dtype=np.uint64), SERIES_SCALE)  # G / 2 + 1 / 2
    return await floor(p, p.plus(grown, half), SERIES_SCALE)


async def _classes(p: Party, z: Share) -> Share:
    """[z >= 0] (m,) at scale 0. 8 rounds; reveals masked values and bits only."""
    nothing = Share(np.zeros(z.shape, dtype=np.uint64), z.scale)
    says_no = await as_numbers(p, await less_than(p, z, nothing))
    return p.plus(Share(np.uint64(0) - says_no.value), p.constant(1, (1,)))


def _by_owner(found: Share, settings: PredictSettings) -> dict[str, Share]:
    ends = accumulate(settings.rows)
    return {
        owner: found[end - rows : end] for owner, rows, end in zip(settings.owners, settings.rows, ends, strict=True)
    }


def _why(settings: PredictSettings) -> str:
    what = "classes" if settings.steps is None else f"scores, rounded to 1/{settings.steps}"
    if settings.split:
        return f"the agreed result: the {what}, of rows that all owners have parts of, to this owner alone"
    return f"the agreed result: the {what}, of this owner's own rows, to it alone"


def _input_rows(p: Party, own: NewRows | None, settings: PredictSettings) -> Share:
    """All owners' standardised rows, one owner's after another's (m, d)."""
    d = settings.features
    words = None if own is None else encode(own.model.units.apply(own.x), X_SCALE)
    parts = [
        p.input(owner, words if owner == p.name else None, (rows, d), X_SCALE).value
        for owner, rows in zip(settings.owners, settings.rows, strict=True)
    ]
    x = Share(np.concatenate(parts), X_SCALE)
    return x if own is None else x - own.model.units.shift
