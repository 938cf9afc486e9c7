"""What an audit is given of federated learning is what a study does."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import bound_of, contradicts
from parties.audit.membership import MEMBERSHIP
from parties.tasks.audited.noise import WORK_TOGETHER
from parties.tasks.federated.audit.population import AUDIT
from parties.tasks.federated.settings import FederatedScenario
from protocols.privacy.discrete_gaussian import samples
from tests.parties.tasks.federated.runs import rows, scenario
from tests.parties.tasks.star.runs import study

PRIVACY = "[privacy]\nepsilon = 4.0\ndelta = 1e-5"
TASKS = {
    "standardised": "rounds = 3\nvalidation_fraction = 0.2\nstandardise = true",
    "cohorts": "rounds = 3\nbatch_size = 8\ncohort = 5\nmin_cohort = 4",
    "adam": 'rounds = 3\nmethod = "fedadam"\nweights = "rows"',
    "newton": 'method = "newton"\nrounds = 8',
}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_study_in_the_clear_ends_as_a_run_does(tmp_path: Path, task: str) -> None:
    one = scenario(tmp_path, task)
    ran = study(one, tmp_path).served()
    found = AUDIT.population(one, ran)
    assert found is not None and found.seen is not None
    members = found.members if found.members is not None else np.ones(found.size, dtype=bool)
    again = found.release(members, np.random.default_rng(1))
    assert again == pytest.approx(found.seen, abs=2e-3)  # sums are rounded in the run
    other = found.release(found.draw(np.random.default_rng(2)), np.random.default_rng(1))
    assert other != pytest.approx(found.seen, abs=2e-3)


def test_a_client_with_odd_rows_is_recognised(tmp_path: Path) -> None:
    """A label that only its own rows have: the model fits it where the client took part."""
    data = rows(8)
    for k, values in enumerate(data.values()):
        values[:, -1] = (values[:, k % 3] > 0) == (k % 2)
    one = scenario(tmp_path, "rounds = 6\nepochs = 4\nlearning_rate = 1.0", data=data)
    (found,) = MEMBERSHIP.run(Audited(one, AUDIT, effort=Effort(shadows=64)))
    assert found.against.startswith("the server, all 8 clients")
    assert (found.figures[0].low or 0) > 0.5


def test_with_privacy_whole_clients_are_looked_for(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 2", PRIVACY)
    found = AUDIT.population(one, None)
    assert found is not None and (found.unit, found.size) == ("client", 8)
    rng = np.random.default_rng(3)
    mask = found.draw(rng)
    assert mask.sum() == 4
    assert found.release(mask, rng) != pytest.approx(found.release(mask, rng), abs=1e-3)  # noise


def bound(one: FederatedScenario, draws: int = 2000) -> tuple[Any, Any]:
    (trial,) = AUDIT.trials(one)
    seen = trial.draw(draws * 5 // 4, Stream(hashlib.sha256(b"federated").digest()))
    return trial, bound_of(seen[WORK_TOGETHER], trial.delta, 0.05)


def test_a_rounds_noise_keeps_its_claim_and_half_of_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scenario(tmp_path, "rounds = 1", PRIVACY.replace("4.0", "8.0"))
    trial, found = bound(one)
    assert not contradicts(trial, found) and found.shift > 0.8 * trial.shift

    def half(stream: Stream, variance: int, count: int) -> NDArray[np.int64]:
        return samples(stream, variance // 2, count)

    monkeypatch.setattr("protocols.privacy.distributed.samples", half)
    assert contradicts(*bound(one))


def test_an_update_that_is_not_clipped_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = scenario(tmp_path, "rounds = 1", PRIVACY)
    monkeypatch.setattr("parties.tasks.federated.audit.population.clip", lambda update, norm: (update, False))
    (trial,) = AUDIT.trials(one)
    with pytest.raises(ValueError, match="a norm of"):
        trial.draw(2, Stream(bytes(32)))


def test_noise_counts_that_of_the_honest_alone(tmp_path: Path) -> None:
    """Were all clients' noise counted, the claim would be of less than what those who work together leave."""
    one = scenario(tmp_path, "rounds = 1\ncorrupt = 0.25", PRIVACY.replace("4.0", "8.0"))
    how = one.mechanisms["train"]
    assert how.fewest < one.count
    (trial,) = AUDIT.trials(one)
    assert trial.shift == pytest.approx(np.sqrt(how.squared_norm / (how.fewest * how.variance)))
    fewer = replace(how, fewest=how.fewest // 2)
    assert np.sqrt(2 * fewer.rho) > trial.shift
