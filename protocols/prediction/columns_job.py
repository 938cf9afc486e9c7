"""New rows of which every owner has other columns, scored by a model that nobody sees; the scores go to one owner.

    z = sum_i x_i' w_i + b        x_i' = (x_i - mean_i) / scale_i, by the numbers that owner i kept of its columns

The rest is rows_job.py's. The one owner chooses its x_i: so a score is an equation for w_i and for what the others'
columns add, sum_j x_j' w_j + b. With x_i' = 0 the score is that number, one for each row; and d_i + 1 scores of one row
disclose w_i as well. So rows count as if one owner had them whole, and by the same limit: fewer scores than the model
has columns do not determine the model, whatever anybody knows of the others' columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.alignment import check_aligned
from protocols.evaluation.shared_model import check_rows
from protocols.prediction.rows_job import PredictSettings, blank_weights, opened_scores, uncounted
from protocols.rows.kept_model import SharedModel
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import DIGEST_BITS
from protocols.scaling.own_columns import side_by_side


@dataclass(frozen=True)
class NewColumns:
    """One owner's share of the model and its own columns x (m, d_i) of the new rows, float64, in their own units.

    Args:
        names: each owner's columns, by owner in the model's order.
        x: rows in the order that all owners agree on.
        ids: a keyed digest of the rows' ids in order, as bits (alignment.DIGEST_BITS,).
        count: as in predict.NewRows.
    """

    model: SharedModel
    names: Mapping[str, tuple[str, ...]]
    x: Array = field(repr=False)
    ids: Array = field(repr=False)
    count: Callable[[], None] = field(default=uncounted, repr=False)


async def vertical_predict_job(p: Party, own: NewColumns | None, settings: PredictSettings) -> Array | None:
    """The scores (m,) on the grid, or classes 0 and 1, in the rows' order, at the one owner that gets them.

    A dry party has neither columns nor a share. 21 rounds, or 12 for classes. Reveals whether all owners' ids are the
    same, and to one owner the rounded scores; all else under uniform masks. Means and scales stay with their columns.

    Raises:
        DataError: the owners' ids differ; or a row has values that fixed point cannot hold.
        BeaverlodgeError: what `count` raises; then nothing was opened, and this owner's share of no score was sent.
    """
    p.stage("alignment")
    await check_aligned(p, abstract((DIGEST_BITS,)) if own is None else own.ids)
    p.stage("sharing")
    rows = sum(settings.rows)
    if own is None:
        x, w = Share(abstract((rows, settings.features)), X_SCALE), blank_weights(settings)
        return await opened_scores(p, x, w, settings, uncounted)
    units, mine = own.model.units, own.names[p.name]
    check_rows(p.name, own.x, units, mine, "the new rows", len(p.owners))
    x = side_by_side(p, encode(units.apply(own.x), X_SCALE), own.names, rows)
    return await opened_scores(p, x, own.model.weights, settings, own.count)
