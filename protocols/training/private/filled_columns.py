"""Columns of the same rows, scaled to agreed ranges and lengths, shared, and filled up to an agreed number of rows.

Rows that fill up are zeros throughout, their 1 for the intercept and their label too: they add nothing to a gradient.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import InternalError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.rows.own_rows import OwnColumns
from protocols.scaling.own_columns import side_by_side
from protocols.training.private.clipped_gradients import FINE, Ranges

_ROUNDING: Final = 1 - 2.0**-40


def filled_columns(
    p: Party,
    own: OwnColumns | None,
    ranges: Ranges,
    widths: tuple[int, ...],
    rows: int,
    squared: int,
    scale: int,
) -> tuple[Share, Share]:
    """All owners' features and a last column of ones (rows, d + 1) at `scale`, and the labels (rows,). 0 rounds.

    Args:
        own: of an owner; None of a dry party.
        ranges: of all features, one owner's after another's, of which each has as many as `widths` says.
        squared: the most that a row's sum of squares may be, in whole numbers at `scale`, that of its 1 with it.
    """

    def words() -> Array:
        assert own is not None
        return filled_up(own_part(own.x_train, p.index, ranges, widths, squared, scale), rows)

    names, target = ({}, p.name) if own is None else (own.names, own.target_owner)
    ours = own if own is not None and target == p.name else None
    present = None if ours is None else filled_up(ones(len(ours.y_train), scale), rows)
    labels = None if ours is None else filled_up(as_labels(ours.y_train), rows)
    x = side_by_side(p, p.compute(words, shape=(rows, sum(widths))), names, rows, scale)
    beside = p.input(target, present, (rows,), scale)
    y = p.input(target, labels, (rows,), 0)
    return Share(np.concatenate((x.value, beside.value.reshape(-1, 1)), axis=1), scale), y


def own_part(
    x: NDArray[np.float64], owner: int, ranges: Ranges, widths: tuple[int, ...], squared: int, scale: int
) -> Array:
    """An owner's features (m, k) as it shares them: in range, and each row as short as its part may be.

    Arguments as of `filled_columns`, and which owner it is.
    """
    before = sum(widths[:owner])
    mine = Ranges(ranges.each[before : before + widths[owner]])
    return scaled_rows(in_range(x, mine), parts_of_norm(squared, scale, widths)[owner], scale)


def rows_in_one_place(
    x: NDArray[np.float64], ranges: Ranges, widths: tuple[int, ...], squared: int, scale: int
) -> NDArray[np.float64]:
    """Rows (m, d + 1) as the owners share them, in the clear, from all owners' features (m, d)."""
    columns = np.split(x, np.cumsum(widths)[:-1], axis=1)
    parts = [own_part(one, k, ranges, widths, squared, scale) for k, one in enumerate(columns)]
    return np.column_stack([*(words.view(np.int64) / 2.0**scale for words in parts), np.ones(len(x))])


def scaled_rows(u: NDArray[np.float64], squared: int, scale: int) -> Array:
    """Rows (m, k) at `scale` as words, each with a sum of squares of at most `squared` in these whole numbers.

    Each row is scaled down by itself if it is longer, and rounded towards 0. The test is in whole numbers, so that no
    rounding makes a row too long.
    """
    length = np.sqrt((u * u).sum(axis=1, keepdims=True)) * 2.0**scale
    limit = np.sqrt(float(squared)) * _ROUNDING
    longest = np.maximum(length, max(limit, 1.0))  # no division of 0 by 0
    whole: NDArray[np.int64] = np.trunc(u * (2.0**scale * limit / longest)).astype(np.int64)
    whole[(whole * whole).sum(axis=1) > squared] = 0
    return whole.view(np.uint64)


def parts_of_norm(squared: int, scale: int, columns: tuple[int, ...]) -> tuple[int, ...]:
    """The N_k^2 of owners with so many columns each, in whole numbers at `scale`: in proportion to these."""
    return tuple((squared - 4**scale) * own // sum(columns) for own in columns)


def in_range(x: NDArray[np.float64], ranges: Ranges) -> NDArray[np.float64]:
    """Each feature (m, d) in [-1, 1], without the 1 for the intercept."""
    u: NDArray[np.float64] = ranges.whole_rows(x)[:, :-1] / 2.0**FINE
    return u


def filled_up(words: Array, rows: int) -> Array:
    """Words (m, ...) with rows of zeros after them, `rows` in all."""
    if len(words) > rows:
        raise InternalError(f"{len(words)} rows are more than {rows}", "please report this as a bug")
    found = np.zeros((rows, *words.shape[1:]), dtype=np.uint64)
    found[: len(words)] = words
    return found


def ones(rows: int, scale: int) -> Array:
    """A 1 at `scale` for each row that a patient has."""
    found: Array = np.full(rows, 1 << scale, dtype=np.uint64)
    return found


def as_labels(y: NDArray[np.float64]) -> Array:
    """Labels 0 and 1 as words."""
    words: Array = (y != 0).astype(np.uint64)
    return words
