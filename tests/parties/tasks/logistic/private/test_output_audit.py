"""What an audit is given of output perturbation: the minimum as the training finds it, and how far one row moves it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON
from parties.scenario.file import Scenario
from parties.tasks.logistic.audit import AUDIT
from parties.tasks.logistic.private.output.audit import output_trial, released, scaled
from parties.tasks.logistic.private.output.run import perturbed_settings
from tests.parties.tasks.logistic.private.planted import halve_own_noise, leave_rows_long
from tests.parties.tasks.logistic.private.scenarios import TASK, scenario

OUTPUT = TASK.replace("iterations = 20\n", "").replace("epsilon = 8\n", 'epsilon = 8\nmethod = "output"\n')
FEW = Effort(draws=500)


def output(folder: Path) -> Scenario:
    return scenario(folder, task=OUTPUT)


def test_the_minimum_is_one(tmp_path: Path) -> None:
    settings = perturbed_settings(output(tmp_path))
    rng = np.random.default_rng(1)
    x = scaled(rng.normal(60, 20, (40, 3)), settings)
    y = (rng.random(40) < 0.5).astype(float)
    w = released(x, y, settings) / 2.0**settings.how.grid
    slope = x.T @ (1 / (1 + np.exp(-x @ w)) - y) + settings.how.course.strength * w
    assert np.abs(slope).max() < settings.how.course.strength * 2.0 ** -(settings.how.grid - 2)
    assert ((x * x).sum(axis=1) <= settings.how.norm**2).all()


def test_no_row_moves_it_further_than_is_promised(tmp_path: Path) -> None:
    one = output(tmp_path)
    trial = output_trial(one)
    assert trial.reach is not None and 0.3 < trial.reach < 1
    (found,) = EPSILON.run(Audited(one, AUDIT, effort=FEW))
    assert not found.contradicts


def test_rows_that_are_too_long_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = OUTPUT.replace("epsilon = 8\n", "epsilon = 8\nnorm = 1.02\n")
    assert 0.4 < (output_trial(scenario(tmp_path, task=task)).reach or 0) < 1
    leave_rows_long(monkeypatch)
    (found,) = EPSILON.run(Audited(scenario(tmp_path, task=task), AUDIT, effort=FEW))
    assert found.contradicts


def test_half_the_noise_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although no row moves the model far enough for guesses to tell."""
    halve_own_noise(monkeypatch)
    (found,) = EPSILON.run(Audited(output(tmp_path), AUDIT, effort=FEW))
    assert found.contradicts and "the helper" in found.sentence
