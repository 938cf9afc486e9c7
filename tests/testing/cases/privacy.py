"""Sums with noise that nobody knows: of words, the counts and sums of a column, and gradients."""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public
from mpc.testing import integers, own, words
from protocols.linear.noisy_moments import NoisyLinear, Number, Scaling, enough_variance, noisy_linear_job
from protocols.privacy.noisy_sum import Noise, noisy_sum
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import Clip, PrivateSettings, private_settings, private_statistics_job
from protocols.statistics.settings import Grid, StatisticsSettings
from protocols.training.private.clipped_gradients import Clipping, Ranges, WholeRows
from protocols.training.private.noisy_descent import NoisySettings, calibrated_gradients, noisy_training_job
from tests.testing.cases.case import Case, Cost, View, each_in_turn, two_others_trade
from tests.testing.cases.costs import WORD

PARTS = 60  # that 2, 3, 4 or 5 owners divide
VARIANCE = 20 * PARTS
_TAIL = 8.0  # standard deviations, which one in 10^15 samples exceeds


def noise_of(owners: int) -> Noise:
    return Noise(VARIANCE, owners)


async def _noisy(p: Party, mine: Array, own_noise: Array) -> Public:
    """The owners' own noise is their input: so the reference knows it, and only the helper's is not in it."""
    return await noisy_sum(p, mine, own_noise, noise_of(len(p.owners)), what="noisy total", why="agreed")


HIGHEST = 16


@cache
def settings_of(owners: tuple[str, ...], rows: int) -> PrivateSettings:
    asked = StatisticsSettings(
        owners,
        "helper",
        (rows,) * len(owners),
        columns=("age",),
        statistics=("count", "sd"),
        quantiles=(0.5,),
        grids=(("age", Grid(0, HIGHEST, HIGHEST / 2)),),
    )
    return private_settings(asked, [("age", Clip(0, HIGHEST))], 1.0, 1e-6)


async def _statistics(p: Party, ages: Array, key: Array) -> tuple[Array, ...]:
    """The randomness of an owner's own noise is its input, too."""
    own_columns = None if p.dry else OwnColumns({"age": ages.view(np.int64).astype(float)}, len(ages))
    stream = None if p.dry else Stream(key.tobytes())
    found = await private_statistics_job(p, own_columns, stream, settings_of(p.owners, ages.shape[0]))
    return () if found is None else (found,)


def _statistics_reference(ages: tuple[Array, ...], keys: tuple[Array, ...]) -> Array:
    u = 2 * np.concatenate(ages) / HIGHEST - 1
    points = [np.sum(u == -1), np.sum((u > -1) & (u <= 0)), np.sum(u > 0)]
    return np.array([len(u), u.sum(), (2 * u**2 - 1).sum(), *points])


HUGE = 1e6
"""Rows by which a step is divided, whatever their noisy number, and its length: one step then adds up gradients."""


@cache
def training_of(owners: tuple[str, ...]) -> NoisySettings:
    how = Clipping(64.0)
    return NoisySettings(
        owners,
        "helper",
        ("age",),
        Ranges(((0.0, HIGHEST),)),
        how,
        steps=1,
        rate=1.0,
        step_size=HUGE,
        momentum=0.0,
        l2=0.0,
        class_scale=1.0,
        held_out=0.0,
        fewest_rows=HUGE,
        epsilon=1.0,
        delta=1e-6,
        variance=calibrated_gradients(1.0, 1e-6, len(owners), how.squared, 1, 1.0),
    )


async def _training(p: Party, ages: Array, key: Array) -> tuple[Array, ...]:
    """Those who are older than half of the range are of class 1."""
    how = training_of(p.owners)
    if p.dry:
        await noisy_training_job(p, None, None, how)
        return ()
    x = ages.view(np.int64).astype(float)[:, np.newaxis]
    own_rows = WholeRows(how.ranges.whole_rows(x), (x[:, 0] > HIGHEST / 2).astype(np.int64))
    found = await noisy_training_job(p, own_rows, Stream(key.tobytes()), how)
    assert found is not None
    return (np.array(found.scaled),)


def _training_reference(ages: tuple[Array, ...], keys: tuple[Array, ...]) -> Array:
    u, y = 2 * np.concatenate(ages) / HIGHEST - 1, np.concatenate(ages) > HIGHEST / 2
    return np.array([((y - 0.5) * u).sum(), (y - 0.5).sum()])


GRID = 32


_ROWS = [[0, 8, 16, 32, 1, 5, 9, 30, 2, 4, 6, 8], [7] * 12, [31, 2, 0] * 4]


@cache
def regression_of(owners: tuple[str, ...]) -> NoisyLinear:
    scaling = Scaling((Number(0, GRID), Number(0, GRID)), Number(0, GRID))
    return NoisyLinear(owners, "helper", ("x", "w"), "y", scaling, 1.0, 1e-6, enough_variance(1.0, 1e-6, len(owners)))


async def _regression(p: Party, rows: Array, key: Array) -> tuple[Array, ...]:
    columns = rows.view(np.int64).astype(float).reshape(-1, 3)
    own_rows = None if p.dry else (columns[:, :2], columns[:, 2])
    stream = None if p.dry else Stream(key.tobytes())
    found = await noisy_linear_job(p, own_rows, stream, regression_of(p.owners))
    return () if found is None else (found,)


def _regression_reference(rows: tuple[Array, ...], keys: tuple[Array, ...]) -> Array:
    """The sums of products by another way: a row at a time, from the definition."""
    total = np.zeros((4, 4))
    for x, w, y in np.concatenate(rows).reshape(-1, 3):
        u = np.array([1.0, *(2 * (one - GRID / 2) / (GRID / 2) for one in (x, w))])
        z = np.append(u, (y - GRID / 2) / (GRID / 2)) * min(1.0, sqrt(3 / (u @ u)))
        total += np.outer(z, z)
    return total


# An owner's addend and its noise trade: the sum stays, and hides which of them it is.
CASES: dict[str, Case] = {
    "noisy sum": Case(
        _noisy,
        lambda parts, own_noise: np.sum(parts, axis=0) + np.sum(own_noise, axis=0),
        [own(integers(("m",), -(2**40), 2**40)), own(integers(("m",), -1000, 1000))],
        _TAIL * sqrt(VARIANCE),
        Cost(1, 3 * WORD, 3 * WORD, {"m": 3}),
        View(owners=(2, 3), soak_from=3, secrets=lambda n: each_in_turn(n, (500, 0), (0, 500))),
        bias=sqrt(VARIANCE) / 10,
    ),
    "private statistics": Case(
        _statistics,
        _statistics_reference,
        [own(integers(("m",), 0, HIGHEST)), own(words((4,)))],
        lambda ages, keys: _TAIL * settings_of(("a", "b"), 1).deviation,
        Cost(1, 6 * WORD, 6 * WORD, {"m": 3}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade([1, 5, 16], [[1, 2, 3, 4]] * n),
            addends=True,
        ),
    ),
    "noisy gradients": Case(
        _training,
        _training_reference,
        [own(integers(("m",), 0, HIGHEST)), own(words((4,)))],
        lambda ages, keys: _TAIL * training_of(("a", "b")).deviation,
        Cost(1, 3 * WORD, 3 * WORD, {"m": 3}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade([1, 5, 16], [[1, 2, 3, 4]] * n),
            addends=True,
        ),
    ),
    "private linear regression": Case(
        _regression,
        _regression_reference,
        [own(integers((12,), 0, GRID)), own(words((4,)))],
        lambda rows, keys: _TAIL * regression_of(("a", "b")).deviation,
        Cost(1, 10 * WORD, 10 * WORD, {}),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: two_others_trade(_ROWS, [[1, 2, 3, 4]] * n),
            addends=True,
        ),
    ),
}
