"""Trainings by noisy gradients: the twin in the clear given the noise, the plan, and what is charged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.randomness.streams import Stream, derive
from mpc.runtime.lockstep import Message, Outcome
from mpc.runtime.party import Party
from protocols.evaluation.noisy_metrics import BINS, cells
from protocols.privacy.accounting import VectorMechanism, epsilon_of
from protocols.privacy.sampled import divergences
from protocols.training.private.clipped_gradients import (
    Clipping,
    Ranges,
    WholeRows,
    coins,
    own_sum,
    whole_scores,
    whole_weights,
)
from protocols.training.private.noisy_descent import (
    COUNT_UNIT,
    COUNTS,
    GRADIENTS,
    Descent,
    NoisySettings,
    NoisyTrained,
    calibrated_gradients,
    noisy_training_job,
)
from tests.helpers import lockstep, owner_names

TRUTH = np.array([1.5, -1.0, 0.5])


def settings_of(
    owners: int = 2, epsilon: float = 2.0, steps: int = 6, rate: float = 1.0, held_out: float = 0.2
) -> NoisySettings:
    clipping = Clipping(1.0)
    return NoisySettings(
        owner_names(owners),
        "helper",
        ("age", "sex", "dose"),
        Ranges(((-4.0, 4.0), (-4.0, 4.0), (-4.0, 4.0))),
        clipping,
        steps=steps,
        rate=rate,
        step_size=1.0,
        momentum=0.9,
        l2=0.01,
        class_scale=1.0,
        held_out=held_out,
        fewest_rows=20.0 * owners,
        epsilon=epsilon,
        delta=1e-6,
        variance=calibrated_gradients(epsilon, 1e-6, owners, clipping.squared, steps, rate),
    )


def rows_of(count: int, seed: int, how: NoisySettings) -> WholeRows:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3))
    y = rng.random(count) < 1 / (1 + np.exp(0.3 - x @ TRUTH))
    return WholeRows(how.ranges.whole_rows(x), y.astype(np.int64))


def own(name: str, seed: int = 0) -> Stream:
    return Stream(derive(bytes(32), f"{seed}/{name}"))


def run(how: NoisySettings, parts: list[WholeRows], seed: int = 0) -> tuple[Outcome, list[np.ndarray]]:
    """The run, and what was opened in each round: the sum of what the owners send."""
    sent: dict[tuple[str, str], list[np.ndarray]] = {}

    def tap(message: Message) -> bytes:
        if message.sender in how.owners:
            sent.setdefault((message.sender, message.receiver), []).append(np.frombuffer(message.body, dtype="<i8"))
        return message.body

    def factory(rows: WholeRows) -> Any:
        def program(p: Party) -> Any:
            return noisy_training_job(p, None if p.dry else rows, None if p.dry else own(p.name, seed), how)

        return program

    outcome = lockstep({name: factory(rows) for name, rows in zip(how.owners, parts, strict=True)}, seed, tap)
    first = [next(found for (sender, _), found in sent.items() if sender == name) for name in how.owners]
    with np.errstate(over="ignore"):
        return outcome, [np.sum(words, axis=0) for words in zip(*first, strict=True)]


def addends(how: NoisySettings, parts: list[WholeRows], at: list[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    """What the owners add to each release at these weights, their noise included: by their own randomness alone."""
    totals = [np.zeros(how.size, dtype=np.int64) for _ in range(how.steps)] + [np.zeros(2 * BINS, dtype=np.int64)]
    for name, rows in zip(how.owners, parts, strict=True):
        stream = own(name, seed)
        held = coins(stream, how.held_out, len(rows.y))
        train, test = rows.of(~held), rows.of(held)
        for t in range(how.steps):
            drawn = train if how.rate == 1.0 else train.of(coins(stream, how.rate, len(train.y)))
            totals[t] += own_sum(drawn, whole_weights(at[t]), how.clipping)
            totals[t] += how.noise.own(stream, how.size).view(np.int64)
        scores = whole_scores(test, whole_weights(at[-1])) * 2.0**-40
        totals[-1] += cells(scores, test.y).reshape(-1) * COUNT_UNIT
        totals[-1] += how.counts_noise.own(stream, 2 * BINS).view(np.int64)
    return totals


@pytest.mark.parametrize("rate", [1.0, 0.3])
def test_opened_sums_are_the_owners_and_the_helpers_noise(rate: float) -> None:
    """Less what the owners add, each is noise of the helper's: fresh in each round, and as wide as is claimed."""
    how = settings_of(3, steps=40, rate=rate)
    parts = [rows_of(120 + 20 * k, k, how) for k in range(3)]
    outcome, opened = run(how, parts)
    now, at = Descent.start(3), []
    for total in opened[:-1]:
        at.append(now.at.look_ahead(how))
        now = now.stepped(total, how)
    at.append(now.at.model(how))
    left = [total - mine for total, mine in zip(opened, addends(how, parts, at), strict=True)]
    helpers = np.concatenate(left[:-1]) / how.variance**0.5
    assert abs(helpers.mean()) < 5 / helpers.size**0.5
    assert abs(helpers.std() - 1) < 5 / (2 * helpers.size) ** 0.5
    assert np.unique(helpers).size == helpers.size
    assert 0.5 < (left[-1] / how.counts_noise.variance**0.5).std() < 1.6
    first, *others = outcome.results.values()
    assert all(one.scaled == first.scaled for one in others)
    assert first.scaled == tuple(now.at.model(how).tolist())
    assert (first.counts == opened[-1].reshape(2, BINS) / COUNT_UNIT).all()


@pytest.mark.parametrize("owners", [2, 4])
def test_the_plan_has_a_round_a_step(owners: int) -> None:
    how = settings_of(owners, steps=5)
    outcome, _ = run(how, [rows_of(30, k, how) for k in range(owners)])
    assert len(outcome.plan.rounds) == 6
    assert [one.what for one in outcome.plan.reveals] == [GRADIENTS] * 5 + [COUNTS]
    alone = replace(how, held_out=0.0)
    outcome, _ = run(alone, [rows_of(30, k, how) for k in range(owners)])
    assert [one.what for one in outcome.plan.reveals] == [GRADIENTS] * 5
    assert outcome.results["owner0"].counts is None


def test_model_is_near_the_truth_where_there_are_many_rows() -> None:
    """In the features' own units, the intercept too; and the noisy number of rows is near the exact one."""
    how = settings_of(2, epsilon=20.0, steps=60)
    how = replace(how, ranges=Ranges(((-4.0, 6.0), (-3.0, 5.0), (-4.0, 4.0))), l2=0.0)
    outcome, _ = run(how, [rows_of(6000, k, how) for k in range(2)])
    found: NoisyTrained = outcome.results["owner0"]
    assert found.weights == pytest.approx(TRUTH, abs=0.15)
    assert found.intercept == pytest.approx(-0.3, abs=0.15)
    assert found.rows == pytest.approx(12_000 * 0.8, rel=0.03)
    assert found.counts is not None and found.counts.sum() == pytest.approx(12_000 * 0.2, rel=0.1)


def test_an_iterate_follows_its_formula() -> None:
    """Nesterov's step on the sum over the most rows there may be, by hand; a noisy number of rows has its least."""
    how = replace(settings_of(2, steps=2), l2=0.5, step_size=0.25, momentum=0.5, fewest_rows=10.0)
    unit, rows = 2.0**16, how.clipping.counted
    doubt = 5 * (2 * how.variance) ** 0.5 / rows
    one = Descent.start(3).stepped(np.array([8 * unit, 0, -4 * unit, 0, 16 * rows], dtype=np.int64), how)
    assert np.allclose(one.at.w, np.array([-2.0, 0.0, 1.0, 0.0]) / (16 + doubt), atol=1e-15)
    ahead = one.at.look_ahead(how)
    assert np.allclose(ahead, 1.5 * one.at.w, atol=1e-15)
    two = one.stepped(np.array([0, 0, 0, 10 * unit, 0], dtype=np.int64), how)
    slope = np.array([*(0.5 * ahead[:3]), 10 / (10 + doubt / 2**0.5)])
    assert np.allclose(two.at.w, one.at.w + 0.5 * one.at.velocity - 0.25 * slope, atol=1e-15)
    assert how.mean_rows(two.rows, 2) == 10.0
    assert two.at.model(how).tolist() == two.at.w.tolist()


@pytest.mark.parametrize(("epsilon", "rate", "steps"), [(0.1, 1.0, 100), (1.0, 1.0, 30), (3.0, 0.05, 400)])
def test_what_is_charged_is_epsilon(epsilon: float, rate: float, steps: int) -> None:
    how = settings_of(epsilon=epsilon, rate=rate, steps=steps)
    assert how.mechanism == VectorMechanism(how.variance, how.clipping.squared, steps, rate)
    assert 0.99 * epsilon < epsilon_of([how.mechanism], 1e-6, near=epsilon) <= epsilon


@pytest.mark.parametrize("rate", [1.0, 0.2, 0.01])
def test_counts_cost_no_more_than_the_training_at_any_order(rate: float) -> None:
    """So a row that is in one of the two is as well protected as if it were in the training."""
    how = settings_of(rate=rate, steps=50)
    counts = COUNT_UNIT**2 / (2 * how.counts_noise.variance)
    each, orders = how.clipping.squared / (2 * how.variance), np.arange(2, 64)
    training = 50 * (each * orders if rate == 1.0 else divergences(each, rate)[: orders.size])
    assert (counts * orders <= training * (1 + 1e-9)).all()
    assert (counts * orders >= 0.998 * training).any()


def test_a_row_is_trained_on_or_held_out() -> None:
    """By its own coin: no row is in both, and which ones are is another in each run."""
    how = settings_of(2, steps=1, held_out=0.5, epsilon=20.0)
    parts = [rows_of(400, k, how) for k in range(2)]
    seen = []
    for seed in (1, 2):
        _, opened = run(how, parts, seed)
        trained = opened[0][-1] / how.clipping.counted
        held = opened[1].sum() / COUNT_UNIT
        assert trained + held == pytest.approx(800, abs=40)
        assert trained == pytest.approx(400, abs=90)
        seen.append(round(trained))
    assert seen[0] != seen[1]
