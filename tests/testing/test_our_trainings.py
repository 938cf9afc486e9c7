"""The trainings under all four checks: the Gram matrix, the steps of both forms, the range checks, the whole job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, ProtocolError
from mpc.ring.abstract_array import ghost
from mpc.ring.array import Array
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own, reals
from protocols.bit_budget import Extent, bit_budget, dual_budget
from protocols.dual import DualDescent, check_scores, descend_dual, dual_weights
from protocols.gram import hold_gram, hold_gram_of_columns
from protocols.held import Rows, hold
from protocols.logistic import Descent, descend
from protocols.range_check import Limits, check_range
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnRows
from protocols.sigmoid_fits import FITS
from protocols.stacked import Stacked
from protocols.standardise import SUM_RING
from protocols.training_job import training_job
from protocols.training_settings import TrainingSettings
from protocols.twin import fit_twin
from protocols.twin import sigmoid as exact_sigmoid
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

WORD = 8
WIDE = SUM_RING.word_bytes
TERMS = len(FITS[0].coefficients)
G_SCALE = 10


def own_rows(p: Party, mine: Array) -> Stacked:
    """Every owner's own rows, one owner's after another's."""
    return Stacked(Share(mine, X_SCALE), (mine.shape[0],) * len(p.owners), p.index)


async def _gram(p: Party, mine: Array) -> Share:
    held = await hold(p, own_rows(p, mine))
    gram = await hold_gram(p, held, mine, [mine.shape[0]] * len(p.owners), G_SCALE)
    return gram.share


def _gram_twin(parts: tuple[Array, ...]) -> Array:
    x = np.concatenate(parts)
    return np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1)


async def _gram_of_columns(p: Party, mine: Array) -> Share:
    return (await hold_gram_of_columns(p, mine, 2 * X_SCALE, G_SCALE)).share


def _gram_of_columns_twin(parts: tuple[Array, ...]) -> Array:
    x = np.concatenate(parts, axis=1)
    return np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1)


# -- the steps of both forms

PRIMAL = Descent(0.5, 0.1, FITS[0], bit_budget(FITS[0], 0.5, 1, 8, 0.1))
DUAL = DualDescent(0.5, 0.1, FITS[0], dual_budget(FITS[0], 0.5, 0.1, Extent(9, 4, 2, 2, 1, standardised=True)))


def steps_of(x: Any) -> tuple[Rows, ...]:
    """All rows, and all rows backwards."""
    order = np.arange(x.shape[0])
    return Rows.of(order), Rows.of(order[::-1].copy())


async def _descend(p: Party, x: Share, y: Share) -> tuple[Share, ...]:
    w, seen = await descend(p, await hold(p, x), y, steps_of(x), PRIMAL)
    return w, *seen()


def _descend_twin(x: Array, y: Array) -> tuple[Array, ...]:
    """`x` has its last column for the intercept, which is not penalised."""
    weights = [np.zeros(x.shape[1])]
    penalised = np.append(np.ones(x.shape[1] - 1), 0.0)
    for rows in steps_of(x):
        w, batch = weights[-1], x[rows.index]
        decay = PRIMAL.rate * PRIMAL.l2 * w * penalised
        weights.append(w - PRIMAL.rate / len(y) * batch.T @ (exact_sigmoid(batch @ w) - y[rows.index]) - decay)
    return weights[-1], *weights[:-1]


async def _descend_dual(p: Party, gram: Share, y: Share) -> tuple[Share, ...]:
    ones = p.public(p.constant(1 << DUAL.bits.g, (gram.shape[0], 1), DUAL.bits.g))
    wide = Share(np.concatenate((gram.value, ones.value), axis=1), DUAL.bits.g)
    u, seen = await descend_dual(p, await hold(p, wide), y, steps_of(gram), DUAL)
    return u, *seen


def _descend_dual_twin(gram: Array, y: Array) -> tuple[Array, ...]:
    us = [np.zeros(len(y) + 1)]
    for rows in steps_of(gram):
        u = us[-1]
        errors = DUAL.rate / len(y) * (exact_sigmoid(gram[rows.index] @ u[:-1] + u[-1]) - y[rows.index])
        after = u - DUAL.rate * DUAL.l2 * u * np.append(np.ones(len(y)), 0.0)
        after[rows.index] -= errors
        after[-1] -= errors.sum()
        us.append(after)
    return us[-1], *us[:-1]


async def _dual_weights(p: Party, x: Share, u: Share) -> Share:
    return await dual_weights(p, await hold(p, x), u, DUAL)


# -- the range: what is in it passes, what is not ends in an error at every owner

LIMITS = Limits(20.0, 50.0)
OUT = ProtocolError("out of range")


async def _check_range(p: Party, x: Share, w: Share) -> int:
    await check_range(p, await hold(p, x), steps_of(x), [w[0], w[1]], LIMITS, OUT)
    return 0


def _check_range_twin(x: Array, w: Array) -> Array:
    if max(np.abs(x[rows.index] @ w[t]).max() for t, rows in enumerate(steps_of(x))) > 20.0 or np.abs(w).max() > 50.0:
        raise OUT
    return np.array(0)


async def _check_scores(p: Party, gram: Share, u: Share) -> int:
    await check_scores(p, await hold(p, gram), steps_of(gram), [u[0], u[1]], 20.0, OUT)
    return 0


def _check_scores_twin(gram: Array, u: Array) -> Array:
    if max(np.abs(gram[rows.index] @ u[t]).max() for t, rows in enumerate(steps_of(gram))) > 20.0:
        raise OUT
    return np.array(0)


def _bytes_compared(values: int) -> int:
    """Of `outside` and `any_set` for so many values: the masked values, both trees, the bits and the word."""
    return values * (WORD + 24 + 12 + 3 * 6 + 4) + -(-values // 8) + WORD


def _dealt_compared(values: int) -> int:
    """The masks' bits, the trees' products, and the bits' random words."""
    return values * (WORD + 2 * (8 + 4 + 3 * 2 + 1)) + values * WORD


# -- the job


def settings(p: Party, rows: int, features: int, form: Any, **changes: Any) -> TrainingSettings:
    n = len(p.owners)
    given: dict[str, Any] = {"standardise": True, "metrics": False, **changes}
    return TrainingSettings(
        p.owners, "helper", (rows,) * n, (0,) * n, features, 3, 2, n * rows, 0.5, 0.01, 20.0, form=form, **given
    )


def job(form: str, *, metrics: bool = False) -> Any:
    async def run(p: Party, x: Array, y: Array) -> Any:
        rows, features = x.shape
        real, labels = (p.compute(_real, a, scale, shape=a.shape) for a, scale in ((x, 8), (y, 0)))
        names = tuple(f"x{k}" for k in range(features))
        mine = OwnRows(names, real, labels, ghost((0, features)) if p.dry else real[:0], labels[:0])
        trained = await training_job(p, mine, settings(p, rows, features, form, metrics=metrics))
        return None if trained is None else np.array(trained.standardised)

    return run


def _real(elements: Array, scale: int) -> Array:
    return Z64.centred(elements).astype(np.float64) / 2.0**scale


def _job_twin(x: tuple[Array, ...], y: tuple[Array, ...]) -> Array:
    rows, labels = np.concatenate(x), np.concatenate(y)
    if (rows.min(axis=0) == rows.max(axis=0)).any():
        raise DataError("a constant column")
    batch = Rows.of(np.arange(len(rows)))
    return fit_twin(rows, labels, (batch, batch), 0.5, 0.01, standardise=True).weights


def own_order(n: int) -> Secrets:
    """Rows whose sums are exact in any order, and for each owner the same but its own rows in another order.

    All that is revealed stays as it is: each step is over all rows.
    """
    x = [np.tile(np.array([[1.0], [3.0]] * 4) * k, 6) for k in (1, -1, 2)][:n]
    y = [np.arange(8) * k % 2 for k in (1, 3, 5)][:n]
    return [([x, y], [[a[::-1] if i == k else a for i, a in enumerate(part)] for part in (x, y)]) for k in range(n)]


def traded_and_own_order(n: int) -> Secrets:
    """As `own_order`; and two owners have each other's rows."""
    (one, _), *_ = own_order(n)
    orders = [(1, 0, 2), (2, 1, 0), (0, 2, 1)] if n == 3 else []
    return [*own_order(n), *((one, [[part[i] for i in order] for part in one]) for order in orders)]


WEIGHTS = [reals(("m", "d"), scale=14, largest=4.0), reals((2, "d"), scale=14, largest=60.0)]
IN_RANGE: Secrets = [([0.0, 1.0], [np.tile([1.0, 0.5, -1.0, 0.25], (20, 5)), 1.0]), ([0.5, 0.0], [0.5, 1.5])]
OURS = {
    "Gram matrix": Spoken(
        _gram,
        _gram_twin,
        [own(reals(("m", "d"), scale=X_SCALE, largest=1000.0))],
        2.0**-G_SCALE,
        3,
        (2 * 2 + 4 + 4 * 5) * WORD,
        (4 + 2 * 4) * WORD,
        {"m": 2, "d": 2},
        view_sizes={"m": 6, "d": 20},
        structure_sizes={"m": 1, "d": 1},
        cost_owners=(2,),
        words=1000,
        shift=0.3,
    ),
    "Gram matrix of columns": Spoken(
        _gram_of_columns,
        _gram_of_columns_twin,
        [own(reals(("m", "d"), scale=X_SCALE, largest=1000.0))],
        5 * 2.0 ** -(G_SCALE + 1),  # each owner rounds its own
        1,
        3 * (3 + 1) * WORD,
        0,
        {"m": 3, "d": 2},
        view_sizes={"m": 20, "d": 2},
    ),
    "descent": Spoken(
        _descend,
        _descend_twin,
        [reals(("m", "d"), scale=PRIMAL.bits.x, largest=2.0), integers(("m",), 0, 1)],
        lambda x, y: 1e-4 + 2.0**-10,
        7,
        (6 + 2 * (3 + 2 + 2)) * WORD,
        2 * ((2 + 3 + 3) * WORD + 2 * TERMS * 2 * WORD + 3 * WORD + 6 * 2 + 4 * WORD),
        {"m": 2, "d": 3},
        view_sizes={"m": 30, "d": 30},
        words=500,
        shift=0.4,
    ),
    "dual descent": Spoken(
        _descend_dual,
        _descend_dual_twin,
        [reals(("m", "m"), scale=DUAL.bits.g, largest=2.0), integers(("m",), 0, 1)],
        lambda gram, y: 1e-4 + 2.0**-10,
        5,
        (12 + 2 * (4 + 3)) * WORD,
        2 * ((3 + 4 + 4) * WORD + 2 * TERMS * 3 * WORD),
        {"m": 3},
        view_sizes={"m": 30},
        words=500,
        shift=0.4,
    ),
    "dual weights": Spoken(
        _dual_weights,
        lambda x, u: np.append(x.T @ u[:3], u[3:].sum()),
        [reals((3, "d"), scale=X_SCALE, largest=2.0), reals((4,), scale=DUAL.bits.u, largest=2.0)],
        1e-3,
        3,
        (3 * 2 + 4 + 3) * WORD,
        (2 * 4 + 2) * WORD,
        {"d": 2},
        view_sizes={"d": 40},
        words=100,
        shift=0.8,
    ),
    "range check": Spoken(
        _check_range,
        _check_range_twin,
        WEIGHTS,
        0.0,
        11,
        (6 + 6) * WORD + _bytes_compared(4 + 6),
        4 * WORD + _dealt_compared(4 + 6),
        {"m": 2, "d": 3},
        secrets=lambda n: IN_RANGE,
        view_sizes={"m": 20, "d": 20},
        structure_sizes={"m": 1, "d": 1},
        words=100,
        shift=0.8,
    ),
    "scores": Spoken(
        _check_scores,
        _check_scores_twin,
        WEIGHTS,
        0.0,
        11,
        (6 + 6) * WORD + _bytes_compared(4),
        4 * WORD + _dealt_compared(4),
        {"m": 2, "d": 3},
        secrets=lambda n: IN_RANGE,
        view_sizes={"m": 20, "d": 20},
        structure_sizes={"m": 1, "d": 1},
        words=100,
        shift=0.8,
    ),
}
JOBS = {
    form: Spoken(
        job(form),
        _job_twin,
        [own(reals(("m", "d"), scale=8, largest=4.0)), own(integers(("m",), 0, 1))],
        1e-3,
        rounds,
        bytes_,
        dealt,
        {"m": 2, "d": 2},
        secrets=own_order,
        view_sizes={"m": 8, "d": 6},
        cost_owners=(2,),
        words=100,
        shift=0.8,
        structure="by round",  # in a soak: it takes two runs a drawn word
        examples=20,
        every=23,
    )
    for form, rounds, bytes_, dealt in (
        (
            "primal",
            2 + 1 + 2 * 3 + 10 + 1,
            2 * 2 * WIDE + (2 * 3 + 2 * (3 + 4 + 4) + 2 * 3) * WORD + _bytes_compared(2 * (4 + 3)) + 3 * WORD,
            2 * ((4 + 3 + 3 + 2 * TERMS * 4 + 3 + 2 * 4) * WORD + 3 * 4 * 2) + 8 * WORD + _dealt_compared(2 * (4 + 3)),
        ),
        (
            "dual",
            2 + 3 + 2 * 2 + 10 + 2 + 1,
            2 * 2 * WIDE + (2 * 2 + 4 + 4 * 5 + 2 * (5 + 4) + 5 * 2 + 5 + 4 + 3) * WORD + _bytes_compared(2 * 4),
            (3 * 4 + 2 * (4 + 2 * 5 + 2 * TERMS * 4) + 8 + 2 * 5 + 2) * WORD + _dealt_compared(2 * 4),
        ),
    )
}
BOTH = {**OURS, **JOBS}


@pytest.mark.parametrize("name", BOTH)
def test_correct(name: str) -> None:
    hold_to_correct(BOTH[name])


@pytest.mark.parametrize("name", BOTH)
def test_cost(name: str) -> None:
    hold_to_cost(BOTH[name])


@pytest.mark.parametrize("name", OURS)
def test_view(name: str) -> None:
    hold_to_view(OURS[name], 2)


@pytest.mark.soak
@pytest.mark.parametrize("name", OURS)
def test_view_among_three(name: str) -> None:
    hold_to_view(OURS[name], 3)


@pytest.mark.parametrize("form", JOBS)
def test_what_an_owner_sees_of_a_whole_training(form: str) -> None:
    hold_to_view(JOBS[form], 2)


@pytest.mark.soak
@pytest.mark.parametrize("form", JOBS)
def test_what_any_coalition_sees_of_a_whole_training(form: str) -> None:
    """Three owners, each pair of them together too, and the masks of all that is sent."""
    it = replace(
        JOBS[form], secrets=traded_and_own_order, structure=True, structure_sizes={"m": 1, "d": 1}, words=500, shift=0.4
    )
    saw = hold_to_view(it, 3)
    assert saw.structure is not None and saw.structure.words > 100


@pytest.mark.soak
@pytest.mark.parametrize("form", JOBS)
def test_every_fault_in_a_whole_training_with_its_metrics(form: str) -> None:
    hold_to_faults(replace(JOBS[form], protocol=job(form, metrics=True), every=1))


@pytest.mark.parametrize("name", BOTH)
def test_faults(name: str) -> None:
    hold_to_faults(BOTH[name])
