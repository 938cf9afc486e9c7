"""The main job: several owners' rows, one logistic regression, and how good it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from mpc.errors import DataError, ProtocolError, UsageError
from mpc.fixed import encode
from mpc.ghost import Array, ghost
from mpc.party import Party
from mpc.share import Share
from protocols.batches import batches
from protocols.bit_budget import (
    LOW_MARGIN,
    SMALLEST_DEVIATION,
    WEIGHT_LIMIT,
    X_LIMIT,
    X_SCALE,
    BitBudget,
    DualBudget,
    Extent,
    bit_budget,
    dual_budget,
)
from protocols.dual import DualDescent, check_scores, descend_dual, dual_weights
from protocols.gram import hold_gram
from protocols.held import Rows, hold
from protocols.logistic import Descent, descend
from protocols.metrics import Bins, Scored, bins_for, evaluate, mean_score
from protocols.range_check import Limits, check_range
from protocols.sigmoid_fits import FITS, SigmoidFit, fit_for
from protocols.standardise import Moments, moments

_COARSEST = 2.0**-6  # the smallest typical size of a feature that X_SCALE bits still hold to three digits
_ROUND_BYTES = 12_500  # what a round costs beside bytes: 0.1 ms at 1 Gbit/s, a local network's
_COMPARED_WORDS = 15  # what comparing one value in the range check costs, the owners' and the helper's


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
    form: Literal["auto", "primal", "dual"] = "auto"  # auto: see `choose_form`

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


def choose_form(settings: TrainingSettings) -> Literal["primal", "dual"]:
    """Whether to train one number a column (primal) or one a row, by the Gram matrix (dual): whichever costs less.

    The cost is what differs between the two: the words that an owner opens and that the helper deals, and the rounds,
    at `_ROUND_BYTES` each. It is worked out from public sizes alone, so that every party chooses alike. Rounds weigh
    as on a local network: where the dual form, which saves rounds, wins there, it wins by more over longer distances.
    It is chosen only where its bits fit, and wherever they do and the primal form's do not.
    """
    if settings.form != "auto":
        return settings.form
    if not _fits_bits(settings, "dual"):
        return "primal"
    if not _fits_bits(settings, "primal"):
        return "dual"
    return "dual" if _dual_cost(settings) < _primal_cost(settings) else "primal"


def bits_for(settings: TrainingSettings) -> BitBudget | DualBudget:
    """How the ring's bits are spent in the form that is chosen.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    return _descent(settings).bits


def _primal_cost(settings: TrainingSettings) -> int:
    rows, steps, columns = sum(settings.train_rows), settings.step_count, settings.features + 1
    visits = rows * settings.epochs
    opened = rows * columns + 2 * steps * columns + 2 * visits
    dealt = 3 * steps * columns + visits * (4 + columns // 2)
    return 8 * (opened + dealt + _COMPARED_WORDS * (visits + steps * columns)) + _ROUND_BYTES * (1 + 3 * steps)


def _dual_cost(settings: TrainingSettings) -> int:
    rows, steps, columns = sum(settings.train_rows), settings.step_count, settings.features
    visits = rows * settings.epochs
    cross = (rows**2 - sum(one**2 for one in settings.train_rows)) // 2
    opened = rows * columns + cross + (rows + 1) * (rows + 2 + 2 * steps) + visits
    dealt = 3 * cross + columns + 2 * (rows + 1) * (1 + steps) + 2 * visits
    return 8 * (opened + dealt + _COMPARED_WORDS * visits) + _ROUND_BYTES * (5 + 2 * steps)


def _fits_bits(settings: TrainingSettings, form: Literal["primal", "dual"]) -> bool:
    try:
        _descent(settings, form)
    except UsageError:
        return False
    return True


def _descent(settings: TrainingSettings, form: Literal["primal", "dual"] | None = None) -> Descent | DualDescent:
    fit, rows = choose_fit(settings), sum(settings.train_rows)
    smallest = min(settings.batch_size, rows % settings.batch_size or settings.batch_size)
    rate, l2 = settings.learning_rate, settings.l2
    if (form or choose_form(settings)) == "primal":
        return Descent(rate, l2, fit, bit_budget(fit, rate, smallest, settings.features + 1, l2))
    steps = settings.step_count
    extent = Extent(rows, settings.features, settings.epochs, steps, smallest, settings.standardise)
    return DualDescent(rate, l2, fit, dual_budget(fit, rate, l2, extent))


async def training_job(p: Party, own: OwnRows | None, settings: TrainingSettings) -> Trained | None:
    """Standardise, train, check the range, reveal the model and its metrics. A dry party has no rows.

    Trains in the form that costs less, which changes nothing in what is revealed: in this order, the pooled means and
    standard deviations (where asked for), whether the range held, the model, the mean score (without standardisation)
    and the pooled metrics' sums (where asked for). Nothing else is opened but under uniform masks.

    Raises:
        DataError: a feature is constant, too large or too small for fixed point.
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    own = own or _blank_rows(p, settings)
    how = _descent(settings)
    p.stage("standardisation")
    scaling = await _scaling(p, own, settings)
    train = scaling.apply(own.x_train)
    if isinstance(how, DualDescent) and settings.standardise:
        p.insist(lambda: _wide_enough(scaling, own.names), lambda: DataError("a feature does not fit"))
    p.insist(lambda: _fits(train, own.names, p.name, settings.standardise), lambda: DataError("a feature does not fit"))

    p.stage("sharing")
    own_words = p.compute(encode, train, X_SCALE, shape=train.shape)
    x, y = _input_rows(p, own_words, own.y_train, settings)
    steps = batches(
        settings.seed,
        settings.epochs,
        settings.batch_size,
        dict(zip(settings.owners, settings.train_rows, strict=True)),
    )
    if isinstance(how, DualDescent):
        w = await _train_dual(p, x, own_words, y, steps, how, settings)
    else:
        w = await _train_primal(p, x, y, steps, how)

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


async def _train_primal(p: Party, x: Share, y: Share, steps: tuple[Rows, ...], how: Descent) -> Share:
    """The weights [w], once their range was checked. 3 rounds a step."""
    ones = p.public(p.constant(1 << X_SCALE, (x.shape[0], 1), X_SCALE))
    held = await hold(p, Share(np.concatenate((x.value, ones.value), axis=1), X_SCALE))
    p.stage("training", 0, len(steps))
    w, seen = await descend(p, held, y, steps, how)
    p.stage("range check", 0, len(steps))
    limits = Limits(how.fit.reach - LOW_MARGIN, WEIGHT_LIMIT)
    await check_range(p, held, steps, seen, limits, _left_range(how.fit))
    return w


async def _train_dual(
    p: Party, x: Share, own: Array, y: Share, steps: tuple[Rows, ...], how: DualDescent, settings: TrainingSettings
) -> Share:
    """The same weights by the Gram matrix of all rows. 2 rounds a step."""
    held = await hold(p, x)
    p.stage("Gram matrix")
    gram = await hold_gram(p, held, own, settings.train_rows, how.bits.g)
    p.stage("training", 0, len(steps))
    u, seen = await descend_dual(p, gram, y, steps, how)
    p.stage("range check", 0, len(steps))
    await check_scores(p, gram, steps, seen, how.fit.reach - LOW_MARGIN, _left_range(how.fit))
    p.stage("weights")
    return await dual_weights(p, held, u, how)


def _bins(p: Party, weights: Array, middle: Array | None) -> Bins:
    if p.dry:
        return bins_for(np.zeros(2))
    return bins_for(weights, None if middle is None else float(middle[0]))


async def _scaling(p: Party, own: OwnRows, settings: TrainingSettings) -> Moments:
    if settings.standardise:
        return await moments(p, own.x_train, sum(settings.train_rows), own.names)
    return Moments(np.zeros(settings.features), np.ones(settings.features))


def _input_rows(p: Party, own: Array, labels: Array, settings: TrainingSettings) -> tuple[Share, Share]:
    """All owners' training rows stacked, and their labels, from this owner's own."""
    xs, ys = [], []
    for owner, rows in zip(settings.owners, settings.train_rows, strict=True):
        mine = owner == p.name and not p.dry
        y = labels.astype(np.uint64) if mine else None
        xs.append(p.input(owner, own if mine else None, (rows, settings.features), X_SCALE).value)
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


def _wide_enough(scaling: Moments, names: tuple[str, ...]) -> bool:
    """Whether each column's spread is known to enough digits to bound its standardised values; raises if not."""
    narrow = [name for name, spread in zip(names, scaling.deviation, strict=True) if spread < SMALLEST_DEVIATION]
    if narrow:
        raise DataError(f"column {', '.join(narrow)} has values too close to each other", "give it in smaller units")
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
