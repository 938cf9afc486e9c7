"""Does an owner's column, as it enters the training, fit fixed point?"""

from __future__ import annotations

import numpy as np

from mpc.errors import DataError
from mpc.ghost import Array
from protocols.bit_budget import X_LIMIT, X_SCALE

_COARSEST = 2.0**-6  # the smallest typical size of a feature that X_SCALE bits still hold to three digits


def check_fit(train: Array, names: tuple[str, ...], owner: str, *, standardised: bool) -> bool:
    """True if an owner's features (m, d), as they enter the training, fit fixed point.

    Raises:
        DataError: one does not; names the column.
    """
    for name, column in zip(names, train.T, strict=True):
        largest = np.abs(column).max(initial=0.0)
        if largest > X_LIMIT:
            raise DataError(
                f"{owner}: column {name} has values beyond {X_LIMIT:g} as it enters the training",
                "set standardise = true, or rescale or clip the column",
                party=owner,
            )
        # A standardised column is fine over all owners, even where one owner's few rows lie close to the mean.
        typical = np.sqrt(np.mean(column**2)) if column.size and not standardised else 0.0
        if 0 < typical < _COARSEST:
            raise DataError(
                f"{owner}: column {name} has values too small for {X_SCALE} fractional bits",
                "set standardise = true, or rescale the column",
                party=owner,
            )
    return True
