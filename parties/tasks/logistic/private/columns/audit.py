"""What `mpc audit` is given of noisy gradients of split columns: the training in the clear with its noise, and its
openings drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Random, Trial
from parties.tasks.audited.models import Fit, PooledRows
from parties.tasks.audited.noise import Whole, noisy_sum_trial, opened_by_runs
from parties.tasks.logistic.private.agreed import features_of
from parties.tasks.logistic.private.columns.run import columns_settings
from protocols.plain.perturbed import rising_sigmoid
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.training.private.filled_columns import rows_in_one_place
from protocols.training.private.momentum import Iterate
from protocols.training.private.shared_gradients import (
    E_BITS,
    GRADIENTS,
    X_BITS,
    SharedGradients,
    shared_gradients_job,
    squared_norm,
)


def columns_fit(scenario: Scenario, rows: PooledRows) -> Fit:
    """The training in the clear, with noise of the run's variance that is drawn here."""
    how = columns_settings(scenario)
    x = scaled_columns(rows.x, how)

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        mine = np.concatenate(list(chosen.values()))
        now = Iterate.start(how.features)
        for _ in range(how.steps):
            s, _ = rising_sigmoid(x[mine] @ now.look_ahead(how), how.fit)
            total = x[mine].T @ (s - rows.y[mine]) + rng.normal(0.0, how.deviation, how.features + 1)
            now = now.stepped(total / how.rows, how)
        return np.append(*how.ranges.in_own_units(now.model(how)))

    return fit


def columns_trial(scenario: Scenario) -> Trial:
    """The trial of all steps' sums, with a row of the largest length and error, in every step or every other."""
    how = columns_settings(scenario)
    names = dict(zip(how.owners, features_of(scenario), strict=True))

    async def job(p: Party, stream: Stream | None) -> None:
        await shared_gradients_job(p, None if p.dry else _nobody(p.name, names), stream, how)

    nothing = np.zeros(how.features + 1, dtype=np.int64)
    opened = opened_by_runs(how.owners, how.helper, job, GRADIENTS, nothing, how.noise)
    with_row = worst_sums(how)
    what, claim = f"the noisy gradients of {how.steps} steps", (how.epsilon, how.delta)
    return noisy_sum_trial(what, claim, how.noise, [how.mechanism], np.zeros_like(with_row[0]), with_row, opened)


def worst_sums(how: SharedGradients) -> Whole:
    """What such a row adds to all steps' sums, in every step and in every other (2, numbers)."""
    values = how.ranges.centres + how.ranges.halves
    row = np.rint(scaled_columns(values[np.newaxis], how)[0] * 2.0**X_BITS).astype(np.int64)
    error = int((0.5 + how.fit.bound) * 2.0**E_BITS)
    every = [row * error] * how.steps
    other = [row * error * (t % 2) for t in range(how.steps)]
    return np.array([np.concatenate(every), np.concatenate(other)])


def scaled_columns(x: Array, how: SharedGradients) -> Array:
    """Rows (m, d) as the training has them, each owner's part scaled by itself, the 1 of the intercept last."""
    return rows_in_one_place(x, how.ranges, how.widths, squared_norm(how.norm), X_BITS)


def _nobody(owner: str, names: dict[str, tuple[str, ...]]) -> OwnColumns:
    """An owner's columns of no rows; the first has the target."""
    empty, labels = np.zeros((0, len(names[owner]))), np.zeros(0)
    return OwnColumns(names, next(iter(names)), empty, labels, empty, labels, np.zeros(DIGEST_BITS, dtype=np.uint8))
