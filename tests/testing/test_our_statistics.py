"""Descriptive statistics under all four checks: counts, sums, centred squares and values on grids."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.testing import integers, own
from protocols.own_cells import OwnColumns
from protocols.search import FAN
from protocols.standardise import SUM_RING
from protocols.statistics_job import statistics_job
from protocols.statistics_settings import Grid, StatisticsSettings
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

WORD, WIDE = 8, SUM_RING.word_bytes
LARGEST = FAN - 1
NAMES = ("age", "dose", "sex")


def _settings(owners: tuple[str, ...], rows: int) -> StatisticsSettings:
    """Of two columns and a category: their means and deviations by group, their correlation, and a median."""
    return StatisticsSettings(
        owners,
        "helper",
        (rows,) * len(owners),
        columns=("age",),
        statistics=("count", "mean", "sd"),
        quantiles=(0.5,),
        by="sex",
        levels=(("sex", ("f", "m")),),
        grids=(("age", Grid(0, LARGEST, 1)),),
        correlations=("age", "dose"),
    )


async def _statistics(p: Party, mine: Array, sexes: Array) -> tuple[Array, ...]:
    """Of rows (m, 2) and a code for each."""

    def columns() -> OwnColumns:
        real = mine.view(np.int64).astype(float)
        values = (real[:, 0], real[:, 1], sexes.astype(float))
        return OwnColumns(dict(zip(NAMES, values, strict=True)), len(real))

    found = await statistics_job(p, None if p.dry else columns(), _settings(p.owners, mine.shape[0]))
    if found is None:
        return ()
    parts = (found.counts, found.means, found.squares)
    return (*(np.concatenate([a.ravel() for a in part.values()]) for part in parts), found.found)


def _statistics_twin(rows: tuple[Array, ...], sexes: tuple[Array, ...]) -> tuple[Array, ...]:
    x, sex = np.concatenate(rows), np.concatenate(sexes)
    counts, means, squares, medians = [], [], [], []
    for group in (x[sex == code] for code in (0, 1)):
        counts.append(len(group))
        means.append(group.mean(axis=0) if len(group) else np.zeros(2))
        centred = group - means[-1]
        squares.append(centred.T @ centred)
        lower = np.quantile(group[:, 0], 0.5, method="inverted_cdf") if len(group) else 0.0
        medians.append(lower)
    age, dose = zip(*means, strict=True)
    aa, dd, ad = ([s[i, j] for s in squares] for i, j in ((0, 0), (1, 1), (0, 1)))
    # The groups' sizes, those of `age` and of both columns; of `age` alone, then of both.
    return np.array(3 * counts), np.array([*age, *age, *dose]), np.array([*aa, *aa, *dd, *ad]), np.array(medians)


def _traded(n: int) -> Secrets:
    """Of three owners, for each of them: the two others have each other's rows, of which all sums are exact."""
    a, b, c = ([[k, 1.0]] * 2 for k in (1.0, 3.0, 5.0))
    given = ([a, b, c], [[0, 1]] * 3)
    return [(given, ([b, a, c], given[1])), (given, ([c, b, a], given[1])), (given, ([a, c, b], given[1]))]


SIDE = 4  # rows and columns of the grid's 16 points
COMPARED = 2 * 2 * (SIDE - 1)  # of two medians
CELLS, MEANS, SQUARES = 3 * 2, 2 + 4, 2 + 6

STATISTICS = Spoken(
    _statistics,
    _statistics_twin,
    [own(integers(("m", 2), 0, LARGEST)), own(integers(("m",), 0, 1))],
    1e-9,
    3 + 19,
    CELLS * WORD
    + (MEANS + SQUARES) * WIDE
    + COMPARED * (WORD + 12 + 6 + 3 + 3 + 3 + 2)
    + 2 * (2 + (SIDE + SIDE * 2 * (SIDE + 1)) * WORD + (SIDE + 2 * 2 * SIDE) * WORD)  # test_our_search.py
    + 2 * WORD,
    COMPARED * (WORD + 8 + 4 + 2 + 2 + 2 + 1) + COMPARED * WORD + 2 * (2 * (SIDE + 1) + 2 * 2 * SIDE) * WORD,
    {"m": 3},
    cost_owners=(2,),
    secrets=_traded,
    addends=True,
    view_sizes={"m": 2},
    structure="by round",  # the sums are declared; the search's masks are looked at in test_our_search.py
    words=150,
    shift=0.9,
    every=5,
)


def test_correct() -> None:
    hold_to_correct(STATISTICS)


def test_cost() -> None:
    hold_to_cost(STATISTICS)


@pytest.mark.soak
def test_view() -> None:
    """Of three owners; of two, each learns the other's addend, and the plan says so."""
    hold_to_view(STATISTICS, 3)


def test_faults() -> None:
    hold_to_faults(STATISTICS)
