"""What an audit is given of objective perturbation: minima as the training finds them, and a row that is told best."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.audit.attack import Audited, Effort, Finding
from parties.audit.epsilon import EPSILON, bound_of, contradicts
from parties.scenario.file import Scenario
from parties.tasks.audited.noise import HELPER
from parties.tasks.logistic.audit import AUDIT
from parties.tasks.logistic.private.output.objective_audit import Alike, objective_trials
from parties.tasks.logistic.private.output.run import perturbed_settings
from protocols.plain.perturbed import minimum
from protocols.privacy.noisy_sum import Noise
from tests.parties.tasks.logistic.private.planted import leave_rows_long
from tests.parties.tasks.logistic.private.scenarios import TASK, scenario

OBJECTIVE = TASK.replace("iterations = 20\n", "").replace("epsilon = 8\n", 'epsilon = 8\nmethod = "objective"\n')
FEW = Effort(draws=500)


def objective(folder: Path) -> Scenario:
    return scenario(folder, task=OBJECTIVE)


def audited(one: Scenario) -> tuple[Finding, ...]:
    return EPSILON.run(Audited(one, AUDIT, effort=FEW))


def alike(one: Scenario, others: int) -> Alike:
    how = perturbed_settings(one).how
    assert how.linear is not None
    return Alike(how, how.linear, np.array([0.5, -0.75, 1.0]), others)


def test_the_minima_are_those_of_the_training(tmp_path: Path) -> None:
    case = alike(objective(tmp_path), 5)
    c = np.random.default_rng(1).normal(size=(4, 3))
    for more in (0, 1):
        x, y = np.tile(case.x, (5 + more, 1)), np.append(np.ones(5), np.zeros(more))
        course = case.how.course
        exact = [minimum(x, y, course.strength, course.how.fit, linear) for linear in c]
        assert case._minima(c, more) == pytest.approx(np.array(exact), abs=1e-12)


def test_a_row_is_told_nearly_as_well_as_the_claim_allows(tmp_path: Path) -> None:
    model, result = objective_trials(objective(tmp_path))
    seen = model.draw(5000, Stream(hashlib.sha256(b"objective").digest()))
    bound = bound_of(seen[HELPER], model.delta, 0.05 / 3)
    assert not contradicts(model, bound)
    assert model.epsilon / 2 < bound.epsilon < model.epsilon == 8
    assert model.reach is not None and 0.97 < model.reach <= 1
    assert result.reach is not None and 0.97 < result.reach <= 1


def test_the_noise_meets_the_claim(tmp_path: Path) -> None:
    model, result = audited(objective(tmp_path))
    assert not model.contradicts and not result.contradicts
    for found in (model, result):
        left = next(one for one in found.figures if "noise left" in one.name)
        assert left.low is not None and left.high is not None and left.low < 1.02 and left.high > 0.98


def test_an_onlooker_takes_off_what_it_knows(tmp_path: Path) -> None:
    """So much less is left to it than to a mere reader: half the variance."""
    case = alike(objective(tmp_path), 0)
    seen = case.draw(2000, Stream(hashlib.sha256(b"known").digest()))
    variance = {who: float(worlds.without.var()) / case.linear.noise.variance for who, worlds in seen.items()}
    assert variance[HELPER] == pytest.approx(1, abs=0.1)
    assert max(variance.values()) == pytest.approx(2, abs=0.2)


def test_the_noise_in_the_result_is_drawn_too(tmp_path: Path) -> None:
    """A model told more roughly says less of the noise in its objective."""
    case = alike(objective(tmp_path), 0)
    wide = replace(case.how.noise, variance=case.how.noise.variance * 2**40)
    spread = []
    for one in (case, replace(case, how=replace(case.how, noise=wide))):
        seen = one.draw(200, Stream(hashlib.sha256(b"result").digest()))
        spread.append(float(seen[HELPER].without.std()))
    assert spread[1] > 10 * spread[0]


@pytest.mark.parametrize("which", ["objective", "result"])
def test_half_the_noise_is_caught(which: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, right = objective(tmp_path), Noise.own
    how = perturbed_settings(one).how
    assert how.linear is not None
    planted = how.linear.noise if which == "objective" else how.noise

    def half(noise: Noise, stream: Stream, count: int) -> Array:
        return right(replace(noise, variance=noise.variance // 4 * 2) if noise == planted else noise, stream, count)

    monkeypatch.setattr(Noise, "own", half)
    assert [found.contradicts for found in audited(one)] == [which == "objective", which == "result"]


def test_noise_of_two_weights_that_is_one_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Noise.own
    monkeypatch.setattr(Noise, "own", lambda noise, stream, count: np.tile(right(noise, stream, 1), count))
    assert audited(objective(tmp_path))[0].contradicts


def test_rows_that_are_too_long_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = scenario(tmp_path, task=OBJECTIVE.replace("epsilon = 8\n", "epsilon = 8\nnorm = 1.05\n"))
    assert not audited(one)[0].contradicts
    leave_rows_long(monkeypatch)
    assert (objective_trials(one)[0].reach or 0) > 1.1
    assert audited(one)[0].contradicts
