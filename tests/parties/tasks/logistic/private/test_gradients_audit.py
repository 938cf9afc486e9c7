"""What an audit is given of noisy gradients: rows whose gradients are as long as may be, and all steps' noise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON, Bound, bound_of, contradicts, noise_found
from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.audited.audit import Trial
from parties.tasks.audited.noise import HELPER
from parties.tasks.logistic.audit import AUDIT
from parties.tasks.logistic.private.gradients.audit import fewest_used, gradients_trials, worst_sums
from parties.tasks.logistic.private.gradients.run import noisy_settings
from protocols.training.private import clipped_gradients
from protocols.training.private.clipped_gradients import Clipping, Whole, WholeRows
from tests.parties.tasks.logistic.private.scenarios import SEED, TASK, scenario

FEW = TASK.replace("iterations = 20", "iterations = 4")


@pytest.mark.parametrize("norm", [0.25, 1.0, 1.4])
def test_worst_rows_are_as_long_as_may_be(tmp_path: Path, norm: float) -> None:
    how = replace(noisy_settings(scenario(tmp_path)), clipping=Clipping(norm), steps=2)
    few = fewest_used(how)
    for row in (*worst_sums(how, few), *worst_sums(how, len(how.features))):
        steps = row.reshape(2, how.size)
        lengths = (steps.astype(object) ** 2).sum(axis=1)
        assert max(lengths) <= how.clipping.squared
        assert max(lengths) >= 0.97 * how.clipping.squared
    every, other = worst_sums(how, few)
    assert not (every == other).all()


def bound(trial: Trial, draws: int = 2000) -> Bound:
    stream = Stream(hashlib.sha256(b"gradients").digest())
    return bound_of(trial.draw(draws * 5 // 4, stream)[HELPER], trial.delta, 0.05)


def few_steps(folder: Path) -> Scenario:
    return scenario(folder, task=FEW)


def test_steps_keep_their_claim_unless_gradients_are_not_clipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = few_steps(tmp_path)
    (trial,) = gradients_trials(one)
    found = bound(trial)
    assert not contradicts(trial, found) and found.shift > 0.6 * (trial.shift or 0)
    assert trial.opened is not None and trial.reach is not None and 0.97 < trial.reach <= 1
    assert not noise_found(trial.opened.noise(60, Stream(bytes(32))), trial.opened.variance).lacks
    right = clipped_gradients.clipped

    def unclipped(rows: WholeRows, w: Whole, how: Clipping) -> Whole:
        return right(rows, w, replace(how, norm=8.0))

    monkeypatch.setattr(clipped_gradients, "clipped", unclipped)
    (trial,) = gradients_trials(one)
    assert trial.reach is not None and trial.reach > 1.5
    assert EPSILON.run(Audited(one, AUDIT, effort=Effort(draws=500)))[0].contradicts


def test_a_training_in_the_clear_is_near_the_run(tmp_path: Path) -> None:
    one = scenario(tmp_path, SEED, task=FEW)
    record = record_of(one, run_in_one_thread(one))
    found = AUDIT.population(one, record)
    assert found is not None and found.seen is not None and found.members is None
    rng = np.random.default_rng(1)
    models = np.array([found.release(found.draw(rng), rng) for _ in range(200)])
    off = (found.seen - models.mean(axis=0)) / models.std(axis=0)
    assert np.abs(off).max() < 5
