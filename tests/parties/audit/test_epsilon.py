"""The lower bound of epsilon: below a claim that holds, above one where noise lacks, is used twice, or a row counts for
more than it may."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public
from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON, Bound, any_epsilon, bound_of, contradicts, gaussian_epsilon, noise_found
from parties.tasks.audited.audit import Audit, Trial, Worlds
from parties.tasks.audited.noise import HELPER, noisy_sum_trial
from parties.tasks.statistics.audit import AUDIT
from protocols.privacy import noisy_sum as noisy_sum_file
from protocols.privacy.accounting import calibrated, gaussian_delta, mean_shift
from protocols.privacy.noisy_sum import Noise, noisy_sum
from protocols.statistics.private import job as private
from tests.studies import study_of_two

DELTA = 1e-6
DRAWS = 4_000


def stream(label: str) -> Stream:
    return Stream(hashlib.sha256(label.encode()).digest())


def trial(epsilon: float, releases: int = 2, noise: Noise | None = None) -> Trial:
    """Of so many releases of one number each, which the row moves up and down."""
    made = calibrated(epsilon, DELTA, releases, 2)
    row = made.sensitivity * np.where(np.arange(releases) % 2, -1, 1)[np.newaxis]
    claim, charged = (epsilon, DELTA), [made.mechanism(releases)]
    return noisy_sum_trial("sums", claim, noise or made.noise, charged, np.zeros(releases, dtype=np.int64), row)


def bounds(of: Trial, label: str, draws: int = DRAWS) -> dict[str, Bound]:
    return {who: bound_of(seen, DELTA, 0.05 / 3) for who, seen in of.draw(draws * 5 // 4, stream(label)).items()}


def test_a_claim_that_holds_is_not_contradicted() -> None:
    one = trial(2.0)
    found = bounds(one, "holds")
    assert not any(contradicts(one, bound) for bound in found.values())
    assert 1.2 < found[HELPER].epsilon < 2.0  # and it is not far below
    assert found[HELPER].draws == DRAWS


@pytest.mark.sweep
@pytest.mark.parametrize("epsilon", [0.5, 2.0, 8.0])
def test_the_bound_is_below_the_claim_20_of_20(epsilon: float) -> None:
    one = trial(epsilon)
    for k in range(20):
        for bound in bounds(one, f"{epsilon}/{k}", 10_000).values():
            assert not contradicts(one, bound)


def test_half_the_noise_is_caught() -> None:
    made = calibrated(2.0, DELTA, 2, 2)
    one = trial(2.0, noise=replace(made.noise, variance=made.noise.variance // 4 * 2))
    found = bounds(one, "half")
    assert contradicts(one, found[HELPER]) and found[HELPER].epsilon > 2.0


class Repeated(Noise):
    """Noise that two releases share."""

    def own(self, stream: Stream, count: int) -> Array:
        return np.tile(super().own(stream, count // 2), 2)


def test_noise_of_two_releases_that_is_one_is_caught() -> None:
    made = calibrated(2.0, DELTA, 2, 2)
    one = trial(2.0, noise=Repeated(made.noise.variance, 2))
    found = bounds(one, "repeated", 1000)[HELPER]
    assert contradicts(one, found) and found.right == 1.0


TASK = """columns = ["age"]
statistics = ["count", "sum"]
[privacy]
epsilon = 1
[privacy.clip]
age = [0, 100]
"""


def statistics(folder: Path) -> Audited:
    return Audited(study_of_two(folder, "statistics", TASK), AUDIT, effort=Effort(draws=2000))


def test_statistics_keep_their_claim(tmp_path: Path) -> None:
    (found,) = EPSILON.run(statistics(tmp_path))
    assert not found.contradicts and found.claim == 1.0
    assert "Nothing contradicts the claim" in found.sentence


def test_values_that_are_not_clipped_are_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fine(clip: private.Clip, values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.rint((values - clip.centre) / clip.half * 2.0**private.FINE).astype(np.int64)

    monkeypatch.setattr(private.Clip, "fine", fine)
    (found,) = EPSILON.run(statistics(tmp_path))
    assert found.contradicts and "CANNOT BE TRUE" in found.sentence


def test_a_protocol_that_leaves_noise_out_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions draw all that is promised, and the protocol does not add it."""

    async def without_own(p: Party, own: Array, own_noise: Array, noise: Noise, **words: str) -> Public:
        return await noisy_sum(p, own, own_noise * np.uint64(0), noise, **words)

    monkeypatch.setattr(noisy_sum_file, "noisy_sum", without_own)
    (found,) = EPSILON.run(statistics(tmp_path))
    measured = next(one for one in found.figures if "opened 200 times" in one.name)
    assert found.contradicts and measured.value == pytest.approx(0.5, abs=0.1)


def test_noise_that_is_there_is_measured() -> None:
    rng = np.random.default_rng(10)
    noise = rng.normal(0, 30, (200, 40)).round()
    found = noise_found(noise, 900.0)
    assert not found.lacks and found.low < 1 < found.high and found.high - found.low < 0.07
    assert noise_found(noise, 1100.0).lacks
    assert not noise_found(noise, 700.0).lacks  # more than promised
    assert not noise_found(noise[:, :1], 900.0).lacks


def test_noise_of_many_numbers_is_not_taken_for_less() -> None:
    """A model of thousands of weights, of which few draws are made: each number's mean is learnt from them, too."""
    shift = np.full((1, 20_000), 0.1)
    how = Trial("sums", 8.0, DELTA, lambda draws, _: {"who reads": _worlds(draws, shift)}, 20_000, None, 900.0)
    audited = Audited(None, Audit(lambda *_: None, lambda _: (how,)))  # type: ignore[arg-type]
    (found,) = EPSILON.run(audited)
    assert not found.contradicts
    assert next(one for one in found.figures if "noise left" in one.name).value == pytest.approx(1.0, abs=0.002)


def _worlds(draws: int, shift: Array) -> Worlds:
    rng = np.random.default_rng(12)
    without, with_row = (rng.normal(0, 30, (draws, shift.shape[1])) for _ in range(2))
    return Worlds(without, (with_row + shift,), shift)


@pytest.mark.parametrize("axis", [0, 1], ids=["of two runs", "of two numbers"])
def test_noise_that_is_used_twice_is_caught(axis: int) -> None:
    noise = np.random.default_rng(11).normal(0, 30, (200, 40)).round()
    twice = np.concatenate([np.take(noise, range(noise.shape[axis] - 1), axis), np.take(noise, [0], axis)], axis)
    assert twice.shape == noise.shape
    assert noise_found(twice, 900.0).lacks
    if axis:
        assert noise_found(np.concatenate([noise[:, 1:], -noise[:, 1:2]], axis=1), 900.0).lacks


def test_gaussian_epsilon_inverts_the_claim() -> None:
    for epsilon in (0.1, 1.0, 7.0):
        assert gaussian_epsilon(mean_shift(epsilon, DELTA), DELTA) == pytest.approx(epsilon, rel=1e-6)
    assert gaussian_epsilon(1e-7, DELTA) == 0.0 == gaussian_epsilon(-1.0, DELTA)
    assert gaussian_delta(1e-7, 0.0) < DELTA


def test_randomised_response_has_its_epsilon() -> None:
    """Of a mechanism that is no Gaussian: a coin that says the truth with chance e / (1 + e) is of epsilon 1."""
    truth = float(np.exp(1)) / (1 + float(np.exp(1)))
    assert any_epsilon(1 - truth, 1 - truth, 0.0) == pytest.approx(1.0)
    rng = np.random.default_rng(8)
    said = [(rng.random((50_000, 1)) < chance).astype(float) for chance in (1 - truth, truth)]
    found = bound_of(Worlds(said[0], (said[1],), np.ones((1, 1))), 0.0 + 1e-9, 0.05)
    assert found.right == pytest.approx(truth, abs=0.01)


def test_the_worst_row_is_tried() -> None:
    """Of several rows the bound is by the one that is told best, whichever it is."""
    rng = np.random.default_rng(9)
    shift = np.array([[0.0, 0.1], [3.0, 0.0]])
    noise = [rng.normal(size=(5000, 2)) for _ in range(3)]
    worlds = Worlds(noise[0], (noise[1] + shift[0], noise[2] + shift[1]), shift)
    assert 2.7 < bound_of(worlds, DELTA, 0.05).shift < 3.0


def test_without_privacy_there_is_nothing_to_bound(tmp_path: Path) -> None:
    exact = study_of_two(tmp_path, "statistics", TASK.partition("[privacy]")[0])
    assert "no [privacy]" in EPSILON.applies(Audited(exact, AUDIT))


def test_trials_of_one_kind_are_those_of_an_audit() -> None:
    one = trial(1.0)
    audited = Audited(None, Audit(lambda *_: None, lambda _: (one,)), effort=Effort(draws=500))  # type: ignore[arg-type]
    (found,) = EPSILON.run(audited)
    assert found.what.startswith("sums, 500 draws") and len(found.figures) == 6
