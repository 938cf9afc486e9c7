"""What an audit is given of a secure sum is what its clients add."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON, bound_of, contradicts
from parties.audit.membership import MEMBERSHIP
from parties.tasks.audited.noise import WORK_TOGETHER
from parties.tasks.secure_sum import audit
from parties.tasks.secure_sum.audit import AUDIT
from parties.tasks.secure_sum.settings import SumScenario
from tests.parties.tasks.secure_sum.test_private import private
from tests.parties.tasks.secure_sum.test_settings import loaded
from tests.run.sums import expected


def test_candidates_add_up_to_the_exact_sums(tmp_path: Path) -> None:
    one = loaded(tmp_path)
    found = AUDIT.population(one, None)
    assert found is not None and found.unit == "client" and found.size == one.count
    total = found.release(np.ones(found.size, dtype=bool), np.random.default_rng(1))
    known = expected()
    for (column, kind), number in zip(one.entries, total, strict=True):
        scale = one.coding.scale if kind == "sum" else 1.0
        assert number / scale == pytest.approx(known[column][kind], abs=1e-2)


def test_sums_of_few_clients_tell_whose_data_are_in_them(tmp_path: Path) -> None:
    exact = MEMBERSHIP.run(Audited(loaded(tmp_path), AUDIT, effort=Effort(shadows=64)))[0].figures[0]
    assert (exact.low or 0) > 0.6
    noisy = private(tmp_path, privacy="[privacy]\nepsilon = 0.5\n")
    assert MEMBERSHIP.run(Audited(noisy, AUDIT, effort=Effort(shadows=64)))[0].figures[0].value < 0.6


def test_the_noise_of_honest_clients_keeps_the_claim(tmp_path: Path) -> None:
    (trial,) = AUDIT.trials(private(tmp_path))
    seen = trial.draw(1250, Stream(hashlib.sha256(b"sums").digest()))[WORK_TOGETHER]
    assert not contradicts(trial, bound_of(seen, trial.delta, 0.05))
    assert trial.reach is not None and 0.9 < trial.reach <= 1 and trial.unit == "client"


def test_values_that_are_not_clipped_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def long(scenario: SumScenario, client: str, values: Array) -> tuple[Array, int]:
        return np.full(len(scenario.entries), 1.2), 0

    monkeypatch.setattr(audit, "own_vector", long)
    one = private(tmp_path)
    with pytest.raises(ValueError, match="a norm of"):  # the noise refuses it before anybody could
        EPSILON.run(Audited(one, AUDIT, effort=Effort(draws=500)))
