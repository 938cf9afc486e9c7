"""Trainings: one step, the steps of both forms, the range checks, and whole jobs on rows and on columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.errors import DataError, ProtocolError
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import Input, integers, own, reals
from protocols.core.beaver import multiply
from protocols.functions.sigmoid_fits import FITS
from protocols.linalg.held import Rows, hold, take_rows
from protocols.linalg.hessian import PENALTY_SCALE
from protocols.plain.accelerated import accelerated_reference
from protocols.plain.logistic import fit_reference
from protocols.plain.maximum_likelihood import sigmoid as exact_sigmoid
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns, OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated import Accelerated, Prepared, momentum_words
from protocols.training.accelerated import step as accelerated_step
from protocols.training.accelerated import target as accelerated_target
from protocols.training.accelerated_budget import MOMENTUM_BITS, accelerated_budget, dyadic
from protocols.training.bit_budget import Extent, bit_budget, dual_budget
from protocols.training.class_weights import class_weights, weighted_rows
from protocols.training.columns_job import vertical_job
from protocols.training.descent import Descent, descend, step, target
from protocols.training.dual import DualDescent, check_scores, descend_dual, dual_weights
from protocols.training.range_check import Limits, check_range
from protocols.training.rows_job import training_job
from protocols.training.stop_test import at_rest
from tests.testing.cases.case import Case, Cost, Secrets, View, two_others_trade
from tests.testing.cases.costs import WIDE, WORD, outside
from tests.testing.cases.linalg import backwards
from tests.testing.cases.numbers import decoded

FIT = FITS[0]
TERMS = len(FIT.coefficients)

# -- rows weighted by class, and one step


async def _weighted_rows(p: Party, x: Share, y: Share) -> Share:
    return await weighted_rows(p, x, y, await class_weights(p, y, (0.5, 3.0)))


ONE = Descent(0.5, 0.1, FIT, bit_budget(FIT, 0.5, 1, 5, 0.1))


async def _step(p: Party, x: Share, y: Share, w: Share) -> Share:
    decay = np.full(x.shape[1], round(ONE.rate * ONE.l2 * 2.0**ONE.bits.w_shift), dtype=np.uint64)
    after, _ = await step(
        p, await hold(p, x), target(p, y, x.shape[0], ONE), backwards(x), w, Public(decay, ONE.bits.w_shift), ONE
    )
    return after


def _step_reference(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return w - ONE.rate / len(y) * x.T @ (exact_sigmoid(x @ w) - y) - ONE.rate * ONE.l2 * w


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


def _descend_reference(x: Array, y: Array) -> tuple[Array, ...]:
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


def _descend_dual_reference(gram: Array, y: Array) -> tuple[Array, ...]:
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


# -- a step with momentum, plain and preconditioned: there the penalty is a held matrix

CARRIED, AHEAD = (word / 2.0**MOMENTUM_BITS for word in momentum_words(dyadic(0.8)))
RATE, L2 = 0.3, 0.1
FULL = Accelerated(RATE, dyadic(0.8), L2, FIT, accelerated_budget(FIT, RATE, dyadic(0.8), L2, 4, 3, 1.0, None))


async def _accelerated(p: Party, x: Share, y: Share, v: Share, u: Share) -> tuple[Share, Share]:
    rows = take_rows(await hold(p, x), Rows.of(np.arange(x.shape[0])))
    return (await accelerated_step(p, Prepared(rows, rows, None), accelerated_target(p, y, FULL), v, u, FULL))[:2]


def _accelerated_reference(x: Array, y: Array, v: Array, u: Array) -> tuple[Array, Array]:
    return _after(x.T @ (exact_sigmoid(x @ v) - y) / len(y) + L2 * v * np.append(np.ones(len(v) - 1), 0.0), v, u)


async def _penalised(p: Party, x: Share, y: Share, q: Share, v: Share, u: Share) -> tuple[Share, Share]:
    rows, penalty = take_rows(await hold(p, x), Rows.of(np.arange(x.shape[0]))), await hold(p, q)
    return (await accelerated_step(p, Prepared(rows, rows, penalty), accelerated_target(p, y, FULL), v, u, FULL))[:2]


def _penalised_reference(x: Array, y: Array, q: Array, v: Array, u: Array) -> tuple[Array, Array]:
    return _after(x.T @ (exact_sigmoid(x @ v) - y) / len(y) + q @ v / (AHEAD_OF * RATE), v, u)


AHEAD_OF = 1 + dyadic(0.8)


def _after(gradient: Array, v: Array, u: Array) -> tuple[Array, Array]:
    gamma = AHEAD_OF * RATE * gradient
    return v - gamma + AHEAD * u, CARRIED * u - gamma


# -- a multiplication until it changes little, which is all that is told

AT_REST, MOST = 20, 4  # the scale, and the most multiplications


async def settling(p: Party, x: Share, y: Share) -> Share:
    """x y^k, until a multiplication changes no entry by more than 0.5, or k = MOST."""
    before = p.public(p.constant(0, x.shape, AT_REST))
    for _ in range(MOST):
        if await at_rest(p, x, before, 0.5):
            break
        before, x = x, await multiply(p, x, y)
    return x


def _settled(x: Array, y: Array) -> Array:
    before = np.zeros_like(x)
    for _ in range(MOST):
        if np.abs(x - before).max() <= 0.5:
            break
        before, x = x, x * y
    return x


# -- the range: what is in it passes, what is not ends in an error at every owner

LIMITS = Limits(20.0, 50.0)
OUT = ProtocolError("out of range")


async def _check_range(p: Party, x: Share, w: Share) -> int:
    await check_range(p, await hold(p, x), steps_of(x), [w[0], w[1]], LIMITS, OUT)
    return 0


def _check_range_reference(x: Array, w: Array) -> Array:
    if max(np.abs(x[rows.index] @ w[t]).max() for t, rows in enumerate(steps_of(x))) > 20.0 or np.abs(w).max() > 50.0:
        raise OUT
    return np.array(0)


async def _check_scores(p: Party, gram: Share, u: Share) -> int:
    await check_scores(p, await hold(p, gram), steps_of(gram), [u[0], u[1]], 20.0, OUT)
    return 0


def _check_scores_reference(gram: Array, u: Array) -> Array:
    if max(np.abs(gram[rows.index] @ u[t]).max() for t, rows in enumerate(steps_of(gram))) > 20.0:
        raise OUT
    return np.array(0)


# -- the job


def settings(p: Party, rows: tuple[int, ...], features: int, **changes: Any) -> TrainingSettings:
    given: dict[str, Any] = {"metrics": False, "epochs": 2, "batch_size": sum(rows), "learning_rate": 0.5, "l2": 0.01}
    none = (0,) * len(rows)
    return TrainingSettings(
        p.owners, "helper", rows, none, features, 3, sigmoid_range=20.0, standardise=True, **{**given, **changes}
    )


def rows_job(form: str, *, metrics: bool = False) -> Any:
    async def run(p: Party, x: Array, y: Array) -> Any:
        rows, features = x.shape
        real, labels = decoded(p, x, 8), decoded(p, y, 0)
        names = tuple(f"x{k}" for k in range(features))
        mine = OwnRows(names, real, labels, abstract((0, features)) if p.dry else real[:0], labels[:0])
        trained = await training_job(
            p, mine, settings(p, (rows,) * len(p.owners), features, form=form, metrics=metrics)
        )
        return None if trained is None else np.array(trained.standardised)

    return run


def _job_reference(x: tuple[Array, ...], y: tuple[Array, ...]) -> Array:
    rows, labels = np.concatenate(x), np.concatenate(y)
    if (rows.min(axis=0) == rows.max(axis=0)).any():
        raise DataError("a constant column")
    batch = Rows.of(np.arange(len(rows)))
    return fit_reference(rows, labels, (batch, batch), 0.5, 0.01, standardise=True).weights


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
    return [*own_order(n), *(two_others_trade(*one) if n == 3 else ())]


# -- a training on split columns: by gradient descent, its model opened; with momentum, its model kept

IDS = np.arange(DIGEST_BITS, dtype=np.uint8) % 2
SCALE = 8


def columns_of(p: Party, x: Array, y: Array) -> OwnColumns:
    """One column an owner, and the labels at the first."""
    names: dict[str, tuple[str, ...]] = {owner: (f"x{k}",) for k, owner in enumerate(p.owners)}
    labels = y if p.index == 0 else y[:0]
    return OwnColumns(names, p.owners[0], x, labels, x[:0], labels[:0], IDS)


MOMENTUM = 0.5


def training(*, kept: bool) -> Any:
    async def run(p: Party, x: Array, y: Array) -> Any:
        solver: dict[str, Any] = {"solver": "nesterov", "iterations": 2, "momentum": MOMENTUM} if kept else {}
        how = settings(p, x.shape[:1], len(p.owners), partition="vertical", reveal_model=not kept, **solver)
        mine = None if p.dry else columns_of(p, decode(x, SCALE), y.astype(np.float64))
        trained = await vertical_job(p, mine, how)
        if trained is None:
            return None
        return trained.kept.weights if trained.kept else np.array([*trained.weights, trained.intercept])

    return run


def training_reference(*, kept: bool) -> Any:
    def fitted(x: tuple[Array, ...], y: tuple[Array, ...]) -> Array:
        rows = np.concatenate(x, axis=1)
        if (np.ptp(rows, axis=0) == 0).any():
            raise DataError("a constant column")
        every = Rows.of(np.arange(len(rows)))
        if kept:
            ready = np.c_[(rows - rows.mean(axis=0)) / rows.std(axis=0), np.ones(len(rows))]
            return accelerated_reference(ready, y[0], 2, 0.5, MOMENTUM, 0.01, None).weights
        model = fit_reference(rows, y[0], (every, every), 0.5, 0.01, standardise=True)
        return in_original_units(model.weights, model.mean, model.deviation)

    return fitted


def in_original_units(w: Array, mean: Array, deviation: Array) -> Array:
    return np.append(w[:-1] / deviation, w[-1] - (w[:-1] * mean / deviation).sum())


def any_other(n: int) -> Secrets:
    """Of one owner anything else: what is opened is that nothing left its range, and that weights still moved."""
    x = [[[1.0], [3.0], [2.0], [0.5]], [[-4.0], [4.0], [0.0], [1.0]], [[0.0], [0.0], [1.0], [2.0]]][:n]
    other = [[[7.0], [-3.0], [0.25], [0.0]], [[2.0], [2.5], [3.0], [-1.0]], [[5.0], [-5.0], [1.0], [4.0]]][:n]
    labels = [[0, 1, 0, 1]] * n
    moved = [[other[i] if i == k else column for i, column in enumerate(x)] for k in range(n)]
    return [([x, labels], [one, [[0, 1, 1, 0], *labels[1:]] if k == 0 else labels]) for k, one in enumerate(moved)]


WEIGHTS = [reals(("m", "d"), scale=14, largest=4.0), reals((2, "d"), scale=14, largest=60.0)]
IN_RANGE: Secrets = [([0.0, 1.0], [np.tile([1.0, 0.5, -1.0, 0.25], (20, 5)), 1.0]), ([0.5, 0.0], [0.5, 1.5])]
LABELS = own(integers(("m",), 0, 1))
(OF_RANGE, OF_RANGE_DEALT), (OF_SCORES, OF_SCORES_DEALT) = outside(4 + 6), outside(4)
(OF_PRIMAL, OF_PRIMAL_DEALT), (OF_DUAL, OF_DUAL_DEALT) = outside(2 * (4 + 3)), outside(2 * 4)


def accelerated(protocol: Any, reference: Any, cost: Cost, *penalty: Input, **view: Any) -> Case:
    weights = [reals(("d",), scale=FULL.bits.w, largest=1.0)] * 2
    inputs = [reals(("m", "d"), scale=14, largest=2.0), integers(("m",), 0, 1), *penalty, *weights]
    # What the rounding of the features, of v for the penalty and of the sigmoid leave, a row or column at a time.
    return Case(protocol, reference, inputs, 5e-4, cost, View(**view), examples=25, every=25)


FULL_SENT = 4 * 3 + 2 * 3 + 2 * 4  # X once; v and u, z and e
FULL_DEALT = (4 + 2 * 3) + 2 * 3 + 2 * TERMS * 4 + (3 + 2 * 4) + 3 * 4 // 2


def rows_case(form: str, rounds: int, sent: int, dealt: int) -> Case:
    return Case(
        rows_job(form),
        _job_reference,
        [own(reals(("m", "d"), scale=8, largest=4.0)), LABELS],
        1e-3,
        Cost(rounds, sent, dealt, {"m": 2, "d": 2}, owners=(2,)),
        View(owners=(2,), secrets=own_order, sizes={"m": 8, "d": 6}, words=100, shift=0.8, structure="by round"),
        examples=20,
        every=23,
    )


def columns_case(kept: bool, cost: Cost, view: View) -> Case:
    return Case(
        training(kept=kept),
        training_reference(kept=kept),
        [own(reals(("m", 1), scale=SCALE, largest=8.0)), LABELS],
        1e-3,
        cost,
        view,
        examples=12,
        every=17,
    )


CASES = {
    "rows weighted by class": Case(
        _weighted_rows,
        lambda x, y: x * np.where(y == 1, 1.0, 0.5 / 3)[:, None],
        [reals(("m", "d"), scale=14, largest=1000.0), integers(("m",), 0, 1)],
        0.04,
        Cost(2, (3 + 6 + 6) * WORD, (6 + 2 * 6) * WORD, {"m": 3, "d": 2}),
        View(sizes={"m": 2, "d": 2}, words=200, shift=0.6),
        examples=60,
    ),
    "logistic step": Case(
        _step,
        _step_reference,
        [
            reals(("m", "d"), scale=ONE.bits.x, largest=2.0),
            integers(("m",), 0, 1),
            reals(("d",), scale=ONE.bits.w, largest=2.0),
        ],
        ONE.rate * 2.0 * FIT.error + 1e-5,
        Cost(
            4,
            (6 + 2 + 3 + 3) * WORD,
            (3 + 2 + 2) * WORD + 2 * len(FIT.coefficients) * 3 * WORD + 2 * WORD + 6 * 2 + 6 * WORD,
            {"m": 3, "d": 2},
        ),
        View(sizes={"m": 24, "d": 24}),
    ),
    "descent": Case(
        _descend,
        _descend_reference,
        [reals(("m", "d"), scale=PRIMAL.bits.x, largest=2.0), integers(("m",), 0, 1)],
        lambda x, y: 1e-4 + 2.0**-10,
        Cost(
            7,
            (6 + 2 * (3 + 2 + 2)) * WORD,
            2 * ((2 + 3 + 3) * WORD + 2 * TERMS * 2 * WORD + 3 * WORD + 6 * 2 + 4 * WORD),
            {"m": 2, "d": 3},
        ),
        View(sizes={"m": 30, "d": 30}, words=500, shift=0.4),
    ),
    "dual descent": Case(
        _descend_dual,
        _descend_dual_reference,
        [reals(("m", "m"), scale=DUAL.bits.g, largest=2.0), integers(("m",), 0, 1)],
        lambda gram, y: 1e-4 + 2.0**-10,
        Cost(5, (12 + 2 * (4 + 3)) * WORD, 2 * ((3 + 4 + 4) * WORD + 2 * TERMS * 3 * WORD), {"m": 3}),
        View(sizes={"m": 30}, words=500, shift=0.4),
    ),
    "dual weights": Case(
        _dual_weights,
        lambda x, u: np.append(x.T @ u[:3], u[3:].sum()),
        [reals((3, "d"), scale=X_SCALE, largest=2.0), reals((4,), scale=DUAL.bits.u, largest=2.0)],
        1e-3,
        Cost(3, (3 * 2 + 4 + 3) * WORD, (2 * 4 + 2) * WORD, {"d": 2}),
        View(sizes={"d": 40}, words=100, shift=0.8),
    ),
    "accelerated step": accelerated(
        _accelerated,
        _accelerated_reference,
        Cost(4, FULL_SENT * WORD, FULL_DEALT * WORD, {"m": 4, "d": 3}),
        owners=(),
    ),
    "accelerated step, penalised": accelerated(
        _penalised,
        _penalised_reference,
        # the penalty once; v once more, its product's v, and that product
        Cost(5, (FULL_SENT + 9 + 9) * WORD, (FULL_DEALT + 6 + 3 + 6) * WORD, {"m": 4, "d": 3}),
        reals(("d", "d"), scale=PENALTY_SCALE, largest=1.0),
        sizes={"m": 2, "d": 2},
        words=200,
        shift=0.8,
    ),
    "stop test": Case(
        settling,
        _settled,
        [reals(("d",), scale=AT_REST, largest=50.0), integers(("d",), -1, 1)],
        2.0**-AT_REST,
        Cost(MOST * 10, MOST * (3 * (WORD + 24 + 12 + 3 * 6 + 4) + 1 + WORD + 2 * 3 * WORD), 744, {"d": 3}),
        View(owners=()),  # tests/protocols/training/test_stop_test.py
        owners=(2, 3),
        examples=20,
    ),
    "range check": Case(
        _check_range,
        _check_range_reference,
        WEIGHTS,
        0.0,
        Cost(11, (6 + 6) * WORD + OF_RANGE, 4 * WORD + OF_RANGE_DEALT, {"m": 2, "d": 3}),
        View(
            secrets=lambda n: IN_RANGE, sizes={"m": 20, "d": 20}, structure_sizes={"m": 1, "d": 1}, words=100, shift=0.8
        ),
    ),
    "score check": Case(
        _check_scores,
        _check_scores_reference,
        WEIGHTS,
        0.0,
        Cost(11, (6 + 6) * WORD + OF_SCORES, 4 * WORD + OF_SCORES_DEALT, {"m": 2, "d": 3}),
        View(
            secrets=lambda n: IN_RANGE, sizes={"m": 20, "d": 20}, structure_sizes={"m": 1, "d": 1}, words=100, shift=0.8
        ),
    ),
    "training, primal": rows_case(
        "primal",
        2 + 1 + 2 * 3 + 10 + 1,
        2 * 2 * WIDE + (2 * 3 + 2 * (3 + 4 + 4) + 2 * 3) * WORD + OF_PRIMAL + 3 * WORD,
        2 * ((4 + 3 + 3 + 2 * TERMS * 4 + 3 + 2 * 4) * WORD + 3 * 4 * 2) + 8 * WORD + OF_PRIMAL_DEALT,
    ),
    "training, dual": rows_case(
        "dual",
        2 + 3 + 2 * 2 + 10 + 2 + 1,
        2 * 2 * WIDE + (2 * 2 + 4 + 4 * 5 + 2 * (5 + 4) + 5 * 2 + 5 + 4 + 3) * WORD + OF_DUAL,
        (3 * 4 + 2 * (4 + 2 * 5 + 2 * TERMS * 4) + 8 + 2 * 5 + 2) * WORD + OF_DUAL_DEALT,
    ),
    "training on columns": columns_case(False, Cost(23, 2070, 5300, {"m": 4}, owners=(2,)), View(owners=())),
    "training on columns, kept": columns_case(
        True,
        Cost(31, 1764, 4792, {"m": 4}, owners=(2,)),
        View(soak_from=2, secrets=any_other, sizes={"m": 4}, words=100, shift=0.8, structure="by round"),
    ),
}
