"""The least and the largest value of linear forms of unknowns, by linear programming (scipy's HiGHS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.random import Generator
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from parties.tasks.audited.counts import Values

_LOOKS: Final = 8
"""Solutions in random directions, by which forms are told that have many values."""
_SECONDS: Final = 1.0
_INFEASIBLE: Final = 2


class InconsistentFacts(Exception):
    """No unknowns fit all facts: one of them is wrong, or more noisy than its slack says."""


@dataclass(frozen=True)
class Programme:
    """All x with low <= facts x <= high and x >= least.

    Args:
        facts: (facts, size); low, high: (facts,).
        least: of each unknown (size,).
        whole: whether it is a whole number (size,).
    """

    facts: csr_array = field(repr=False)
    low: Values = field(repr=False)
    high: Values = field(repr=False)
    least: Values = field(repr=False)
    whole: Values = field(repr=False)

    def least_of(self, form: Values, whole: bool = False) -> tuple[float, Values]:
        """The least value of a form, -inf where there is none, and unknowns that have it (size,).

        Args:
            whole: whether unknowns that are whole numbers are taken as such: what is found in a second is used.

        Raises:
            InconsistentFacts: nothing fits.
        """
        found = milp(
            form,
            constraints=LinearConstraint(_with_short_indices(self.facts), self.low, self.high),
            bounds=Bounds(self.least, np.inf),
            integrality=self.whole if whole else None,
            options={"time_limit": _SECONDS} if whole else None,
        )
        if found.status == _INFEASIBLE:
            raise InconsistentFacts
        if found.x is None:
            return -np.inf, self.least
        bound = found.mip_dual_bound if whole else found.fun
        return (float(found.fun if bound is None else bound)), found.x


def _with_short_indices(matrix: csr_array) -> csr_array:
    """The matrix with indices of 32 bits, which alone `milp` takes before scipy 1.15."""
    indices, ends = (one.astype(np.int32) for one in (matrix.indices, matrix.indptr))
    return csr_array((matrix.data, indices, ends), shape=matrix.shape)


def bounds_of(
    forms: Sequence[csr_array], programme: Programme, near: float, rng: Generator
) -> Iterator[tuple[float, float]]:
    """The least and the largest value of each form; of one that has two values further apart than `near`, any two.

    Solutions in random directions, and those that were found for other forms, show of most that they are far apart.

    Raises:
        InconsistentFacts: nothing fits.
    """
    if not forms:
        return
    all_forms = vstack(forms, format="csr")
    low, high = np.full(len(forms), np.inf), np.full(len(forms), -np.inf)

    def look(direction: Values) -> float:
        nonlocal low, high
        value, x = programme.least_of(direction)
        if np.isfinite(value):
            values = all_forms @ x
            low, high = np.minimum(low, values), np.maximum(high, values)
        return value

    for _ in range(_LOOKS):
        direction = all_forms.T @ rng.standard_normal(len(forms))
        look(direction)
        look(-direction)
    for k, form in enumerate(forms):
        if high[k] - low[k] <= near:
            dense = form.toarray()[0]
            low[k] = look(dense)
            high[k] = -look(-dense) if low[k] + near >= high[k] else high[k]
        yield float(low[k]), float(high[k])


def whole_bounds(form: csr_array, programme: Programme) -> tuple[int, int]:
    """The least and the largest whole value of a form of few values.

    Raises:
        InconsistentFacts: nothing fits.
    """
    dense = form.toarray()[0]
    (low, _), (high, _) = programme.least_of(dense, whole=True), programme.least_of(-dense, whole=True)
    return int(np.ceil(low - 1e-6)), int(np.floor(1e-6 - high))
