"""A trained model with noise that nobody knows, after a few steps: the penalty is so strong that its minimum is near."""

from __future__ import annotations

from math import sqrt

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import integers, own, reals
from protocols.core.stacked import Stacked
from protocols.plain.perturbed import minimum
from protocols.training.perturbed import perturbed_weights
from protocols.training.perturbed_bounds import Perturbed, perturbed
from tests.testing.cases.case import Case, Cost, View, each_in_turn
from tests.testing.cases.costs import WORD

_TAIL = 8.0  # standard deviations, which one in 10^15 samples exceeds


def model_of(rows: int, columns: int, owners: int) -> Perturbed:
    return perturbed(rows, columns, 2.0, 50.0, 20.0, 1e-6, owners)


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


def _reach(x: tuple[Array, ...], y: tuple[Array, ...], own_noise: tuple[Array, ...]) -> float:
    """What the helper's noise, and the distance from the minimum, may come to."""
    how = model_of(sum(map(len, x)), x[0].shape[1], len(x))
    return _TAIL * sqrt(how.noise.variance) + 2.0**how.grid * how.course.distance + 1


MODEL = model_of(4, 2, 2)
STEPS, TERMS = MODEL.course.steps, len(MODEL.course.how.fit.coefficients)


# An owner's noise may be another one: what is opened hides it.
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
        # The rows once; of each step v, u, z and e; the cut of the weights, and the weights.
        Cost(
            3 * STEPS + 3,
            (2 * 2 + STEPS * (2 * 2 + 2 * 4) + 2 * 2) * WORD,
            (STEPS * ((4 + 2 * 2) + 2 * 2 + 2 * TERMS * 4 + (2 + 2 * 4) + 4 * 2 // 2) + 2 * 2 + 2) * WORD,
            {"m": 2, "d": 2},
            owners=(2,),
        ),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(n, ([[0.25, 0.5]], [[0.25, 0.5]]), ([1], [1]), ([500, 0], [0, 500])),
            sizes={"m": 1, "d": 2},
            words=200,
            shift=0.6,
        ),
        examples=8,
        every=41,
    ),
}
