"""The main job: several owners' rows, one logistic regression, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np

from mpc.errors import DataError, ProtocolError
from mpc.fixed import encode
from mpc.ghost import Array, ghost
from mpc.party import Party
from mpc.share import Share
from protocols.batches import batches
from protocols.bit_budget import WEIGHT_LIMIT, X_LIMIT, X_SCALE, bit_budget
from protocols.held import hold
from protocols.logistic import Descent, descend
from protocols.metrics import Bins, Scored, bins_for, evaluate, mean_score
from protocols.range_check import Limits, check_range
from protocols.sigmoid_fits import FITS, SigmoidFit, fit_for
from protocols.standardise import Moments, moments

_LOW_MARGIN = 0.25  # the low copy of a score is this close to the score
_COARSEST = 2.0**-6  # the smallest typical size of a feature that X_SCALE bits still hold to three digits


@dataclass(frozen=True)
class TrainingSettings:
    """All that is public about a training: the same at every party, the helper too."""

    owners: tuple[str, ...]
    helper: str
    train_rows: tuple[int, ...]
    test_rows: tuple[int, ...]
    features: int
    seed: int
    epochs: int
    batch_size: int
    learning_rate: float
    l2: float
    sigmoid_range: float | None  # None: chosen from the rate and the number of steps
    standardise: bool
    metrics: bool

    @property
    def step_count(self) -> int:
        """How many mini-batches are trained on."""
        return self.epochs * -(-sum(self.train_rows) // self.batch_size)


@dataclass(frozen=True)
class OwnRows:
    """One owner's own rows, float64: training and test features (m, d), labels 0/1 (m,)."""

    names: tuple[str, ...]
    x_train: Array = field(repr=False)
    y_train: Array = field(repr=False)
    x_test: Array = field(repr=False)
    y_test: Array = field(repr=False)


@dataclass(frozen=True)
class Trained:
    """What every owner learns: weights in the features' own units and in standardised ones, the intercept last."""

    features: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float
    standardised: tuple[float, ...]
    metrics: dict[str, dict[str, Any]] | None


def choose_fit(settings: TrainingSettings) -> SigmoidFit:
    """The sigmoid's approximation: for the range that is asked for, else for what such a training usually reaches.

    |z| grows slowly with rate * steps: on the breast-cancer data 28, 77 and 143 at 15, 500 and 5,000.
    """
    if settings.sigmoid_range is not None:
        return fit_for(settings.sigmoid_range)
    travelled = settings.learning_rate * settings.step_count
    return fit_for(50.0 if travelled <= 50 else 110.0 if travelled <= 1000 else FITS[-1].reach)


def constants_digest(settings: TrainingSettings) -> str:
    """A digest of the public numbers that every owner must hold to the same bits."""
    how = _descent(settings)
    return sha256(repr((how, WEIGHT_LIMIT, X_LIMIT)).encode()).hexdigest()


def _descent(settings: TrainingSettings) -> Descent:
    fit = choose_fit(settings)
    smallest = min(settings.batch_size, sum(settings.train_rows) % settings.batch_size or settings.batch_size)
    bits = bit_budget(fit, settings.learning_rate, smallest, settings.features + 1, settings.l2)
    return Descent(settings.learning_rate, settings.l2, fit, bits)


async def training_job(p: Party, own: OwnRows | None, settings: TrainingSettings) -> Trained | None:
    """Standardise, train, check the range, reveal the model and its metrics. A dry party has no rows.

    Reveals, in this order: the pooled means and standard deviations (where asked for), whether the range held, the
    model, the mean score (without standardisation) and the pooled metrics' sums (where asked for). Nothing else is
    opened but under uniform masks.

    Raises:
        DataError: a feature is constant, too large or too small for fixed point.
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    own = own or _blank_rows(p, settings)
    how = _descent(settings)
    p.stage("standardisation")
    scaling = await _scaling(p, own, settings)
    train = scaling.apply(own.x_train)
    p.insist(lambda: _fits(train, own.names, p.name, settings.standardise), lambda: DataError("a feature does not fit"))

    p.stage("sharing")
    x, y = _input_rows(p, train, own.y_train, settings)
    held = await hold(p, x)
    steps = batches(
        settings.seed,
        settings.epochs,
        settings.batch_size,
        dict(zip(settings.owners, settings.train_rows, strict=True)),
    )
    p.stage("training", 0, len(steps))
    w, seen = await descend(p, held, y, steps, how)

    p.stage("range check", 0, len(steps))
    limits = Limits(how.fit.reach - _LOW_MARGIN, WEIGHT_LIMIT)
    await check_range(p, held, steps, seen, limits, _left_range(how.fit))

    p.stage("model")
    (opened,) = await p.reveal(w, what="model", why="the agreed result: the weights and the intercept", label="model")
    p.stage("evaluation")
    metrics = None
    if settings.metrics:
        weights = p.compute(opened.real, shape=opened.shape)
        sets = {"train": _scored(p, train, own.y_train, weights)}
        if sum(settings.test_rows):
            sets["test"] = _scored(p, scaling.apply(own.x_test), own.y_test, weights)
        middle = None
        if not settings.standardise:
            middle = await mean_score(p, sets["train"], sum(settings.train_rows))
        metrics = await evaluate(p, sets, _bins(p, weights, middle))
    p.stage("done")
    return None if p.dry else _trained(own.names, opened.real(), scaling, metrics)


def _bins(p: Party, weights: Array, middle: Array | None) -> Bins:
    if p.dry:
        return bins_for(np.zeros(2))
    return bins_for(weights, None if middle is None else float(middle[0]))


async def _scaling(p: Party, own: OwnRows, settings: TrainingSettings) -> Moments:
    if settings.standardise:
        return await moments(p, own.x_train, sum(settings.train_rows), own.names)
    return Moments(np.zeros(settings.features), np.ones(settings.features))


def _input_rows(p: Party, train: Array, labels: Array, settings: TrainingSettings) -> tuple[Share, Share]:
    """All owners' training rows stacked, a column of ones last, and their labels."""
    width = settings.features + 1
    xs, ys = [], []
    for owner, rows in zip(settings.owners, settings.train_rows, strict=True):
        x = y = None
        if owner == p.name and not p.dry:
            x = encode(np.concatenate((train, np.ones((rows, 1))), axis=1), X_SCALE, what="a feature")
            y = labels.astype(np.uint64)
        xs.append(p.input(owner, x, (rows, width), X_SCALE).value)
        ys.append(p.input(owner, y, (rows,), 0).value)
    return Share(np.concatenate(xs), X_SCALE), Share(np.concatenate(ys))


def _scored(p: Party, x: Array, y: Array, weights: Array) -> Scored:
    return Scored(p.compute(lambda: x @ weights[:-1] + weights[-1], shape=(len(x),)), y)


def _fits(train: Array, names: tuple[str, ...], owner: str, standardised: bool) -> bool:
    """Whether an owner's features fit fixed point; raises a DataError that names the column if not."""
    for name, column in zip(names, train.T, strict=True):
        largest = np.abs(column).max(initial=0.0)
        if largest > X_LIMIT:
            raise DataError(
                f"{owner}: column {name} has values beyond {X_LIMIT:g} as it enters the training",
                "set standardise = true, or rescale or clip the column",
                party=owner,
            )
        # A standardised column is fine over all owners, even where one owner's few rows lie close to the mean.
        typical = np.sqrt(np.mean(column**2)) if column.size and not standardised else 0.0
        if 0 < typical < _COARSEST:
            raise DataError(
                f"{owner}: column {name} has values too small for {X_SCALE} fractional bits",
                "set standardise = true, or rescale the column",
                party=owner,
            )
    return True


def _left_range(fit: SigmoidFit) -> ProtocolError:
    return ProtocolError(
        f"a score left the range |z| <= {fit.reach:g} in which the sigmoid is right, or a weight passed "
        f"{WEIGHT_LIMIT:g}: the model stays hidden",
        f"raise sigmoid_range (at most {FITS[-1].reach:g}) or l2, or lower learning_rate or epochs",
    )


def _trained(names: tuple[str, ...], w: Array, scaling: Moments, metrics: dict[str, dict[str, Any]] | None) -> Trained:
    raw = w[:-1] / scaling.deviation
    intercept = float(w[-1]) - float(np.sum(raw * scaling.mean))
    return Trained(names, tuple(map(float, raw)), intercept, tuple(map(float, w)), metrics)


def _blank_rows(p: Party, settings: TrainingSettings) -> OwnRows:
    i, d = p.index, settings.features
    train, test = settings.train_rows[i], settings.test_rows[i]
    names = tuple(f"x{k}" for k in range(d))
    return OwnRows(names, ghost((train, d)), ghost((train,)), ghost((test, d)), ghost((test,)))
