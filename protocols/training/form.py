"""The public numbers of a training that follow from its settings: the sigmoid's fit, the cheaper form, its bits."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from typing import Literal

from mpc.errors import UsageError
from protocols.evaluation.shared_model import KEPT_LIMIT, kept_scale
from protocols.functions.logistic_series import SINES
from protocols.functions.sigmoid_fits import FITS, SigmoidFit, fit_for
from protocols.linalg.hessian import MOST_DOUBLINGS, series_for, steepest
from protocols.rows.limits import X_LIMIT
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated import Accelerated
from protocols.training.accelerated_budget import AcceleratedBudget, accelerated_budget
from protocols.training.bit_budget import WEIGHT_LIMIT, BitBudget, DualBudget, Extent, bit_budget, dual_budget
from protocols.training.class_weights import most_unequal
from protocols.training.descent import Descent
from protocols.training.dual import DualDescent

_SMALL_SCORES = {"nesterov": 0.05, "newton": 0.005}  # from this l2 on, momentum's overshoot included
ROUNDING = 1e-3  # the most that the rounding of G may cost a weight where there is a choice
_COMPARED_WORDS = 15  # what comparing one value in the range check costs, the owners' and the helper's


def automatic_rate(solver: str, features: int, l2: float) -> float:
    """The rate for standardised features, from public sizes alone: nothing about the data is revealed.

    A full-batch step goes as far as the smoothness bound allows (see `hessian.steepest`), and the preconditioned one
    needs no rate. A mini-batch step goes half as far again, at most 1: its rows seldom are as steep as the bound.
    """
    if solver == "newton":
        return 1.0
    bound = steepest(features + 1, l2)
    return 1 / bound if solver == "nesterov" else min(1.0, 1.5 / bound)


def choose_fit(settings: TrainingSettings) -> SigmoidFit:
    """The sigmoid's approximation: for the range that is asked for, else for what such a training usually reaches.

    |z| grows slowly with rate * steps: on the breast-cancer data 28, 77 and 143 at 15, 500 and 5,000.
    """
    if settings.sigmoid_range is not None:
        return fit_for(settings.sigmoid_range)
    if settings.solver != "sgd":  # newton, on those data: 37 at l2 = 0.01, 55 at 0.001
        return fit_for(50.0 if settings.l2 >= _SMALL_SCORES[settings.solver] else 110.0)
    travelled = settings.learning_rate * settings.step_count
    return fit_for(50.0 if travelled <= 50 else 110.0 if travelled <= 1000 else FITS[-1].reach)


def constants_digest(settings: TrainingSettings) -> str:
    """A digest of the public numbers that every owner must hold to the same bits."""
    how = descent_for(settings)
    hidden = not settings.reveal_model
    series = SINES if settings.metrics and (hidden or settings.partition == "vertical") else ()
    kept = (KEPT_LIMIT, kept_scale(settings.features)) if hidden else ()
    return sha256(repr((how, WEIGHT_LIMIT, X_LIMIT, series, *kept)).encode()).hexdigest()


def choose_form(settings: TrainingSettings) -> Literal["primal", "dual"]:
    """Whether to train one number a column (primal) or one a row, by the Gram matrix (dual): whichever costs less.

    The cost is what differs between the two: the words that an owner opens and that the helper deals, and the rounds,
    at `settings.round_bytes` each. It is worked out from public sizes alone, so that every party chooses alike. Over
    longer distances the dual form, which saves rounds, wins the sooner. It is chosen only where its bits fit, and
    wherever they do and the primal form's do not; a training that goes so far that the rounding of G would show in the
    weights is primal, whatever it costs.
    """
    if settings.solver != "sgd" or settings.class_weights is not None:
        return "primal"
    if settings.form != "auto":
        return settings.form
    if not _fits_bits(settings, "dual"):
        return "primal"
    if not _fits_bits(settings, "primal"):
        return "dual"
    if dual_rounding(settings) > ROUNDING:
        return "primal"
    return "dual" if dual_cost(settings) < primal_cost(settings) else "primal"


def bits_for(settings: TrainingSettings) -> BitBudget | DualBudget | AcceleratedBudget:
    """The ring's bits in the chosen form.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    return descent_for(settings).bits


def primal_cost(settings: TrainingSettings) -> int:
    """The cost of the primal form in bytes, less what both forms have in common."""
    rows, steps, columns = sum(settings.train_rows), settings.step_count, settings.features + 1
    visits = rows * settings.epochs
    opened = _rows_sent(settings) * columns + 2 * steps * columns + 2 * visits
    dealt = 3 * steps * columns + visits * (4 + columns // 4)
    return 8 * (opened + dealt + _COMPARED_WORDS * (visits + steps * columns)) + settings.round_bytes * (1 + 3 * steps)


def dual_cost(settings: TrainingSettings) -> int:
    """The cost of the dual form in bytes, less what both forms have in common."""
    rows, steps, columns = sum(settings.train_rows), settings.step_count, settings.features
    visits = rows * settings.epochs
    cross = (rows**2 - sum(one**2 for one in settings.train_rows)) // 2
    if settings.standardise == "private":  # nobody knows a row that the common mean was taken off
        cross = rows * (rows + 1) // 2
    opened = _rows_sent(settings) * columns + cross + (rows + 1) * (rows + 2 + 2 * steps) + visits
    dealt = 3 * cross + columns + 2 * (rows + 1) * (1 + steps) + 2 * visits
    return 8 * (opened + dealt + _COMPARED_WORDS * visits) + settings.round_bytes * (5 + 2 * steps)


def _rows_sent(settings: TrainingSettings) -> int:
    """Of how many rows an owner opens X - A: of its own, as many as the largest owner's, where every owner has some."""
    known = settings.partition == "horizontal" and settings.standardise != "private"
    return max(settings.train_rows) if known else sum(settings.train_rows)


def dual_rounding(settings: TrainingSettings) -> float:
    """The error of a weight by the rounding of G, in standardised units: a quarter of its last bit times |u|.

    Each step moves the u of its rows by rate in sum, so over all steps |u| comes to rate * steps / sqrt(rows). (Tried
    on the demo and on separable data, rates to 10, steps to 10,000: models were off by 0.1 to 0.8 of it.)
    """
    bits = descent_for(settings, "dual").bits
    assert isinstance(bits, DualBudget)
    travelled = settings.learning_rate * settings.step_count
    return travelled / math.sqrt(sum(settings.train_rows)) * 2.0 ** -(bits.g + 2)


def _fits_bits(settings: TrainingSettings, form: Literal["primal", "dual"]) -> bool:
    try:
        descent_for(settings, form)
    except UsageError:
        return False
    return True


def descent_for(
    settings: TrainingSettings, form: Literal["primal", "dual"] | None = None
) -> Descent | DualDescent | Accelerated:
    """The public numbers of the training's steps, in the form that is chosen or asked for.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    if settings.solver != "sgd":
        return accelerated_for(settings)
    fit, rows = choose_fit(settings), sum(settings.train_rows)
    smallest = min(settings.batch_size, rows % settings.batch_size or settings.batch_size)
    rate, l2 = settings.learning_rate, settings.l2
    if (form or choose_form(settings)) == "primal":
        return Descent(rate, l2, fit, bit_budget(fit, rate, smallest, settings.features + 1, l2))
    steps = settings.step_count
    extent = Extent(rows, settings.features, settings.epochs, steps, smallest, bool(settings.standardise))
    return DualDescent(rate, l2, fit, dual_budget(fit, rate, l2, extent))


def accelerated_for(settings: TrainingSettings, rows: int | None = None) -> Accelerated:
    """The public numbers of a full-batch training: on all owners' rows, or on so many.

    Raises:
        UsageError: the settings do not fit into 64 bits; names the setting to change.
    """
    count = max(1, sum(settings.train_rows) if rows is None else rows)
    fit, columns, rate, series = choose_fit(settings), settings.features + 1, settings.learning_rate, None
    if settings.solver == "newton":
        if not settings.standardise:
            raise UsageError('solver = "newton" needs standardised features', "set standardise = true")
        series = series_for(columns, count, settings.l2)
        if settings.class_weights is not None:  # what bounds H from below is lighter by what only the run may tell
            series = replace(series, doublings=MOST_DOUBLINGS)
        rate /= series.bound
    mean = 1.0 if settings.standardise else X_LIMIT
    bits = accelerated_budget(
        fit, rate, settings.momentum, settings.l2, count, columns, mean, series, most_unequal(settings.class_weights)
    )
    return Accelerated(rate, settings.momentum, settings.l2, fit, bits, series, settings.tolerance)
