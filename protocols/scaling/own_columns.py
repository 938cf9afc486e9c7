"""Columns split over owners: each owner scales its own, and all stand side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.linalg.original_units import FACTOR_SCALE, LARGEST_FACTOR, UNITS_RING
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnColumns
from protocols.scaling.standardise import Moments

_CONSTANT = 2.0**-40  # a spread below this part of the mean is the rounding of its sum


def own_scaling(p: Party, own: OwnColumns, *, standardise: bool = True) -> Moments:
    """This owner's own means and deviations over the training rows; nobody else gets them."""
    width = own.x_train.shape[1:]
    if not standardise:
        return Moments(p.compute(np.zeros, width, shape=width), p.compute(np.ones, width, shape=width))
    return own_moments(p, own.x_train, own.names[p.name])


def own_moments(p: Party, x: Array, names: tuple[str, ...], counts: Array | None = None) -> Moments:
    """Weighted means and deviations of columns x (m, d) that this owner has."""
    width = x.shape[1:]

    def averaged(values: Array) -> Array:
        means: Array = values.mean(axis=0) if counts is None else counts @ values / counts.sum()
        return means

    mean = p.compute(lambda: averaged(x), shape=width)
    spread = p.compute(lambda: np.sqrt(averaged((x - mean) ** 2)), shape=width)
    p.insist(lambda: _check_spread(p.name, names, mean, spread), lambda: DataError("a constant column"))
    return Moments(mean, spread)


def _check_spread(owner: str, names: tuple[str, ...], mean: Array, spread: Array) -> bool:
    constant = [n for n, m, s in zip(names, mean, spread, strict=True) if not s > abs(m) * _CONSTANT]
    if constant:
        raise DataError(
            f"{owner}: column {', '.join(constant)} has the same value in all training rows",
            "leave it out of `features`: a constant column tells the model nothing",
            party=owner,
        )
    narrow = [n for n, m, s in zip(names, mean, spread, strict=True) if max(1.0, abs(m)) >= s * LARGEST_FACTOR]
    if narrow:
        raise DataError(
            f"{owner}: column {', '.join(narrow)} has values too close to each other",
            "give it in smaller units",
            party=owner,
        )
    return True


def side_by_side(
    p: Party, words: Array, names: Mapping[str, tuple[str, ...]], rows: int, scale: int = X_SCALE
) -> Share:
    """All owners' columns of rows x (rows, d) at `scale`, in the order of `names`, from this owner's own as words."""
    if p.dry:
        return Share(words, scale)
    parts = [
        p.input(owner, words if owner == p.name else None, (rows, len(columns)), scale).value
        for owner, columns in names.items()
    ]
    return Share(np.concatenate(parts, axis=1), scale)


def own_numbers(p: Party, numbers: Array, own: OwnColumns) -> Share:
    """One number a column, from each owner for its own columns, at FACTOR_SCALE in the ring for units."""
    if p.dry:
        return Share(numbers, FACTOR_SCALE, UNITS_RING)
    words = encode(numbers, FACTOR_SCALE, UNITS_RING)
    parts = [
        p.input(owner, words if owner == p.name else None, (len(names),), FACTOR_SCALE, UNITS_RING).value
        for owner, names in own.names.items()
    ]
    return Share(np.concatenate(parts), FACTOR_SCALE, UNITS_RING)


def entered(p: Party, own: OwnColumns, values: Array | None, shape: tuple[int, ...], scale: int) -> Share:
    """A number of each row that the labels' owner has, shared. 0 rounds."""
    mine = own.target_owner == p.name and not p.dry
    return p.input(own.target_owner, encode(np.asarray(values), scale) if mine else None, shape, scale)
