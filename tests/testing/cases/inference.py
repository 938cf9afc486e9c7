"""Inference on rows and on columns, near a public table that has a fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from mpc.testing import integers, own, reals
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from protocols.core.wide import lift, wide_truncate
from protocols.inference.columns_job import vertical_inference_job
from protocols.inference.irls import ROW_SCALE, WEIGHT_SCALE, Design, Newton, gram, newton_step
from protocols.inference.rows_job import inference_job
from protocols.linalg.held import hold
from protocols.linalg.inverse import MATRIX_RING, inverse
from protocols.linalg.symmetric import pairs
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Trained
from tests.fit_reference import fit_ml
from tests.testing.cases.case import Case, Checks, Cost, View
from tests.testing.cases.training import columns_of, settings

SCALE = 8
LABELS = np.array([0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 1, 0])
STEPS = 6


def near(owner: int, moved: Array) -> Array:
    """The table's rows or column of an owner, a little moved."""
    base = np.cos((owner + 1.0) * np.arange(len(LABELS)))[:, np.newaxis]
    return base + moved


def told(found: Trained | None) -> Any:
    """Coefficients and standard errors."""
    if found is None:
        return None
    assert found.inference is not None
    table = found.inference.table
    return np.array([row.coefficient for row in table]), np.array([row.se for row in table])


def inferring(how: str) -> Any:
    async def run(p: Party, moved: Array) -> Any:
        rows = (len(LABELS),) * len(p.owners)
        asked = settings(p, rows, 1, inference=how, solver="irls", iterations=STEPS)
        if p.dry:
            return await inference_job(p, None, asked)
        x, y = near(p.index, decode(moved, SCALE)), np.roll(LABELS, p.index).astype(np.float64)
        return told(await inference_job(p, OwnRows(("x0",), x, y, x[:0], y[:0]), asked))

    return run


def inferring_reference(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    rows = np.concatenate([near(k, moved) for k, moved in enumerate(parts)])
    return fitted(rows, np.concatenate([np.roll(LABELS, k) for k in range(len(parts))]))


def fitted(x: Array, y: Array) -> tuple[Array, Array]:
    found = fit_ml(x, y)
    assert found.converged
    return found.coefficients, np.sqrt(np.diag(found.covariance))


async def inferring_vertically(p: Party, moved: Array) -> Any:
    rows = (len(LABELS),)
    asked = settings(p, rows, len(p.owners), partition="vertical", inference="shared", solver="irls", iterations=STEPS)
    if p.dry:
        return await vertical_inference_job(p, None, asked)
    mine = columns_of(p, near(p.index, decode(moved, SCALE)), LABELS.astype(np.float64))
    return told(await vertical_inference_job(p, mine, asked))


def inferring_vertically_reference(parts: tuple[Array, ...]) -> tuple[Array, Array]:
    return fitted(np.concatenate([near(k, moved) for k, moved in enumerate(parts)], axis=1), LABELS)


MOVED = own(reals((len(LABELS), 1), scale=SCALE, largest=0.25))


def job(protocol: Any, reference: Any, cost: Cost, long: Checks = ("correct", "cost", "faults")) -> Case:
    """What the parts cost is checked part by part: here, that the plan says what their sum was."""
    return Case(
        protocol, reference, [MOVED], 1e-5, cost, View(owners=()), owners=(2, 3), examples=4, every=101, long=long
    )


# -- one Newton step of few rows, with the first factors of each series

TERMS = 2
HOW = Newton(columns=2, steps=2, trace_bits=5, squares=26, slopes=26, errors=26)


async def _step(p: Party, x: Share, y: Share, w: Share) -> Share:
    j, k = pairs(2)
    products = await multiply(p, x[:, j], x[:, k])
    squares = await truncate(p, products, products.scale - HOW.squares)
    rows, held = await together(hold(p, x), hold(p, squares))
    design = Design(rows, rows, held)
    gram_inverse, _ = await inverse(p, await gram(p, design, HOW), TERMS)
    step = await newton_step(p, design, y, await lift(p, w, MATRIX_RING), gram_inverse, TERMS, HOW)
    return await wide_truncate(p, step.move, step.move.scale - 30)


def _step_reference(x: Array, y: Array, w: Array) -> Array:
    def series(r: Array) -> Array:
        return np.sum([np.linalg.matrix_power(r, k) for k in range(2**TERMS)], axis=0)

    s = 1 / (1 + np.exp(-x @ w))
    start = series(np.eye(2) - x.T @ x / 2**HOW.trace_bits)
    information = 4 * x.T @ (x * (s * (1 - s))[:, np.newaxis]) / 2**HOW.trace_bits
    return start @ series(np.eye(2) - information @ start) @ (4 * x.T @ (y - s) / 2**HOW.trace_bits)


CASES = {
    "Newton step": Case(
        _step,
        _step_reference,
        [
            reals((3, 2), scale=ROW_SCALE, largest=2.0),
            integers((3,), 0, 1),
            reals((2,), scale=WEIGHT_SCALE, largest=3.0),
        ],
        1e-4,
        Cost(6 + 2 * TERMS + 16 + 2 * TERMS, 4023, 6074),
        View(owners=(2,), soak_from=2, words=200, shift=0.6),
        owners=(2, 3),
        examples=5,
        every=10,
        long=("faults",),
    ),
    "inference, open": job(inferring("open-fisher"), inferring_reference, Cost(9, 1040, 0, owners=(2,)), long=()),
    "inference": job(inferring("shared"), inferring_reference, Cost(253, 74811, 143358, owners=(2,))),
    "inference on columns": job(
        inferring_vertically, inferring_vertically_reference, Cost(258, 127905, 177975, owners=(2,))
    ),
}
