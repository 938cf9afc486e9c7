"""Test whether a model's columns have cells that are too small, before any number made of the rows is disclosed.

A cell (own_design.py) is small if for some owner j the others have 1 to m - 1 of its rows: owner j subtracts its own
part of any total. With two owners, the other one counts its cells in the clear. With three or more, cells that all
owners have a name for are counted together under sharing (small_cells.py). Each owner tests its other cells by itself,
which may find a cell small that is not small in all others' rows together.

Whether a column has few values is a property of each owner's rows. It enters as shares and is disclosed to nobody. An
owner with many values in a column has no small cell there, nor do the others have one for a third owner, since their
rows together have many values.

The test opens one bit for each column of the design, one for the target and one for all columns together; no bit is of
a single cell, value, class or owner. If one is set, nothing else is opened. A run that goes on shows that none is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mpc.errors import DataError
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.alignment import check_aligned
from protocols.core.beaver import matmul
from protocols.core.comparison import any_of, outside
from protocols.core.secure_sum import inputs, total_of
from protocols.disclosure.own_design import OwnDesign, plain, tested_cells
from protocols.disclosure.small_cells import small
from protocols.rows.blank import blank_columns
from protocols.rows.own_rows import OwnColumns, OwnRows, joint_names
from protocols.rows.settings import FitSettings

WHAT = "cells of the model"
_WHY = "a bit for each column, the target, all together: whether for some owner a cell of the others is too small"
_TWO_OWNERS = "; with two owners, each learns this of the other"
_UNTESTED = (
    ". Not tested: combinations of two owners' columns, nor a column of many values by the classes that another has"
)


async def check_design(p: Party, own: OwnRows, settings: FitSettings) -> None:
    """Stop if a cell of the model is small, where owners have rows of their own.

    0 rounds with min_cell = 1; else 2 of two owners and 9 of more; reveals what `small_columns` does.

    Raises:
        DataError: some cell is small; it names the columns.
    """
    if settings.min_cell == 1:
        return
    p.stage("small cells")
    mine = None if p.dry else _own_rows(own, settings)
    word = await small_columns(p, mine, settings.features, settings.min_cell, classes=settings.classes)
    p.insist_jointly(lambda: not word.value.any(), lambda: too_few(own.names, word, settings.min_cell))


async def small_columns(p: Party, mine: OwnDesign | None, columns: int, least: int, *, classes: bool) -> Public:
    """Test for small cells (columns + 2,): 0 or a uniform word for each column, the target, all columns together.

    2 rounds of two owners, and 9 of more; reveals masked values and bits (uniform), and the declared words.
    """
    owners = len(p.owners)
    apart = owners == 2
    width = columns + 2
    bits = inputs(p, None if mine is None else mine.alone(named=not apart), (width,), 0, B8)
    groups = [np.arange(owners) * width + k for k in range(width)]
    if not apart:
        cells = tested_cells(columns, classes=classes)
        size = cells.size
        parts = inputs(p, None if mine is None else mine.counts().astype(np.uint64), (size,), 0)
        bits.append(await small(p, parts, np.full(size, least, dtype=np.int64)))
        seen = owners * width + np.arange(owners)[:, np.newaxis] * size
        groups = [np.concatenate((group, (seen + each).reshape(-1))) for group, each in zip(groups, cells, strict=True)]
    every = Share(np.concatenate([one.value for one in bits]), 0, B8)
    return await any_of(p, every, groups, what=WHAT, why=_why(p))


@dataclass(frozen=True)
class Split:
    """The columns of each owner, where all owners have the same rows.

    Args:
        widths: how many columns each owner has, in the design's order.
        target_owner: who has the target.
        rows: how many there are.
        least: how many of a cell are not too few.
    """

    widths: Mapping[str, int]
    target_owner: str
    rows: int
    least: int


async def checked_columns(p: Party, own: OwnColumns | None, settings: FitSettings) -> OwnColumns:
    """This owner's columns (in a dry run, blank ones), once all owners' rows are the same and no cell is small.

    2 rounds, or 12 with min_cell above 1; reveals what `check_aligned` and `check_split_design` do.

    Raises:
        DataError: the owners' ids differ, or some cell is small.
    """
    own = own or blank_columns(p, settings)
    p.stage("alignment")
    await check_aligned(p, own.ids)
    await check_split_design(p, own, settings)
    return replace(own, made=None)


async def check_split_design(p: Party, own: OwnColumns, settings: FitSettings) -> None:
    """Stop if a cell of the model is small, where every owner has columns of its own of the same rows.

    Each owner tests its own columns by itself. Counts by classes that another owner has are tested for single columns,
    if a word has places for all of their values. Combinations of two owners' columns are not tested.

    0 rounds with min_cell = 1; else 10; reveals what `split_columns` does.

    Raises:
        DataError: some cell is small; it names the columns.
    """
    if settings.min_cell == 1:
        return
    p.stage("small cells")
    widths = {owner: len(names) for owner, names in own.names.items()}
    split = Split(widths, own.target_owner, settings.train_rows[0], settings.min_cell)
    mine = None if p.dry else _own_columns(p.name, own, settings)
    word = await split_columns(p, mine, own.offset_weights_train.counts, split)
    p.insist_jointly(lambda: not word.value.any(), lambda: too_few(joint_names(own.names), word, settings.min_cell))


async def split_columns(p: Party, mine: OwnDesign | None, weights: Array | None, split: Split) -> Public:
    """As `small_columns` (columns + 2,), of owners with columns of their own.

        n_lc = sum_i [column = l]_i [class = c]_i

    for the values l of each column and the classes c: a product of what two owners have, of all l at once, each in its
    place of one word. 10 rounds; reveals both factors less masks, masked values and bits (uniform), and the declared
    words. The combinations of an owner's columns are cells if no owner has a column of many values: with t_i for
    small ones of owner i and f_k for columns of few values alone at owner k, if t_i + sum_k f_k = n + 1.

    Args:
        mine: this owner's columns, and the target if it has it; all rows.
        weights: how much each row counts (rows,), where the target is; None where all count.
    """
    n, d = len(p.owners), sum(split.widths.values())
    width = split.rows.bit_length() + 1
    places, size = 64 // width, 2 * d * (64 // width)
    bits, together = (None, None) if mine is None else _alone(p.name, mine, weights, split)
    alone = [one.value for one in inputs(p, bits, (d + 1,), 0, B8)]
    entered = inputs(p, together, (2,), 0)
    values, classes = _entered(p, mine, weights, split, width)
    counts = await matmul(p, values.T, classes, label="cells/classes")
    each = [counts.shifted(64 - width * (place + 1)).reshape(2 * d).value for place in range(places)]
    everywhere = total_of([one[1:] for one in entered])
    compared = Share(np.concatenate([*each, *((one[:1] + everywhere).value for one in entered)]))
    unit, most = 1 << (64 - width), min(split.least, split.rows + 1)
    low = np.array([unit] * size + [n + 1] * n, dtype=np.int64)
    high = np.array([unit * most - 1] * size + [n + 1] * n, dtype=np.int64)
    outer = await outside(p, compared, low, high, label="cells/parts")
    few = p.plus(outer, Public(np.ones(size + n, dtype=np.uint8), 0, B8))
    groups = [np.arange(n) * (d + 1) + k for k in range(d + 1)]
    cells = n * (d + 1) + np.arange(size).reshape(places, d, 2)
    groups = [*(np.concatenate((groups[k], cells[:, k].reshape(-1))) for k in range(d)), groups[d]]
    groups.append(n * (d + 1) + size + np.arange(n))
    every = Share(np.concatenate([*alone, few.value]), 0, B8)
    return await any_of(p, every, groups, what=WHAT, why=_why(p) + _UNTESTED)


def _alone(name: str, mine: OwnDesign, weights: Array | None, split: Split) -> tuple[Array, Array]:
    """This owner's tests of its own columns, at their places among all columns, and of the target, bits (columns + 1,);
    of the columns' combinations, and whether all have few values (2,)."""
    counted = mine if weights is None else mine.at(weights > 0)
    *columns, target, together = counted.alone(named=False)
    found = np.zeros(sum(split.widths.values()) + 1, dtype=np.uint8)
    owners = list(split.widths)
    first = sum(split.widths[owner] for owner in owners[: owners.index(name)])
    found[first : first + len(columns)], found[-1] = columns, target
    return found, np.array([together, counted.of_few_values], dtype=np.uint64)


def _entered(p: Party, mine: OwnDesign | None, weights: Array | None, split: Split, width: int) -> tuple[Share, Share]:
    """All owners' columns as packed words (rows, columns), and which rows are of class 0 and of 1 (rows, 2)."""
    if mine is None:
        return (Share(abstract((split.rows, sum(split.widths.values())))), Share(abstract((split.rows, 2))))
    words, classes = mine.packed(width), None
    parts = [
        p.input(owner, words if owner == p.name else None, (split.rows, columns), 0).value
        for owner, columns in split.widths.items()
    ]
    if split.target_owner == p.name:
        counted = np.ones(split.rows, dtype=bool) if weights is None else weights > 0
        classes = mine.in_classes(counted).astype(np.uint64)
    return Share(np.concatenate(parts, axis=1)), p.input(split.target_owner, classes, (split.rows, 2), 0)


def _own_rows(own: OwnRows, settings: FitSettings) -> OwnDesign:
    """The rows in the fit: those whose weight is above 0."""
    y = own.y_train if settings.classes else own.offset_weights_train.subtract_offset(own.y_train)
    made, counts = own.made or plain(settings.features), own.offset_weights_train.counts
    whole = OwnDesign(own.x_train, made, y, settings.classes, settings.min_cell, settings.opens_matrices)
    return whole if counts is None else whole.at(counts > 0)


def _own_columns(name: str, own: OwnColumns, settings: FitSettings) -> OwnDesign:
    """An owner's columns of all rows, and the target if it has it."""
    y = None
    if own.target_owner == name:
        y = own.y_train if settings.classes else own.offset_weights_train.subtract_offset(own.y_train)
    made = own.made or plain(own.x_train.shape[1])
    return OwnDesign(own.x_train, made, y, settings.classes, settings.min_cell)


def _why(p: Party) -> str:
    return _WHY + (_TWO_OWNERS if len(p.owners) == 2 else "")


def too_few(names: tuple[str, ...], word: Public, least: int) -> DataError:
    """The error for small cells, which names the columns to all owners; a helper learns only the stage."""
    *columns, target, together = (bool(one) for one in word.value)
    found = [f"column {name}" for name, few in zip(names, columns, strict=True) if few]
    found += ["the target"] * target + ["all columns together"] * together
    return DataError(
        f"{', '.join(found)}: some value or combination of values, within a class if there are classes, has 1 to "
        f"{least - 1} rows besides some owner's own (min_cell = {least}), and the model could show how many",
        "join rare levels, leave these columns or products out, or hold fewer rows out; every owner's policy has to "
        "allow a lower min_cell. Nothing of the model was opened",
    )
