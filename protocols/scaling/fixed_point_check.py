"""Check that an owner's columns, as they enter the training, fit fixed point."""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from protocols.rows.limits import X_LIMIT, X_SCALE

_COARSEST = 2.0**-6  # the smallest typical size of a feature that X_SCALE bits still hold to three digits


def check_fit(train: Array, names: tuple[str, ...], owner: str, *, standardised: bool) -> bool:
    """True if an owner's features (m, d), as they enter the training, fit fixed point.

    Raises:
        DataError: one does not; names the column.
    """
    furthest = np.maximum(train.max(axis=0, initial=0.0), -train.min(axis=0, initial=0.0))
    # A standardised column is fine over all owners, even where one owner's few rows lie close to the mean.
    sizes = np.zeros(len(names)) if standardised else _typical(train)
    for name, largest, typical in zip(names, furthest, sizes, strict=True):
        if largest > X_LIMIT:
            raise DataError(
                f"{owner}: column {name} has values beyond {X_LIMIT:g} as it enters the training",
                "set standardise = true, or rescale or clip the column",
                party=owner,
            )
        if 0 < typical < _COARSEST:
            raise DataError(
                f"{owner}: column {name} has values too small for {X_SCALE} fractional bits",
                "set standardise = true, or rescale the column",
                party=owner,
            )
    return True


def _typical(train: Array) -> Array:
    """The root of each column's mean square."""
    squares: Array = np.einsum("ij,ij->j", train, train)
    return np.sqrt(squares / max(1, len(train)))
