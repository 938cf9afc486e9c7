"""What an audit is given of noisy gradients of split columns: the training in the clear, and its noise measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON
from parties.tasks.audited.models import pooled_rows
from parties.tasks.logistic.audit import AUDIT
from parties.tasks.logistic.private.columns.audit import columns_fit, columns_trial, worst_sums
from parties.tasks.logistic.private.columns.run import columns_settings
from tests.parties.tasks.logistic.private.planted import halve_own_noise, leave_rows_long
from tests.parties.tasks.logistic.private.scenarios import SPLIT
from tests.parties.tasks.logistic.private.test_columns import GRADIENTS, scenario

FEW = Effort(draws=500)
SHORT = SPLIT.replace("id =", "iterations = 3\nid =")


def test_the_worst_row_is_as_long_as_promised(tmp_path: Path) -> None:
    one = scenario(tmp_path, SHORT)
    trial, how = columns_trial(one), columns_settings(one)
    assert trial.reach is not None and 0.97 < trial.reach <= 1
    long, other = worst_sums(how).astype(float)
    assert (long**2).sum() == pytest.approx(3 * (other**2).sum())


def test_the_noise_meets_the_claim(tmp_path: Path) -> None:
    (found,) = EPSILON.run(Audited(scenario(tmp_path, SHORT), AUDIT, effort=FEW))
    assert not found.contradicts


def test_half_the_noise_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halve_own_noise(monkeypatch)
    (found,) = EPSILON.run(Audited(scenario(tmp_path, SHORT), AUDIT, effort=FEW))
    assert found.contradicts


def test_rows_that_are_too_long_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = GRADIENTS.replace("epsilon", "norm = 1.05\nepsilon", 1)
    leave_rows_long(monkeypatch)
    (found,) = EPSILON.run(Audited(scenario(tmp_path, SHORT, task), AUDIT, effort=FEW))
    assert found.contradicts


def test_the_twin_is_near_the_model_without_noise(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    rows = pooled_rows(one, None)
    every = {name: np.arange(len(rows.y)) for name in ("all",)}
    w = columns_fit(one, rows)(every, np.random.default_rng(1))
    right = ((rows.x @ w[:-1] + w[-1] > 0) == (rows.y > 0.5)).mean()
    assert right > 0.7
