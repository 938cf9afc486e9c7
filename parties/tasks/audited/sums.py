"""Candidates for counts and sums: who is in them, by all numbers at once.

An attacker who knows the means m and covariances S of what a candidate adds (x) has of a release r over n of them the
score (r / n - m) . S^-1 (x - m), the log of the likelihood ratio but for a constant where r is nearly Gaussian: the
test of Homer et al. 2008 with all numbers at once (Sankararaman et al. 2009). With noise, S / n has its variance, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mpc.ring.array import Array
from parties.tasks.audited.audit import Mask, Population, Random, draw_members

_RATIO: Final = 1e-8  # of variances: below it a direction is taken for a constant


def sums_population(
    added: Array, variance: float, whose: tuple[str, ...], *, unit: str, each: str, seen_by: str
) -> Population:
    """The candidates for sums over half of them.

    Args:
        added: what each candidate adds (candidates, numbers).
        variance: of the noise in each sum; 0 of exact ones.
        each: what candidates are called, as "rows".
    """
    size, half = len(added), len(added) // 2
    mean = added.mean(axis=0)
    spread = np.cov(added.T, ddof=0).reshape(added.shape[1], -1) / half
    spread[np.diag_indices_from(spread)] += variance / half**2
    towards = (added - mean) @ np.linalg.pinv(spread, rcond=_RATIO, hermitian=True) / half

    def release(mask: Mask, rng: Random) -> Array:
        total: Array = added[mask].sum(axis=0)
        return total + rng.normal(0.0, np.sqrt(variance), total.shape) if variance else total

    return Population(
        unit=unit,
        what=f"{added.shape[1]} counts and sums over half of the {each}",
        seen_by=seen_by,
        whose=whose,
        draw=lambda rng: draw_members(size, [(np.arange(size), half)], rng),
        release=release,
        score=lambda released: towards @ (released / half - mean),
    )
