"""The job of statistical inference where owners have rows of their own: the maximum-likelihood fit, and its errors."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from mpc.errors import DataError
from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from mpc.round import together
from mpc.share import Public, Share
from protocols.column_fit import check_fit
from protocols.data_summary import summarise
from protocols.held import hold
from protocols.inference_table import Inference, inference
from protocols.irls import ROW_SCALE, Design, Fitted, Newton, fit, newton_for, pairs
from protocols.metrics import SUM_SCALE, Scored, bins_for, evaluate, local_sums
from protocols.open_fisher import fit_open
from protocols.secure_sum import secure_sum
from protocols.standardise import Moments, moments
from protocols.training_job import blank_rows
from protocols.training_settings import OwnRows, Trained, TrainingSettings
from protocols.wide import wide_truncate
from protocols.wide_inverse import MATRIX_RING

VARIANCE_SCALE = 48
_COVARIANCE_SCALE = 60
_SHIFT_SCALE = 48  # of mean / deviation, which is at most LARGEST_SHIFT
LARGEST_SHIFT = 2.0**20


async def inference_job(p: Party, own: OwnRows | None, settings: TrainingSettings) -> Trained | None:
    """Standardise, fit under sharing, check that the fit exists, reveal the coefficients and their standard errors.

    Reveals the summary of the data (where asked for), the pooled means and standard deviations, two bits (whether
    features are collinear, whether the fit was reached), the model, the variances of its coefficients (the diagonal of
    their covariance, no more of it), the log-likelihood with the number of positive rows, and the metrics' sums where
    asked for. The pooled Fisher matrix, which of two owners would tell each the other's, stays shared.

    Raises:
        DataError: a feature is constant, far off 0 or collinear, or the classes can be separated.
    """
    own = own or blank_rows(p, settings)
    summary = await summarise(p, own, settings)
    p.stage("standardisation")
    scaling = await moments(p, own.x_train, sum(settings.train_rows), own.names)
    p.insist(lambda: check_shifts(scaling, own.names), lambda: DataError("a feature is far off 0"))
    train = scaling.apply(own.x_train)
    p.insist(
        lambda: check_fit(train, own.names, p.name, standardised=True), lambda: DataError("a feature does not fit")
    )
    fit_shared = _shared if settings.inference == "shared" else _open
    weights, variances = await fit_shared(p, own, train, scaling, settings)
    p.stage("evaluation")
    train_set = _scored(p, train, own.y_train, weights)
    sums = await _likelihood(p, train_set)
    metrics = None
    if settings.metrics:
        sets = {"train": train_set}
        if sum(settings.test_rows):
            test = p.compute(scaling.apply, own.x_test, shape=own.x_test.shape)
            sets["test"] = _scored(p, test, own.y_test, weights)
        metrics = await evaluate(p, sets, bins_for(np.zeros(2) if p.dry else weights))
    p.stage("done")
    if p.dry:
        return None
    coefficients = in_units(weights, scaling)
    found = _inference(own.names, coefficients, variances, sum(settings.train_rows), sums)
    own_units = tuple(map(float, coefficients[:-1]))
    return Trained(own.names, own_units, float(coefficients[-1]), tuple(map(float, weights)), metrics, summary, found)


async def _shared(
    p: Party, own: OwnRows, train: Array, scaling: Moments, settings: TrainingSettings
) -> tuple[Array, Array]:
    """The standardised weights and the variances in own units, all under sharing but these."""
    how = newton_for(settings.features + 1, sum(settings.train_rows), settings.iterations)
    p.stage("sharing")
    fitted = await fit(p, *await _share(p, train, own.y_train, how, settings), how)
    p.stage("model")
    w, opened = await _reveal(p, fitted, scaling, settings.features)

    def variances() -> Array:
        real = opened.real()
        return np.append(real[:-1] / scaling.deviation**2, real[-1])

    return p.compute(w.real, shape=w.shape), p.compute(variances, shape=w.shape)


async def _open(
    p: Party, own: OwnRows, train: Array, scaling: Moments, settings: TrainingSettings
) -> tuple[Array, Array]:
    """The same from the pooled gradient and Fisher matrix of every step, opened."""
    rows = p.compute(with_ones, train, shape=(train.shape[0], settings.features + 1))
    found = await fit_open(p, rows, own.y_train, settings.iterations)

    def variances() -> Array:
        c = [-m / s for m, s in zip(scaling.mean.tolist(), scaling.deviation.tolist(), strict=True)] + [1.0]
        terms = (a * v * b for a, row in zip(c, found.covariance, strict=True) for v, b in zip(row, c, strict=True))
        diagonal = np.array([found.covariance[j][j] for j in range(settings.features)])
        return np.append(diagonal / scaling.deviation**2, math.fsum(terms))

    shape = (settings.features + 1,)
    return p.compute(np.array, found.weights, shape=shape), p.compute(variances, shape=shape)


def in_units(weights: Array, scaling: Moments) -> Array:
    """Coefficients of the features in their own units, the intercept last (d + 1,), of standardised ones."""
    raw = weights[:-1] / scaling.deviation
    return np.append(raw, weights[-1] - math.fsum((raw * scaling.mean).tolist()))


def check_shifts(scaling: Moments, names: tuple[str, ...]) -> bool:
    """True if no mean is too many deviations off 0 for the intercept's error; raises if one is."""
    far = [n for n, m, s in zip(names, scaling.mean, scaling.deviation, strict=True) if abs(m) > s * LARGEST_SHIFT]
    if far:
        raise DataError(
            f"column {', '.join(far)} has a mean of more than {LARGEST_SHIFT:.0f} standard deviations",
            "subtract a round number from the column at all owners, so that its values lie closer to 0",
        )
    return True


async def _share(
    p: Party, train: Array, labels: Array, how: Newton, settings: TrainingSettings
) -> tuple[Design, Share]:
    """All owners' standardised rows and the products of their columns, held; and the labels. 1 round, more if large."""
    j, k = pairs(how.columns)
    ones = p.compute(lambda: rounded_rows(train), shape=(train.shape[0], how.columns))
    products = p.compute(lambda: ones[:, j] * ones[:, k], shape=(train.shape[0], len(j)))
    xs, squares, ys = [], [], []
    for owner, rows in zip(settings.owners, settings.train_rows, strict=True):
        mine = owner == p.name and not p.dry
        x = encode(ones, ROW_SCALE) if mine else None
        square = encode(products, how.squares) if mine else None
        y = labels.astype(np.uint64) if mine else None
        xs.append(p.input(owner, x, (rows, how.columns), ROW_SCALE).value)
        squares.append(p.input(owner, square, (rows, len(j)), how.squares).value)
        ys.append(p.input(owner, y, (rows,), 0).value)
    rows_held, squares_held = await together(
        hold(p, Share(np.concatenate(xs), ROW_SCALE)), hold(p, Share(np.concatenate(squares), how.squares))
    )
    return Design(rows_held, rows_held, squares_held), Share(np.concatenate(ys))


def with_ones(train: Array) -> Array:
    """Rows with a last column of ones (m, d + 1)."""
    return np.concatenate((train, np.ones((len(train), 1))), axis=1)


def rounded_rows(train: Array) -> Array:
    """The same rounded to ROW_SCALE, so that the products of the columns are those of the rows as they are shared."""
    return np.ldexp(np.rint(np.ldexp(with_ones(train), ROW_SCALE)), -ROW_SCALE)


async def _reveal(p: Party, fitted: Fitted, scaling: Moments, features: int) -> tuple[Public, Public]:
    """The standardised model, and the variances: of the standardised weights, and of the intercept in own units.

    3 rounds. The intercept b - sum_j w_j c_j, c_j = mean_j / deviation_j, has the variance c' V c for c = (-c_j, 1):
    a public combination of the shared covariance V.
    """
    d = features + 1
    covariance = await wide_truncate(p, fitted.covariance, fitted.covariance.scale - _COVARIANCE_SCALE)
    outer = Public(p.compute(_outer, scaling, d, shape=(d * d,)), 2 * _SHIFT_SCALE, MATRIX_RING)
    flat = covariance.reshape(d * d)
    intercept = (flat * outer).sum()
    own = flat[np.arange(features, dtype=np.int64) * (d + 1)]
    weights, variance = await together(
        wide_truncate(p, own, own.scale - VARIANCE_SCALE), wide_truncate(p, intercept, intercept.scale - VARIANCE_SCALE)
    )
    both = Share(np.concatenate((weights.value, variance.value)), VARIANCE_SCALE, MATRIX_RING)
    opened = await together(
        p.reveal(fitted.w, what="model", why="the agreed result: the weights and the intercept", label="model"),
        p.reveal(
            both, what="standard errors", why="the agreed result: the variance of each coefficient", label="variances"
        ),
    )
    return opened[0][0], opened[1][0]


def _outer(scaling: Moments, d: int) -> Array:
    """c_j c_k (d d,) for c = (-mean / deviation, 1), in integers: the same at every owner."""
    c = [round(-Fraction(float(m)) / Fraction(float(s)) * 2**_SHIFT_SCALE)
         for m, s in zip(scaling.mean, scaling.deviation, strict=True)] + [1 << _SHIFT_SCALE]  # fmt: skip
    flat = np.empty(d * d, dtype=object)
    flat[:] = [a * b for a in c for b in c]
    return MATRIX_RING.reduce(flat)


async def _likelihood(p: Party, scored: Scored) -> Public:
    """Minus the log-likelihood, and how many rows are of class 1 (2,). 1 round; reveals these sums."""

    def own() -> Array:
        loss = local_sums(scored)[4]
        return encode(np.array([loss, np.sum(scored.y == 1)]), SUM_SCALE, what="the log-likelihood")

    words = p.compute(own, shape=(2,))
    why = "how well the model explains the classes: its log-likelihood, and how many rows are of class 1"
    return await secure_sum(p, words, SUM_SCALE, what="log-likelihood", why=why, label="log-likelihood")


def _inference(names: tuple[str, ...], coefficients: Array, variances: Array, rows: int, sums: Public) -> Inference:
    loss, positives = sums.real()
    return inference(
        names, list(map(float, coefficients)), list(map(float, variances)), rows, (round(positives), float(loss))
    )


def _scored(p: Party, x: Array, y: Array, weights: Array) -> Scored:
    return Scored(p.compute(lambda: x @ weights[:-1] + weights[-1], shape=(len(x),)), y)
