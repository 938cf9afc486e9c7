"""Attribute inference counts what a patient's own row adds, and not what a model tells of everybody."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.ring.array import Array
from parties.audit.attack import Audited, Finding
from parties.audit.attribute import ATTRIBUTE, advantage, beliefs, guessed_column
from parties.audit.counts.linkage import linked
from parties.audit.target import audit_of
from parties.tasks.audited.audit import Audit, Losses, Mask, Population, Random
from parties.tasks.audited.counts import Counted, Fact, Weights
from parties.tasks.statistics.audit import AUDIT
from tests.parties.audit.test_membership import rows
from tests.studies import study_of_two


def line(x: Array, y: Array) -> Array:
    return np.asarray(np.linalg.lstsq(np.column_stack((x, np.ones(len(x)))), y, rcond=None)[0])


def population(count: int, columns: int, fit: Callable[[Array, Array], Array] = line) -> Population:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(count, columns))
    y = x @ rng.normal(size=columns) + rng.normal(size=count)

    def losses(weights: Array, known: Mask) -> Losses:
        def errors(x: Array, y: Array) -> Array:
            return np.asarray(y - x @ weights[:-1] - weights[-1])

        variance = float(np.mean(errors(x[known], y[known]) ** 2))
        return lambda x, y: errors(x, y) ** 2 / (2 * variance)

    def draw(rng: Random) -> Mask:
        return np.ones(count, dtype=bool)

    def release(mask: Mask, rng: Random) -> Array:
        return fit(x[mask], y[mask])

    names = tuple(f"x{k}" for k in range(columns))
    whose = ("a",) * count
    return Population(
        "patient", "a line", "all", whose, draw, release, lambda w: w, x=x, y=y, names=names, losses=losses
    )


def attack(of: Population) -> tuple[dict[str, float], Finding]:
    (found,) = ATTRIBUTE.run(Audited(None, Audit(lambda *_: of)))  # type: ignore[arg-type]
    right, truth, gain, _ = found.figures
    assert right.guess is not None and truth.guess is not None and gain.low is not None
    return {"right": right.value, "guess": right.guess, "gain": gain.value, "low": gain.low}, found


def test_a_line_through_few_patients_gives_their_columns() -> None:
    found, said = attack(population(30, 27))
    assert found["low"] > 0.2 and found["right"] > found["guess"] + 0.2
    assert "guesses more are right" in said.sentence


def test_a_line_through_many_patients_gives_hardly_more() -> None:
    found, _ = attack(population(400, 4))
    assert found["right"] > 0.45 > 1 / 3  # it says much of everybody
    assert abs(found["gain"]) < 0.01 and abs(found["right"] - found["guess"]) < 0.02


def test_what_a_public_model_tells_is_no_leak() -> None:
    public = np.array([2.0, -1.0, 0.5, 0.0])
    found, said = attack(population(60, 3, lambda x, y: public))
    assert found["gain"] == found["low"] == 0 and found["right"] == found["guess"]
    assert said.sentence.startswith("No better")


@pytest.mark.parametrize("seed", [1, 4])
def test_noise_of_a_release_is_no_advantage(seed: int) -> None:
    """A noisy model that has nothing of the patients: one lucky draw must not look like theirs."""
    noise = np.random.default_rng(seed)
    found, _ = attack(population(100, 4, lambda x, y: noise.normal(size=5)))
    assert abs(found["gain"]) < 0.02 and found["low"] < 0.005


def test_beliefs_are_bayes() -> None:
    x = np.array([[0.0], [0.0], [0.0], [1.0]])
    guessed = guessed_column(x, x[2:], 0)
    assert guessed is not None and guessed.prior.tolist() == [0.75, 0.25] and guessed.truth.tolist() == [0, 1]
    found = beliefs(lambda tried, y: np.log(2.0) * (tried[:, 0] != y), np.zeros((2, 1)), np.array([0.0, 1.0]), guessed)
    np.testing.assert_allclose(found, [[0.75, 0.125], [0.375, 0.25]] / np.array([[0.875], [0.625]]))
    assert guessed_column(np.ones((4, 1)), x, 0) is None


def test_a_column_of_many_values_is_guessed_by_thirds() -> None:
    x = np.arange(300.0)[:, None]
    guessed = guessed_column(x, x[[0, 150, 299]], 0)
    assert guessed is not None and guessed.truth.tolist() == [0, 1, 2]
    assert np.bincount(guessed.classes).tolist() == [5, 5, 5]


def test_the_interval_covers() -> None:
    rng = np.random.default_rng(4)
    missed = sum(not low < 0.1 < high for _, low, high in (advantage(rng.normal(0.1, 1, 30)) for _ in range(400)))
    assert 5 < missed < 40


SIZES = {"a": 2, "b": 3}


def told(table: NDArray[np.int64], slack: float = 0.0) -> Counted:
    a, b = (np.repeat(one.reshape(-1), table.reshape(-1)) for one in np.indices(table.shape))
    facts = []
    for i, j in np.ndindex(*table.shape):
        weights: Weights = {"a": np.eye(2)[i], "b": np.eye(3)[j]}
        facts.append(Fact(weights, float(table[i, j]) - slack, float(table[i, j]) + slack))
    return Counted(SIZES, tuple(facts), (), (), {"x": {"a": a, "b": b}}, {"x": {}}, {}, 5)


def test_a_line_of_a_table_in_one_cell_gives_all_of_it() -> None:
    table = np.array([[7, 20, 9], [4, 0, 6]])
    of = told(table)
    certain = linked(of, "a", np.random.default_rng(1))
    assert certain.sum() == 20 and (of.cells["x"]["b"][certain] == 1).all()
    assert not linked(of, "b", np.random.default_rng(1)).any()


def test_noise_makes_nothing_certain() -> None:
    assert not linked(told(np.array([[7, 20, 9], [4, 0, 6]]), slack=2.0), "a", np.random.default_rng(1)).any()


def test_a_regression_of_many_columns_is_attacked(tmp_path: Path) -> None:
    task = 'target = "y"\nmin_rows_per_feature = 1\n'
    scenario = study_of_two(tmp_path, "linear_regression", task, *(rows(k, 40, 30) for k in range(2)))
    (found,) = ATTRIBUTE.run(Audited(scenario, audit_of(scenario)))
    assert (found.figures[2].low or 0.0) > 0.03


STATISTICS = """columns = ["x0"]
tables = [["sex", "arm"]]
min_cell = {least}
[task.categories]
sex = ["f", "m"]
arm = ["old", "new"]
"""


@pytest.mark.parametrize("least", [0, 5])
def test_no_rule_for_small_cells_covers_a_line_in_one_cell(tmp_path: Path, least: int) -> None:
    lines = "\n".join(["x0,sex,arm", *["1,f,old"] * 30, *["2,m,old"] * 20, *["3,f,new"] * 25])
    scenario = study_of_two(tmp_path, "statistics", STATISTICS.format(least=least), lines, lines)
    (found,) = ATTRIBUTE.run(Audited(scenario, AUDIT))
    shares = {one.name: one.value for one in found.figures}
    assert shares["patients whose sex follows"] == pytest.approx(25 / 75)
    assert shares["patients whose arm follows"] == pytest.approx(20 / 75)
    assert "all patients who are alike in these have the same value" in found.sentence
