"""The job of statistical inference where owners have rows of their own: the maximum-likelihood fit, and its errors."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.stacked import stack
from protocols.core.wide import wide_truncate
from protocols.disclosure.design_cells import check_design
from protocols.evaluation.calibration import calibrate, enough
from protocols.evaluation.likelihood import likelihoods
from protocols.evaluation.metrics import Scored, bins_for, evaluate
from protocols.inference.irls import ROW_SCALE, SCORE_SCALE, Design, Fitted, Newton, fit, newton_of
from protocols.inference.open_fisher import fit_open
from protocols.inference.table import inference
from protocols.linalg.held import hold
from protocols.linalg.inverse import MATRIX_RING
from protocols.linalg.symmetric import pairs
from protocols.rows.blank import blank_rows
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Calibration, Trained
from protocols.rows.settings import TrainingSettings
from protocols.scaling.data_summary import summarise
from protocols.scaling.fixed_point_check import check_fit
from protocols.scaling.row_weights import RowWeights, pooled_weight
from protocols.scaling.standardise import Moments, moments

VARIANCE_SCALE = 48
_COVARIANCE_SCALE = 60
_SHIFT_SCALE = 48  # of mean / deviation, which is at most LARGEST_SHIFT
LARGEST_SHIFT = 2.0**20


async def inference_job(p: Party, own: OwnRows | None, settings: TrainingSettings) -> Trained | None:
    """Standardise, fit under sharing, check that the fit exists, reveal the coefficients and their standard errors.

    Reveals whether a cell of the model is small (which ends the run),
    the summary of the data (where asked for), the sum of the rows' weights (where they have any), the pooled
    means and standard deviations, two bits (whether features are collinear, whether the fit was reached), the model,
    the variances of its coefficients (the diagonal of their covariance, no more of it), the log-likelihood with the
    number of positive rows, with an offset the intercept of the fit without features, and the metrics' sums and the
    calibration where asked for. The pooled Fisher matrix, which of two owners would tell each the other's, stays
    shared.

    Raises:
        DataError: a feature is constant, far off 0 or collinear, or the classes can be separated; the weights are 0,
            or too large.
    """
    own = own or blank_rows(p, settings)
    await check_design(p, own, settings)
    own = replace(own, made=None)
    summary = await summarise(p, own, settings)
    weight, scaling, ready = await _standardised(p, own, settings)
    fit_shared = _shared if settings.inference == "shared" else _open
    weights, variances = await fit_shared(p, ready, scaling, settings)
    p.stage("evaluation")
    sets = _scored_sets(p, own, ready.x_train, scaling, weights, settings)
    sums = await likelihoods(p, sets["train"], own.offset_weights_train, weight, settings)
    metrics = None
    if settings.metrics:
        metrics = await evaluate(p, sets, bins_for(np.zeros(2) if p.dry else weights))
    calibration = await _calibrated(p, sets, settings)
    p.stage("done")
    if p.dry:
        return None
    coefficients = in_units(weights, scaling).tolist()
    summed, divided = weight.total if settings.weighted else None, (variances / weight.unit).tolist()
    found = inference(own.names, coefficients, divided, sum(settings.train_rows), sums, summed)
    original_units, standardised = tuple(coefficients[:-1]), tuple(map(float, weights))
    trained = Trained(own.names, original_units, coefficients[-1], standardised, metrics, summary, found)
    return replace(trained, calibration=calibration, converged=True)


async def _standardised(p: Party, own: OwnRows, settings: TrainingSettings) -> tuple[RowWeights, Moments, OwnRows]:
    """The rows' weights and scaling, and the rows with features and weights as the fit takes them.

    2 rounds, or 3 with weights; reveals the pooled means and deviations, and the sum of the weights.
    """
    p.stage("standardisation")
    weight = await pooled_weight(p, own.offset_weights_train, settings)
    scaling = await moments(p, own.x_train, weight.total, own.names, own.offset_weights_train.counts)
    p.insist(lambda: check_shifts(scaling, own.names), lambda: DataError("a feature is far off 0"))
    train = scaling.apply(own.x_train)
    p.insist(
        lambda: check_fit(train, own.names, p.name, standardised=True), lambda: DataError("a feature does not fit")
    )
    return weight, scaling, replace(own, x_train=train, offset_weights_train=weight.apply(own.offset_weights_train))


def _scored_sets(
    p: Party, own: OwnRows, train: Array, scaling: Moments, weights: Array, settings: TrainingSettings
) -> dict[str, Scored]:
    """This owner's training rows, standardised, and those held out, if any are, with their scores."""
    sets = {"train": _scored(p, train, own.y_train, own.offset_weights_train, weights)}
    if sum(settings.test_rows):
        test = p.compute(scaling.apply, own.x_test, shape=own.x_test.shape)
        sets["test"] = _scored(p, test, own.y_test, own.offset_weights_test, weights)
    return sets


async def _calibrated(p: Party, sets: dict[str, Scored], settings: TrainingSettings) -> Calibration | None:
    """The calibration on the sets with enough rows; None where the settings do not ask for it."""
    if settings.calibration is None:
        return None
    rows = {"train": settings.train_rows, "test": settings.test_rows}
    disclosed = {name: scored for name, scored in sets.items() if enough(rows[name], settings.calibration)}
    counted = {name: (scored, sum(rows[name])) for name, scored in disclosed.items()}
    return await calibrate(p, counted, settings.calibration)


async def _shared(p: Party, own: OwnRows, scaling: Moments, settings: TrainingSettings) -> tuple[Array, Array]:
    """The standardised weights and the variances in own units, all under sharing but these."""
    how = newton_of(settings)
    p.stage("sharing")
    fitted = await fit(p, *await _share(p, own, how, settings), how)
    p.stage("model")
    w, opened = await _reveal(p, fitted, scaling, settings.features)

    def variances() -> Array:
        real = opened.real()
        return np.append(real[:-1] / scaling.deviation**2, real[-1])

    return p.compute(w.real, shape=w.shape), p.compute(variances, shape=w.shape)


async def _open(p: Party, own: OwnRows, scaling: Moments, settings: TrainingSettings) -> tuple[Array, Array]:
    """The same from the pooled gradient and Fisher matrix of every step, opened."""
    rows = p.compute(with_ones, own.x_train, shape=(own.x_train.shape[0], settings.features + 1))
    found = await fit_open(p, rows, own.y_train, own.offset_weights_train, settings.iterations)

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


async def _share(p: Party, own: OwnRows, how: Newton, settings: TrainingSettings) -> tuple[Design, Share]:
    """All owners' standardised rows and the products of their columns, held; and the labels. 1 round, more if large.

    Where rows are weighted so are the products, and the weighted rows are held besides.
    """
    (j, k), offset_weights = pairs(how.columns), own.offset_weights_train
    ones = p.compute(lambda: rounded_rows(own.x_train), shape=(own.x_train.shape[0], how.columns))
    counted = ones
    if settings.weighted:
        counted = p.compute(lambda: ones * np.asarray(offset_weights.counts)[:, np.newaxis], shape=ones.shape)
    products = p.compute(lambda: counted[:, j] * ones[:, k], shape=(ones.shape[0], len(j)))
    sizes = settings.train_rows
    matrices = [stack(p, products, how.squares, sizes), stack(p, ones, ROW_SCALE, sizes)]
    if settings.weighted:
        matrices.append(stack(p, counted, ROW_SCALE, sizes))
    y, offset = stack(p, own.y_train, 0, sizes).share, None
    if settings.offset:
        mine = p.compute(lambda: np.asarray(offset_weights.offset), shape=own.y_train.shape)
        offset = stack(p, mine, SCORE_SCALE, sizes).share
    squares, rows, *weighted = await together(*(hold(p, one) for one in matrices))
    return Design(rows, weighted[0] if weighted else rows, squares, offset), y


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


def _scored(p: Party, x: Array, y: Array, offset_weights: OffsetWeights, weights: Array) -> Scored:
    return Scored(p.compute(lambda: offset_weights.add_offset(x @ weights[:-1] + weights[-1]), shape=(len(x),)), y)
