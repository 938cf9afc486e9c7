"""The job of a logistic regression by output or objective perturbation: from rows, or columns, to the noisy model.

Nothing about the data is told but the noisy weights, and where columns are split whether the owners' ids are the same.
All sizes are agreed: each owner's rows (or the rows that all have) are filled up to `rows` by rows of zeros, whose 1
for the intercept is 0, too. They add nothing to any gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.alignment import check_aligned
from protocols.core.stacked import Stacked
from protocols.privacy.noisy_sum import own_noise
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, joint_names
from protocols.rows.results import Trained
from protocols.training.private.bounds import Perturbed
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.filled_columns import as_labels, filled_columns, filled_up, ones, own_part
from protocols.training.private.perturbed import perturbed_weights


@dataclass(frozen=True)
class PerturbedSettings:
    """All that is public about a run.

    Args:
        partition: "horizontal": every owner has rows of its own; "vertical": every owner has columns of its own.
        ranges: of all features; where columns are split, of one owner's after another's.
        widths: how many features each owner has, where columns are split; else all, once.
        rows: the most that an owner may have; where columns are split, all owners.
        how: the training and its noise.
    """

    owners: tuple[str, ...]
    helper: str
    partition: Literal["horizontal", "vertical"]
    ranges: Ranges
    widths: tuple[int, ...]
    rows: int
    how: Perturbed

    @property
    def features(self) -> int:
        """How many there are, without the intercept."""
        return sum(self.widths)


@dataclass(frozen=True)
class LabelledRows:
    """An owner's rows (m, d), float64, and labels 0/1 (m,)."""

    names: tuple[str, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64]


async def perturbed_rows_job(
    p: Party, own: LabelledRows | None, stream: Stream | None, settings: PerturbedSettings
) -> Trained | None:
    """The noisy model of all owners' rows; None of a dry party, which has no rows.

    Reveals the noisy weights alone: see perturbed.py.

    Args:
        stream: this owner's own randomness, which nobody else has; used up.
    """
    p.stage("sharing")
    how, most = settings.how, settings.rows

    def words() -> Array:
        assert own is not None
        features = own_part(own.x, 0, settings.ranges, settings.widths, how.squared_norm, how.x_scale)
        return filled_up(np.column_stack((features, ones(len(own.x), how.x_scale))), most)

    def given() -> Array:
        assert own is not None
        return filled_up(as_labels(own.y), most)

    rows, labels = p.compute(words, shape=(most, how.columns)), p.compute(given, shape=(most,))
    sizes = (most,) * len(p.owners)
    x, y = Stacked(Share(rows, how.x_scale), sizes, p.index), Stacked(Share(labels), sizes, p.index).share
    opened = await perturbed_weights(p, x, y, *_own_noise(p, stream, how))
    p.stage("done")
    return None if own is None else _trained(own.names, opened, settings)


async def perturbed_columns_job(
    p: Party, own: OwnColumns | None, stream: Stream | None, settings: PerturbedSettings
) -> Trained | None:
    """The noisy model of all owners' columns of the same rows, in which all of `own` are trained on; as above.

    Reveals whether all owners' ids are the same, and the noisy weights.

    Raises:
        DataError: the owners' ids differ.
    """
    how, most = settings.how, settings.rows
    p.stage("alignment")
    await check_aligned(p, abstract((DIGEST_BITS,)) if own is None else own.ids)
    p.stage("sharing")
    x, y = filled_columns(p, own, settings.ranges, settings.widths, most, how.squared_norm, how.x_scale)
    opened = await perturbed_weights(p, x, y, *_own_noise(p, stream, how))
    p.stage("done")
    return None if own is None else _trained(joint_names(own.names), opened, settings)


def _own_noise(p: Party, stream: Stream | None, how: Perturbed) -> tuple[Array, Perturbed, Array | None]:
    """The noise of the result, how, and the objective's, if it has some."""
    told = own_noise(p, how.noise, stream, how.columns)
    linear = None if how.linear is None else own_noise(p, how.linear.noise, stream, how.columns)
    return told, how, linear


def _trained(names: tuple[str, ...], opened: Public, settings: PerturbedSettings) -> Trained:
    """The model in the features' own units, from that of scaled ones."""
    scaled = opened.value.view(np.int64) / 2.0**settings.how.grid
    weights, intercept = settings.ranges.in_own_units(scaled)
    return Trained(names, weights, intercept, tuple(scaled.tolist()), None)
