"""From shared rows and labels to the shared weights, by the solver and in the form that the settings ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.stacked import Stacked
from protocols.functions.sigmoid_fits import FITS, SigmoidFit
from protocols.linalg.gram import hold_gram, hold_gram_of_columns, hold_gram_of_shared
from protocols.linalg.held import Held, Rows, hold, take_rows
from protocols.linalg.hessian import precondition
from protocols.rows.limits import X_SCALE
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated import Accelerated, Prepared, accelerate
from protocols.training.batches import batches
from protocols.training.bit_budget import LOW_MARGIN, WEIGHT_LIMIT
from protocols.training.class_weights import ClassWeights, class_weights, weighted_rows
from protocols.training.descent import Descent, descend
from protocols.training.dual import DualDescent, check_scores, descend_dual, dual_weights, seen_scores
from protocols.training.range_check import Limits, check_range, seen_in_range
from protocols.training.stop_test import moved, rest_bound, tell_moved


@dataclass(frozen=True)
class TrainedWeights:
    """[w] (d + 1,), and the opened word of the convergence check (see stop_test.py): None where the solver has none."""

    weights: Share
    moved: Public | None = None

    @property
    def converged(self) -> bool | None:
        """Whether the weights came to rest; None where nobody tested it."""
        return None if self.moved is None else not self.moved.value.any()


async def train_model(
    p: Party,
    x: Share | Stacked,
    y: Share,
    own: Array,
    how: Descent | DualDescent | Accelerated,
    settings: TrainingSettings,
) -> TrainedWeights:
    """Train the weights (d + 1,), the intercept last, and check that no score or weight left its range.

    Args:
        x: all owners' training rows (m, d), one owner's rows (or columns) after another's, at scale X_SCALE.
        y: labels 0 and 1 (m,) at scale 0.
        own: this owner's own rows (or columns) as real numbers, as they are in x; not used with secret means.
        how: the public numbers of the steps, as `descent_for` gives them.

    Reveals one bit, whether the range held, for balanced class weights how many labels are 1, and with a tolerance
    what each stop test says; then, of the full-batch solvers, whether they converged. All else that is opened is under
    uniform masks.

    Raises:
        ProtocolError: a score or a weight left its range; then nothing about the model was opened.
    """
    if not isinstance(how, DualDescent):
        x = _with_ones(p, x)  # in its place: both together may be too large
    weighted = None
    if settings.class_weights is not None:
        weights = await class_weights(p, y, settings.class_weights)
        weighted = await weighted_rows(p, x.share if isinstance(x, Stacked) else x, y, weights)
        how = lighter(how, weights)
    if isinstance(how, Accelerated):
        return await _train_accelerated(p, x, y, weighted, settings.iterations, how)
    steps = batches(
        settings.seed,
        settings.epochs,
        settings.batch_size,
        dict(zip(settings.row_groups, settings.train_rows, strict=True)),
    )
    if isinstance(how, DualDescent):
        return TrainedWeights(await _train_dual(p, x, own, y, steps, how, settings))
    return TrainedWeights(await _train_primal(p, x, y, weighted, steps, how))


def lighter(how: Descent | DualDescent | Accelerated, weights: ClassWeights) -> Descent | DualDescent | Accelerated:
    """The same training with everything divided by the heavier class's weight, and so the penalty too."""
    l2 = how.l2 / weights.heavier
    if isinstance(how, Accelerated) and how.series is not None:
        series = replace(how.series, penalty=l2 / how.series.bound)
        return replace(how, l2=l2, series=series)
    return replace(how, l2=l2)


async def _hold_both(p: Party, x: Share | Stacked, weighted: Share | None) -> tuple[Held, Held]:
    """The rows held, and as they enter the gradient: two openings in one round, or one of both. 1 round."""
    if weighted is None:
        held = await hold(p, x)
        return held, held
    both = await together(hold(p, x), hold(p, weighted))
    return both[0], both[1]


async def _train_primal(
    p: Party, x: Share | Stacked, y: Share, weighted: Share | None, steps: Sequence[Rows], how: Descent
) -> Share:
    """The weights [w], once their range was checked. 3 rounds a step."""
    held, summed = await _hold_both(p, x, weighted)
    limits, error = Limits(how.fit.reach - LOW_MARGIN, WEIGHT_LIMIT), _left_range(how.fit)
    seen = seen_in_range(p, held, steps, limits, error)
    w, left = await descend(p, held, y, steps, how, None if weighted is None else summed, seen)
    p.stage("range check", seen.checked, len(steps))
    await check_range(p, held, _from(steps, seen.checked), left(), limits, error)
    return w


async def _train_accelerated(
    p: Party, x: Share | Stacked, y: Share, weighted: Share | None, iterations: int, how: Accelerated
) -> TrainedWeights:
    """The weights by full-batch steps with momentum, preconditioned if asked for. 3 rounds a step."""
    held, gradient = await _hold_both(p, x, weighted)
    every, penalty = Rows.of(np.arange(x.shape[0], dtype=np.int64)), None
    if how.series is not None:
        p.stage("Hessian")
        stretch = (1 + how.momentum) * how.rate * how.series.bound  # l2 P / bound, as a step takes it off v
        gradient, penalty = await precondition(p, held, gradient, how.series, stretch, how.bits.rows)
    p.stage("training", 0, iterations)
    prepared = Prepared(take_rows(held, every), take_rows(gradient, every), penalty)
    limits = Limits(how.fit.reach - LOW_MARGIN, how.bits.limit)
    error = _left_range(how.fit, how.bits.limit, "iterations")
    seen = seen_in_range(p, held, (every,) * iterations, limits, error)
    w, before, left = await accelerate(p, prepared, y, iterations, how, seen)
    p.stage("range check", 0, len(left))
    rows = x.shape[0]
    _, bits = await together(
        check_range(p, held, (every,) * len(left), left, limits, error),
        moved(p, w, before, rest_bound(rows), label="convergence/mask"),
    )
    return TrainedWeights(w, await tell_moved(p, bits, rows))


def _with_ones(p: Party, x: Share | Stacked) -> Share | Stacked:
    """The rows with a last column of ones, for the intercept."""
    if isinstance(x, Stacked):
        beside = p.constant(1 << X_SCALE, (x.own.shape[0], 1), X_SCALE)
        return replace(x, own=Share(np.concatenate((x.own.value, beside.value), axis=1), X_SCALE))
    ones = p.public(p.constant(1 << X_SCALE, (x.shape[0], 1), X_SCALE))
    return Share(np.concatenate((x.value, ones.value), axis=1), X_SCALE)


async def _train_dual(
    p: Party,
    x: Share | Stacked,
    own: Array,
    y: Share,
    steps: Sequence[Rows],
    how: DualDescent,
    settings: TrainingSettings,
) -> Share:
    """The same weights by the Gram matrix of all rows. 2 rounds a step."""
    held = await hold(p, x)
    p.stage("Gram matrix")
    words = p.compute(encode, own, X_SCALE, shape=own.shape)
    if settings.partition == "vertical":
        gram = await hold_gram_of_columns(p, words, 2 * held.scale, how.bits.g)
    elif settings.standardise == "private":
        gram = await hold_gram_of_shared(p, held, how.bits.g)
    else:
        gram = await hold_gram(p, held, words, settings.train_rows, how.bits.g)
    p.stage("training", 0, len(steps))
    limit, error = how.fit.reach - LOW_MARGIN, _left_range(how.fit)
    seen = seen_scores(p, gram, steps, limit, error)
    u, left = await descend_dual(p, gram, y, steps, how, seen)
    p.stage("range check", seen.checked, len(steps))
    await check_scores(p, gram, _from(steps, seen.checked), left, limit, error)
    p.stage("weights")
    return await dual_weights(p, held, u, how)


def _from(steps: Sequence[Rows], first: int) -> Sequence[Rows]:
    """The steps from `first` on; all of them are handed on as they are, so that none is worked out."""
    return steps[first:] if first else steps


def _left_range(fit: SigmoidFit, weight: float = WEIGHT_LIMIT, length: str = "epochs") -> ProtocolError:
    return ProtocolError(
        f"a score left the range |z| <= {fit.reach:g} in which the sigmoid is right, or a weight passed "
        f"{weight:g}: the model stays hidden",
        f"raise sigmoid_range (at most {FITS[-1].reach:g}) or l2, or lower learning_rate or {length}",
    )
