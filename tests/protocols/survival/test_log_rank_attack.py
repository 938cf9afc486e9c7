"""What the log-rank test's E and V give back of what is withheld: another owner's tables that all that is told allows.

An owner knows its own counts, where stretches end, their totals, the other's lots, and E and V to within their units.
For each small cell of the other it is enough to find one more table of the other's with another number there that tells
just the same. They are looked for among those that some moves within stretches and lots make of the true one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from protocols.statistics.settings import Grid, StatisticsSettings, Survival
from protocols.statistics.survival import _BITS, _places, open_bits
from protocols.survival.deferred import deferred
from tests.protocols.disclosure.test_forward_merge import in_clear

Counts = NDArray[np.int64]
M = 5
MOVES, TRIED = range(3, 8), 20_000


@dataclass(frozen=True)
class Study:
    """The counts (owners, arms, T + 1, 2) of two owners, and what is told of them; who is lost counts as `waiting`."""

    parts: Counts
    units: NDArray[np.float64]
    waiting: float

    def told_alike(self, other: Counts) -> bool:
        """Whether stretches and lots are the same with another table of the second owner's."""
        return all(np.array_equal(a, b) for a, b in zip(self._told(other), self._told(self.parts[1]), strict=True))

    def _told(self, other: Counts) -> tuple[Counts, NDArray[np.bool_], Counts]:
        parts = np.stack((self.parts[0], other))
        ends = in_clear(parts[..., :-1, 1], M)
        sums = [np.diff(arm.cumsum()[where], prepend=0) for arm, where in zip(other[..., :-1, 1], ends, strict=True)]
        return deferred(other, M)[..., 0], ends, np.concatenate(sums)


def made(rows: int, times: int, seed: int, waiting: float) -> Study | None:
    """A study of so many rows for each owner, with the units of E and V; None if they are not opened."""
    rng = np.random.default_rng(seed)
    chance = np.exp(-np.arange(times + 1) / times)[:, None] * np.array([1.0, 1.5])
    chance[-1] = [chance[:-1].sum() / 3, 0.0]
    cells = np.stack([chance, chance * rng.uniform(0.5, 2, (times + 1, 1))]).reshape(-1)
    parts = rng.multinomial(rows, cells / cells.sum(), size=2).reshape(2, 2, times + 1, 2)
    ends = in_clear(parts[..., :-1, 1], M)
    counts = deferred(parts[0], M) + deferred(parts[1], M)
    if sum(open_bits(arm, where, M) for arm, where in zip(counts, ends, strict=True)) < 3 * _BITS:
        return None
    one = Survival("months", "died", "arm")
    asked = StatisticsSettings(
        ("a", "b"),
        "h",
        (rows, rows),
        levels=(("arm", ("old", "new")),),
        grids=(("months", Grid(1, times, 1)),),
        survival=(one,),
        min_cell=M,
    )
    return Study(parts, np.ldexp(1.0, -_places(counts, asked, one)[0]), waiting)


def e_and_v(parts: Counts, waiting: float) -> NDArray[np.float64]:
    """E and V of tables (..., arms, T + 1, 2), over all owners."""
    n = parts.sum(axis=-1)[..., ::-1].cumsum(axis=-1)[..., ::-1][..., :-1] - (1 - waiting) * parts[..., :-1, 0]
    d, every = parts[..., :-1, 1].sum(axis=-2), n.sum(axis=-2)
    part = n[..., 0, :] / np.maximum(every, 1)
    weight = d * (every - d) / np.maximum(every - 1, 0.5)
    return np.stack([(d * part).sum(axis=-1), (weight * part * (1 - part)).sum(axis=-1)], axis=-1)


def others(study: Study, left: NDArray[np.bool_], moves: int, rng: np.random.Generator) -> Counts:
    """Tables of the second owner's, from the true one by some moves to near times, the first from or to these cells."""
    times = study.parts.shape[2] - 1
    tables = np.repeat(study.parts[1][None], TRIED, axis=0)
    every, reach = np.arange(TRIED), int(rng.integers(2, 9))
    for move in range(moves):
        arm, kind, start = (rng.integers(0, count, TRIED) for count in (2, 2, times))
        if not move:
            arm, start, kind = np.argwhere(left)[rng.integers(0, left.sum(), TRIED)].T
        end = np.clip(start + rng.integers(-reach, reach + 1, TRIED), 0, times - kind)
        if not move:  # from these cells or to them
            turned = rng.random(TRIED) < 0.5
            start, end = np.where(turned, end, start), np.where(turned, start, end)
        moved = tables[every, arm, start, kind] > 0
        tables[every, arm, start, kind] -= moved
        tables[every, arm, end, kind] += moved
    return tables


def given_back(study: Study, seed: int) -> tuple[int, int]:
    """How many small cells the second owner has, and for how many no other number was found."""
    truth = e_and_v(study.parts.sum(axis=0), study.waiting)
    told = np.round(truth / study.units) * study.units
    rng = np.random.default_rng(seed)
    small = (study.parts[1] > 0) & (study.parts[1] < M)
    small[:, -1] = False
    left = small.copy()
    for moves in 40 * [*MOVES]:
        tables = others(study, left, moves, rng)
        near = (np.abs(e_and_v(tables + study.parts[0], study.waiting) - told) <= study.units).all(axis=1)
        for one in tables[near]:
            if (left & (one != study.parts[1])).any() and study.told_alike(one):
                left &= one == study.parts[1]
        if not left.any():
            break
    return int(small.sum()), int(left.sum())


@pytest.mark.parametrize(
    ("rows", "times", "seed"),
    [(70, 12, 4), *(pytest.param(*one, marks=pytest.mark.soak) for one in ((60, 12, 1), (60, 24, 0), (100, 24, 0)))],
)
@pytest.mark.parametrize("waiting", [1.0, pytest.param(0.5, marks=pytest.mark.soak)])
def test_e_and_v_give_no_cell_back(rows: int, times: int, seed: int, waiting: float) -> None:
    """Where times lie between points, half of those who are lost count as waited for."""
    study = made(rows, times, seed, waiting)
    assert study is not None
    small, left = given_back(study, seed)
    assert small > 10 and left == 0
