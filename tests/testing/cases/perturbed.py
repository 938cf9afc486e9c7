"""A trained model with noise that nobody knows, after a few steps: so strong a penalty puts its minimum near.

And the jobs around it, of split rows and of split columns, which fill up to one row more than there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from math import sqrt
from typing import Any, Literal

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import integers, own, reals, words
from protocols.core.stacked import Stacked
from protocols.functions.rising_fits import RISING_FITS
from protocols.plain.perturbed import minimum
from protocols.rows.own_rows import DIGEST_BITS
from protocols.rows.results import Trained
from protocols.training.private.bounds import Perturbed, perturbed
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.filled_columns import parts_of_norm, scaled_rows
from protocols.training.private.objective import perturbed_objective
from protocols.training.private.perturbed import perturbed_weights
from protocols.training.private.perturbed_job import (
    LabelledRows,
    PerturbedSettings,
    perturbed_columns_job,
    perturbed_rows_job,
)
from protocols.training.private.shared_gradients import SharedGradients, shared_gradients_job, shared_variance
from tests.testing.cases.case import Case, Cost, View, each_in_turn
from tests.testing.cases.costs import WORD
from tests.testing.cases.training import columns_of

_TAIL = 8.0  # standard deviations, which one in 10^15 samples exceeds


@cache
def model_of(rows: int, columns: int, owners: int) -> Perturbed:
    return perturbed(rows, columns, 2.0, 50.0, 20.0, 1e-6, owners)


@cache
def objective_of(rows: int, columns: int, owners: int) -> Perturbed:
    return perturbed_objective(rows, columns, 2.0, 50.0, 20.0, 1e-6, owners)


X_SCALE = model_of(4, 2, 2).x_scale


async def _model(p: Party, x: Array, y: Array, own_noise: Array) -> Public:
    how = model_of(len(p.owners) * x.shape[0], x.shape[1], len(p.owners))
    sizes = (x.shape[0],) * len(p.owners)
    rows, labels = Stacked(Share(x, X_SCALE), sizes, p.index), Stacked(Share(y), sizes, p.index).share
    return await perturbed_weights(p, rows, labels, own_noise, how)


def _model_reference(x: tuple[Array, ...], y: tuple[Array, ...], own_noise: tuple[Array, ...]) -> Array:
    rows, labels = np.concatenate(x), np.concatenate(y)
    how = model_of(rows.shape[0], rows.shape[1], len(x))
    found = minimum(rows, labels, how.course.strength, how.course.how.fit)
    return found * 2.0**how.grid + np.sum(own_noise, axis=0)


async def _noisy_objective(p: Party, x: Array, y: Array, own_noise: Array, own_linear: Array) -> Public:
    how = objective_of(len(p.owners) * x.shape[0], x.shape[1], len(p.owners))
    sizes = (x.shape[0],) * len(p.owners)
    rows, labels = Stacked(Share(x, X_SCALE), sizes, p.index), Stacked(Share(y), sizes, p.index).share
    return await perturbed_weights(p, rows, labels, own_noise, how, own_linear)


def _objective_reference(
    x: tuple[Array, ...], y: tuple[Array, ...], own_noise: tuple[Array, ...], own_linear: tuple[Array, ...]
) -> Array:
    rows, labels = np.concatenate(x), np.concatenate(y)
    how = objective_of(rows.shape[0], rows.shape[1], len(x))
    assert how.linear is not None
    linear = np.sum(own_linear, axis=0) * how.linear.unit
    found = minimum(rows, labels, how.course.strength, how.course.how.fit, linear)
    return found * 2.0**how.grid + np.sum(own_noise, axis=0)


def _objective_reach(
    x: tuple[Array, ...], y: tuple[Array, ...], own_noise: tuple[Array, ...], own_linear: tuple[Array, ...]
) -> float:
    """As `_reach`; the helper's noise in the objective moves the minimum by its length, over the penalty, at most."""
    how = objective_of(sum(map(len, x)), x[0].shape[1], len(x))
    assert how.linear is not None
    moved = _TAIL * sqrt(how.columns) * how.linear.deviation / how.course.strength
    return _TAIL * sqrt(how.noise.variance) + 2.0**how.grid * (how.course.distance + moved) + 1


def _reach(x: tuple[Array, ...], y: tuple[Array, ...], own_noise: tuple[Array, ...]) -> float:
    """What the helper's noise, and the distance from the minimum, may come to."""
    how = model_of(sum(map(len, x)), x[0].shape[1], len(x))
    return _TAIL * sqrt(how.noise.variance) + 2.0**how.grid * how.course.distance + 1


# -- the jobs, where the randomness of an owner's own noise is its input

SCALE, HIGHEST = 8, 4.0


def settings_of(p: Party, rows: int, partition: Literal["horizontal", "vertical"], features: int) -> PerturbedSettings:
    """Of rows filled up to one more, with all features in one range."""
    widths = (features,) if partition == "horizontal" else (1,) * len(p.owners)
    how = model_of((rows + 1) * (len(p.owners) if partition == "horizontal" else 1), sum(widths) + 1, len(p.owners))
    ranges = Ranges(((-HIGHEST, HIGHEST),) * sum(widths))
    return PerturbedSettings(p.owners, "helper", partition, ranges, widths, rows + 1, how)


async def _rows_job(p: Party, x: Array, y: Array, key: Array) -> tuple[Array, ...]:
    settings = settings_of(p, x.shape[0], "horizontal", x.shape[1])
    if p.dry:
        await perturbed_rows_job(p, None, None, settings)
        return ()
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    own_rows = LabelledRows(names, decode(x, SCALE), y.astype(np.float64))
    return _scaled(await perturbed_rows_job(p, own_rows, Stream(key.tobytes()), settings))


async def _columns_job(p: Party, x: Array, y: Array, key: Array) -> tuple[Array, ...]:
    """One column an owner, and the labels at the first."""
    settings = settings_of(p, x.shape[0], "vertical", 1)
    if p.dry:
        await perturbed_columns_job(p, None, None, settings)
        return ()
    own_columns = columns_of(p, decode(x, SCALE), y.astype(np.float64))
    return _scaled(await perturbed_columns_job(p, own_columns, Stream(key.tobytes()), settings))


def _scaled(trained: Trained | None) -> tuple[Array, ...]:
    assert trained is not None
    return (np.array(trained.standardised),)


def _job_reference(parts: Sequence[Array], labels: Array, owners: int, filled: int) -> Array:
    """Of the columns' parts side by side, each scaled by itself."""
    widths = tuple(part.shape[1] for part in parts)
    how = model_of(filled, sum(widths) + 1, owners)
    lengths = parts_of_norm(how.squared_norm, how.x_scale, widths)
    scaled = [scaled_rows(part / HIGHEST, one, how.x_scale) for part, one in zip(parts, lengths, strict=True)]
    x = np.concatenate(scaled, axis=1).view(np.int64) / 2.0**how.x_scale
    return minimum(np.column_stack((x, np.ones(len(x)))), labels, how.course.strength, how.course.how.fit)


def _rows_job_reference(x: tuple[Array, ...], y: tuple[Array, ...], key: tuple[Array, ...]) -> Array:
    return _job_reference([np.concatenate(x)], np.concatenate(y), len(x), sum(len(one) + 1 for one in x))


def _columns_job_reference(x: tuple[Array, ...], y: tuple[Array, ...], key: tuple[Array, ...]) -> Array:
    return _job_reference(x, y[0], len(x), len(y[0]) + 1)


KEYS = ([1, 2, 3, 4], [1, 2, 3, 4])
LABELS = own(integers(("m",), 0, 1))
FAR = _TAIL * max(model_of(rows, 2, 5).deviation for rows in (1, 500)) + 1e-3
NEAR = 2 + 2.0**-6  # so near that the noise hides it
FEW: dict[str, Any] = {"words": 200, "shift": 0.6}
ALIGNED, ALIGNED_DEALT = DIGEST_BITS // 8 + WORD, DIGEST_BITS * WORD


def cost_of(model: Perturbed, first: int, rounds: int = 0, sent: int = 0, dealt: int = 0) -> Cost:
    """Of a training, and rounds and bytes beside; an owner opens `first` words of the rows, once."""
    m, d, steps = model.rows, model.columns, model.course.steps
    terms = len(model.course.how.fit.coefficients)
    # Of each step v, u, z and e; the cut of the weights, and the weights.
    opened = first + steps * (2 * d + 2 * m) + 2 * d
    of_step = (m + 2 * d) + 2 * d + 2 * terms * m + (d + 2 * m)
    of_cut = steps * m * d * (2 if model.course.how.bits.e_shift <= 16 else 4)
    noisy = 3 * d if model.linear is None else 4 * d
    return Cost(3 * steps + 3 + rounds, opened * WORD + sent, (steps * of_step + noisy) * WORD + of_cut + dealt)


# -- a step by the noisy gradient, so long that the model is the sum


@cache
def gradients_of(owners: tuple[str, ...], rows: int) -> SharedGradients:
    n = len(owners)
    variance = shared_variance(20.0, 1e-6, n, NORM, rows + 1, 1)
    ranges, most = Ranges(((-HIGHEST, HIGHEST),) * n), rows + 1
    return SharedGradients(
        owners, "helper", ranges, (1,) * n, most, NORM, 1, float(most), 0.0, 0.0, 20.0, 1e-6, variance
    )


async def _gradient(p: Party, x: Array, y: Array, key: Array) -> tuple[Array, ...]:
    """One column an owner, and the labels at the first."""
    how = gradients_of(p.owners, x.shape[0])
    if p.dry:
        await shared_gradients_job(p, None, None, how)
        return ()
    own_columns = columns_of(p, decode(x, SCALE), y.astype(np.float64))
    return _scaled(await shared_gradients_job(p, own_columns, Stream(key.tobytes()), how))


def _gradient_reference(x: tuple[Array, ...], y: tuple[Array, ...], key: tuple[Array, ...]) -> Array:
    rows = np.column_stack((*x, np.full(len(y[0]), HIGHEST))) / HIGHEST
    return rows.T @ (y[0] - 0.5)


NORM = 3.0  # of up to five columns and a 1, none of which is scaled down
TERMS = len(RISING_FITS[1].fit.coefficients)


# An owner's noise may be another one, or a row a little different: what is opened hides it.
CASES: dict[str, Case] = {
    "noisy model": Case(
        _model,
        _model_reference,
        [
            own(reals(("m", "d"), scale=X_SCALE, largest=0.5)),
            own(integers(("m",), 0, 1)),
            own(integers(("d",), -1000, 1000)),
        ],
        _reach,
        replace(cost_of(model_of(4, 2, 2), 2 * 2), sizes={"m": 2, "d": 2}, owners=(2,)),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(n, ([[0.25, 0.5]], [[0.25, 0.5]]), ([1], [1]), ([500, 0], [0, 500])),
            sizes={"m": 1, "d": 2},
            **FEW,
        ),
        examples=8,
        every=41,
    ),
    "noisy objective": Case(
        _noisy_objective,
        _objective_reference,
        [
            own(reals(("m", "d"), scale=X_SCALE, largest=0.5)),
            own(integers(("m",), 0, 1)),
            own(integers(("d",), -1000, 1000)),
            own(integers(("d",), -1_000_000, 1_000_000)),
        ],
        _objective_reach,
        replace(cost_of(objective_of(4, 2, 2), 2 * 2), sizes={"m": 2, "d": 2}, owners=(2,)),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(
                n, ([[0.25, 0.5]], [[0.25, 0.5]]), ([1], [1]), ([500, 0], [0, 500]), ([100_000, 0], [0, 100_000])
            ),
            sizes={"m": 1, "d": 2},
            **FEW,
        ),
        examples=6,
        every=97,
    ),
    "noisy model of rows": Case(
        _rows_job,
        _rows_job_reference,
        [own(reals(("m", "d"), scale=SCALE, largest=HIGHEST)), LABELS, own(words((4,)))],
        FAR,
        replace(cost_of(model_of(6, 3, 2), 3 * 3), sizes={"m": 2, "d": 2}, owners=(2,)),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(n, ([[1, 2]], [[1, NEAR]]), ([1], [1]), KEYS),
            sizes={"m": 1, "d": 2},
            **FEW,
        ),
        examples=8,
        every=41,
    ),
    "noisy model of columns": Case(
        _columns_job,
        _columns_job_reference,
        [own(reals(("m", 1), scale=SCALE, largest=HIGHEST)), LABELS, own(words((4,)))],
        FAR,
        replace(cost_of(model_of(3, 3, 2), 3 * 3, 2, ALIGNED, ALIGNED_DEALT), sizes={"m": 2}, owners=(2,)),
        View(
            owners=(2,), secrets=lambda n: each_in_turn(n, ([[2]], [[NEAR]]), ([1], [1]), KEYS), sizes={"m": 1}, **FEW
        ),
        examples=8,
        every=41,
    ),
    "noisy gradients of columns": Case(
        _gradient,
        _gradient_reference,
        [own(reals(("m", 1), scale=SCALE, largest=HIGHEST)), LABELS, own(words((4,)))],
        30.0,  # the noise
        # Three rows of three numbers once; z and e; the sum.
        Cost(
            6,
            (3 * 3 + 2 * 3 + 3) * WORD + ALIGNED,
            (2 * TERMS * 3 + (3 + 2 * 3) + 3) * WORD + 3 * 3 * 4 + ALIGNED_DEALT,
            {"m": 2},
            owners=(2,),
        ),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(n, ([[2]], [[NEAR]]), ([1], [1]), KEYS),
            sizes={"m": 1},
            **FEW,
        ),
        examples=8,
        every=41,
    ),
}
