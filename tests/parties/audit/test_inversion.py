"""Gradient inversion rebuilds the row of a client that has one, and is at chance where many are summed, or noise is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.audit.attack import Audited, Figure
from parties.audit.inversion import (
    INVERSION,
    RECOVERED,
    Match,
    attempts_at,
    match,
    rows_that_give,
    unit_means,
)
from parties.audit.rates import wilson_interval
from parties.tasks.audited.updates import RoundUpdates, Updates
from parties.tasks.federated.audit.population import AUDIT
from parties.tasks.federated.audit.updates import updates_of
from protocols.federated.local import Local, train
from protocols.federated.models import Network, Rows, model_of
from tests.parties.tasks.federated.runs import scenario

P = 4


def model(name: str) -> Network:
    return model_of("mlp", P, 2, (6,)) if name == "mlp" else model_of("logistic", P, 2)


def trained(of: Network, w: Array, rows: Rows, epochs: int = 1) -> Array:
    return train(of, w, rows, Local(epochs, 0, 0.1), Stream(bytes(32))) - w


def some(rng: np.random.Generator, count: int) -> Rows:
    return Rows(rng.normal(size=(count, P)), rng.integers(0, 2, count).astype(float))


@pytest.mark.parametrize("name", ["logistic", "mlp"])
@pytest.mark.parametrize("epochs", [1, 7])
def test_one_row_is_rebuilt(name: str, epochs: int) -> None:
    rng, of = np.random.default_rng(1), model(name)
    w, rows = 0.5 * rng.normal(size=of.size), some(rng, 1)
    found = unit_means(of, trained(of, w, rows, epochs))
    distances = np.abs(found - rows.x).max(axis=1)
    assert distances.min() < 1e-9 if name == "logistic" or epochs == 1 else distances.min() < 0.05


def test_two_rows_are_found_by_their_training() -> None:
    rng, of = np.random.default_rng(2), model("mlp")
    w, rows = 0.5 * rng.normal(size=of.size), some(rng, 2)
    update = trained(of, w, rows)
    means = unit_means(of, update)
    assert not any(np.abs(means - row).max(axis=1).min() < 0.05 for row in rows.x)
    found = rows_that_give(update, lambda tried: trained(of, w, tried), 2, means, (0.0, 1.0), rng)
    assert all(np.abs(found - row).max(axis=1).min() < 1e-3 for row in rows.x)


def test_rounds_of_a_regression_add_up() -> None:
    """One round's update has one number more than a row; three of them give both rows of a client back."""
    rng, of = np.random.default_rng(5), model("logistic")
    rows, models = some(rng, 2), [0.5 * rng.normal(size=of.size) for _ in range(3)]

    def retrained(tried: Rows) -> Array:
        return np.concatenate([trained(of, w, tried) for w in models])

    updates = np.rint(retrained(rows) * 1e4) / 1e4
    means = unit_means(of, updates[: of.size])
    assert not any(np.abs(means - row).max(axis=1).min() < 0.2 for row in rows.x)
    found = rows_that_give(updates, retrained, 2, means, (0.0, 1.0), rng)
    assert all(np.abs(found - row).max(axis=1).min() < 0.1 for row in rows.x)


def test_more_rows_than_numbers_are_not_looked_for() -> None:
    rng, of = np.random.default_rng(3), model("logistic")
    means = np.zeros((1, P))
    assert rows_that_give(np.ones(of.size), lambda rows: np.zeros(of.size), 2, means, (0.0, 1.0), rng) is means


def updates(clients: int, rows: int, noise: float = 0.0, name: str = "logistic") -> Updates:
    """Clients whose rows are all alike, so that nothing but the sum could tell them apart."""
    rng, of = np.random.default_rng(4), model(name)
    w, own = 0.5 * rng.normal(size=of.size), {k: some(rng, rows) for k in range(clients)}
    sent = {k: trained(of, w, one) for k, one in own.items()}

    def opened(sums: list[Array], shares: list[float], rng: np.random.Generator) -> Array:
        return np.asarray(np.mean(sums, axis=0) + noise * rng.normal(size=of.size))

    return Updates(
        of,
        own,
        {k: some(rng, 5) for k in own},
        (RoundUpdates(1, sent, dict.fromkeys(own, 1.0)),),
        lambda t, client, tried: trained(of, w, tried),
        opened,  # type: ignore[arg-type]
        clients // 2,
        clients,
        False,
        bool(noise),
        (0.0, 1.0),
    )


def won(matches: tuple[Match, ...]) -> tuple[float, float, float]:
    return wilson_interval(sum(one.won for one in matches), len(matches))


def test_clients_of_one_row_are_rebuilt_one_by_one_only() -> None:
    of = updates(40, 1)
    alone, summed = (attempts_at(of, clients, np.random.default_rng(5)) for clients in (1, 20))
    assert all(one.inside < RECOVERED for one in alone.matches) and won(alone.matches)[1] > 0.95
    assert sum(one.inside < RECOVERED for one in summed.matches) < 5


def test_noise_leaves_chance() -> None:
    found = attempts_at(updates(40, 1, noise=0.2), 1, np.random.default_rng(6))
    assert won(found.matches)[0] == pytest.approx(0.5, abs=0.12)
    assert sum(one.inside < RECOVERED for one in found.matches) < 5


def test_an_update_of_nothing_is_at_chance() -> None:
    """Updates that have nothing to do with the rows: a row of the sum is not nearer than another."""
    of, rng = updates(40, 3), np.random.default_rng(7)
    blind = {k: rng.normal(size=of.model.size) for k in of.rows}
    found = attempts_at(replace(of, rounds=(RoundUpdates(1, blind, of.rounds[0].shares),)), 5, rng, 600)
    share, low, high = won(found.matches)
    assert low < 0.5 < high and abs(share - 0.5) < 0.06


def test_all_clients_are_compared_with_rows_held_out() -> None:
    found = attempts_at(updates(6, 2), 6, np.random.default_rng(8), 3)
    assert found.rows == 12 and len(found.matches) == 3


def test_equally_many_rows_are_compared() -> None:
    """One row against a thousand: the nearest of these would be nearer, whatever the sum was of."""
    rng = np.random.default_rng(9)
    wins = [
        match(rng.normal(size=(1, 2)), rng.normal(size=(1, 2)), rng.normal(size=(999, 2)), rng).won for _ in range(300)
    ]
    assert np.mean(wins) == pytest.approx(0.5, abs=0.1)
    assert Match(1.0, 1.0).won == 0.5 and Match(0.0, 1.0).won == 1 and Match(2.0, 1.0).won == 0


def test_the_interval_of_a_share() -> None:
    assert wilson_interval(10, 10) == pytest.approx((1, 0.7225, 1), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 0, 1)


TASK = "rounds = 2\nvalidation_fraction = 0\nepochs = 3\nleast_rows = 1"


def single(count: int) -> dict[str, Array]:
    rng = np.random.default_rng(10)
    x = np.column_stack([rng.normal(size=(count, 2)).clip(-4, 4), rng.random(count) < 0.5]).round(4)
    y = (rng.random(count) < 0.5).astype(float)
    return {f"client_{k + 1:02d}": np.append(x[k], y[k])[None] for k in range(count)}


def figures(audited: Audited) -> list[dict[str, Figure]]:
    return [{one.name: one for one in found.figures} for found in INVERSION.run(audited)]


REBUILT = "attacks that rebuild a row"
NEARER = "attacks that come nearer to a row of the sum than to others"


@pytest.mark.parametrize("kind", ["plain", "secure", "private"])
def test_devices_with_one_row(tmp_path: Path, kind: str) -> None:
    task = TASK + ('\naggregation = "plain"' if kind == "plain" else "")
    more = "[privacy]\nepsilon = 8.0" if kind == "private" else ""
    one = scenario(tmp_path, task, more, count=30, data=single(30), most_rows=2)
    found = figures(Audited(one, AUDIT))
    assert len(found) == (1 if kind == "plain" else 2)
    if kind == "private":
        assert found[0][REBUILT].value < 0.05 and (found[1][NEARER].low or 0) < 0.5
    else:
        assert found[0][REBUILT].value == 1
    if kind == "secure":
        assert found[1][REBUILT].value < 0.05


def test_clients_with_two_rows_are_rebuilt_from_three_rounds(tmp_path: Path) -> None:
    data = {
        name: np.concatenate([one, single(60)[f"client_{k + 31}"]]) for k, (name, one) in enumerate(single(30).items())
    }
    task = TASK.replace("rounds = 2", "rounds = 3") + '\naggregation = "plain"\nlearning_rate = 1.0'
    one = scenario(tmp_path, task, count=30, data=data, most_rows=2)
    of = updates_of(one)
    assert of is not None
    found = attempts_at(of, 1, np.random.default_rng(1), 4)
    assert found.searched and sum(one.inside < RECOVERED for one in found.matches) >= 3


def test_what_the_audit_is_given_is_what_clients_send(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 2\nstandardise = true", count=5)
    of = updates_of(one)
    assert of is not None and [rounds.t for rounds in of.rounds] == [2, 3] and not of.plain
    for client, rows in of.rows.items():
        for rounds in of.rounds:
            assert of.retrain(rounds.t, client, rows) == pytest.approx(rounds.updates[client], abs=1e-12)
    sizes = [len(rows.y) for rows in of.rows.values()]
    assert list(of.rounds[0].shares.values()) == pytest.approx([size / 60 for size in sizes])
    seen = of.opened([of.rounds[0].updates[0]], [of.rounds[0].shares[0]], np.random.default_rng(1))
    assert seen == pytest.approx(of.rounds[0].updates[0], abs=2e-3) and (seen != of.rounds[0].updates[0]).any()


def test_newton_is_not_tried(tmp_path: Path) -> None:
    assert "Newton" in INVERSION.applies(Audited(scenario(tmp_path, 'method = "newton"'), AUDIT))
