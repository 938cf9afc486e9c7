"""What an audit is given of a linear regression with [privacy]: rows as long as any can be, and a fit like a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON, noise_found
from parties.report.record import record_of
from parties.session.lockstep import run_in_one_thread
from parties.tasks.linear.audit import AUDIT
from parties.tasks.linear.private.audit import linear_trials
from protocols.linear import noisy_moments
from protocols.linear.noisy_moments import Floats, NoisyLinear
from tests.parties.tasks.linear.private.test_run import PRIVACY, SEED, scenario

FEW = Effort(draws=1000)


def test_the_noise_keeps_its_claim(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    (trial,) = linear_trials(one)
    assert trial.reach is not None and 0.9999 < trial.reach <= 1
    assert trial.opened is not None
    assert not noise_found(trial.opened.noise(50, Stream(bytes(32))), trial.opened.variance).lacks
    (found,) = EPSILON.run(Audited(one, AUDIT, effort=FEW))
    assert not found.contradicts and found.figures[0].value > 2


def test_rows_that_are_not_scaled_down_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def products(x: Floats, y: Floats, settings: NoisyLinear) -> NDArray[np.int64]:
        z = settings.scaling.rows(x, y) * 1.2
        first, second = np.triu_indices(settings.width)
        factors = np.where(first == second, 1.0, 2**0.5) / settings.unit
        return np.trunc(z[:, first] * z[:, second] * factors).astype(np.int64)

    monkeypatch.setattr(noisy_moments, "_products", products)
    (found,) = EPSILON.run(Audited(scenario(tmp_path), AUDIT, effort=FEW))
    assert found.contradicts


def test_a_fit_in_the_clear_is_near_the_run(tmp_path: Path) -> None:
    one = scenario(tmp_path, privacy=PRIVACY + SEED)
    found = AUDIT.population(one, record_of(one, run_in_one_thread(one)))
    assert found is not None and found.seen is not None and found.members is None
    rng = np.random.default_rng(1)
    everybody = np.ones(found.size, dtype=bool)
    fits = np.array([found.release(everybody, rng) for _ in range(200)])
    off = (found.seen - fits.mean(axis=0)) / fits.std(axis=0)
    assert 0.1 < np.abs(off).max() < 5
