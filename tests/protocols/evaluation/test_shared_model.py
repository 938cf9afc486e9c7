"""A training whose model stays shared: it is the same model, measured as well, and its shares alone say nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from mpc.ring.fixed_point import decode, encode
from mpc.runtime.lockstep import Message, Outcome
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.evaluation.shared_model import evaluate_kept, keep, kept_scale
from protocols.plain.logistic import pooled, reference_sets
from protocols.plain.logistic_columns import joined
from protocols.prediction.rows_job import NewRows, PredictSettings, predict_job, uncounted
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.training.columns_job import vertical_job
from tests.helpers import assert_metrics, demo_tables, example_tables, job, lockstep, train
from tests.protocols.training.test_columns_job import divided


def kept_of(outcome: Outcome) -> dict[str, SharedModel]:
    found = {}
    for name, trained in outcome.results.items():
        assert trained.weights == ()
        assert trained.kept is not None
        found[name] = trained.kept
    return found


def together(kept: dict[str, SharedModel]) -> np.ndarray:
    """The weights in standardised units, which nobody has."""
    shares = [one.weights for one in kept.values()]
    assert len({share.scale for share in shares}) == 1
    total: np.ndarray = np.add.reduce([share.value for share in shares])
    return decode(total, shares[0].scale)


def scored(kept: dict[str, SharedModel], rows: dict[str, np.ndarray], steps: int | None) -> dict[str, np.ndarray]:
    """Each owner's scores of its new rows."""
    features = next(iter(kept.values())).weights.shape[0] - 1
    settings = PredictSettings(tuple(kept), "helper", tuple(len(x) for x in rows.values()), features, steps)

    def factory(name: str) -> Any:
        own = NewRows(kept[name], tuple(f"x{k}" for k in range(features)), rows[name])
        return lambda p: predict_job(p, None if p.dry else own, settings)

    outcome = lockstep({name: factory(name) for name in kept}, 3)
    assert {item.to for item in outcome.reveals} == {(name,) for name, x in rows.items() if len(x)}
    return outcome.results


def hold(own: dict[str, OwnRows], how: TrainingSettings, seed: int = 0) -> None:
    """The shared model and its metrics are the open one's."""
    outcome = train(own, how, seed)
    kept, reference = kept_of(outcome), pooled(list(own.values()), how)
    assert np.abs(together(kept) - reference.weights).max() < 2e-4
    assert "model" not in {item.what for item in outcome.reveals}
    assert "mean score" not in {item.what for item in outcome.reveals}
    trained: Trained = outcome.results["owner0" if "owner0" in kept else "hospital_a"]
    assert trained.metrics is not None
    assert_metrics(trained.metrics, reference_sets(reference, list(own.values())))
    new = {name: rows.x_test[:5] for name, rows in own.items()}
    for name, scores in scored(kept, new, 1000).items():
        assert np.abs(scores - 1 / (1 + np.exp(-reference.scores(new[name])))).max(initial=0) < 1e-3
    for name, classes in scored(kept, new, None).items():
        z = reference.scores(new[name])
        sure = np.abs(z) > 1e-3
        assert (classes == (z >= 0))[sure].all()


def test_the_demo() -> None:
    hold(*job(demo_tables(), reveal_model=False))


@pytest.mark.parametrize(
    ("solver", "standardise"),
    [
        ("sgd", False),
        ("sgd", "private"),
        ("nesterov", True),
        pytest.param("nesterov", False, marks=pytest.mark.soak),
        pytest.param("nesterov", "private", marks=pytest.mark.soak),
        ("newton", True),
        pytest.param("newton", "private", marks=pytest.mark.soak),
    ],
)
def test_every_solver_and_standardisation(solver: str, standardise: Any) -> None:
    tables = example_tables([60, 41, 30], 4, 3)
    given = {"epochs": 4, "batch_size": 32} if solver == "sgd" else {"iterations": 25, "l2": 0.05, "momentum": 0.5}
    rate = {"sgd": 0.05, "nesterov": 0.05, "newton": 1.0}[solver]
    hold(*job(tables, reveal_model=False, standardise=standardise, solver=solver, learning_rate=rate, **given))


@pytest.mark.parametrize("n", [2, pytest.param(5, marks=pytest.mark.soak)])
def test_any_number_of_owners(n: int) -> None:
    own, how = job(example_tables([25 + 13 * k for k in range(n)], 6, n), 1, batch_size=32, reveal_model=False)
    hold(own, how)


def test_the_dual_form() -> None:
    own, how = job(
        example_tables([20, 14], 150, 5, steep=0.1), form="dual", epochs=3, batch_size=16, reveal_model=False
    )
    hold(own, how)


def test_without_metrics_and_held_out_rows() -> None:
    own, how = job(example_tables([20, 14], 3, 5), test_fraction=0.0, epochs=2, metrics=False, reveal_model=False)
    outcome = train(own, how)
    assert outcome.results["owner0"].metrics is None
    assert {item.what for item in outcome.reveals} == {"feature means", "feature standard deviations", "range check"}


def test_shares_of_any_model_look_alike() -> None:
    """Each owner's kept words, over many runs of two trainings, have bits that are set as often as not."""
    for steep in (0.0, 3.0):
        own, how = job(
            example_tables([8, 7], 2, 2, steep=steep), test_fraction=0.0, epochs=1, metrics=False, reveal_model=False
        )
        words = [[o.kept.weights.value for o in train(own, how, seed).results.values()] for seed in range(25)]
        for owner in range(2):
            bits = np.unpackbits(np.array([w[owner] for w in words]).view(np.uint8).reshape(-1, 8), axis=1)
            assert np.abs(bits.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(len(bits))


@pytest.mark.parametrize("n", [2, 3])
def test_a_kept_share_is_none_that_was_there_before(n: int) -> None:
    """Weights that need no bits taken off would else be kept in the very shares that the training computed with."""
    names = tuple(f"owner{k}" for k in range(n))
    words = encode(np.array([1.5, -2.0, 0.25]), kept_scale(2))

    def program(p: Party) -> Any:
        async def run() -> Any:
            w = p.input("owner0", words if p.index == 0 and not p.dry else None, words.shape, kept_scale(2))
            return w.value, (await keep(p, w)).value

        return run()

    shares = lockstep(dict.fromkeys(names, program), 1).results
    assert all(not (before == kept).any() for before, kept in shares.values())
    assert (np.add.reduce([kept for _, kept in shares.values()]) == words).all()


@pytest.mark.parametrize("steps", [1000, None])
def test_nothing_of_a_score_is_sent_before_all_owners_counted_it(steps: int | None) -> None:
    """Where one refuses, it has sent no share of a score; that it is asked comes before the last round."""
    units, sent, names = Units.known(np.zeros(1), np.ones(1)), [], ("owner0", "owner1")
    settings = PredictSettings(names, "helper", (2, 0), 1, steps)

    def refused() -> None:
        raise UsageError("no more rows")

    def factory(name: str, count: Callable[[], None]) -> Any:
        model = SharedModel(Share(np.array([3, 4], dtype=np.uint64), kept_scale(1)), units)
        own = NewRows(model, ("x0",), np.zeros((2 if name == "owner0" else 0, 1)), count)
        return lambda p: predict_job(p, None if p.dry else own, settings)

    def tap(message: Message) -> bytes:
        sent.append((message.sender, message.label))
        return message.body

    with pytest.raises(UsageError, match="no more rows"):
        lockstep({"owner0": factory("owner0", uncounted), "owner1": factory("owner1", refused)}, 1, tap=tap)
    refusers = len([one for one in sent if one[0] == "owner1"])
    outcome = lockstep({name: factory(name, uncounted) for name in names}, 1)
    assert refusers == len(outcome.plan.rounds) - 1
    assert outcome.plan.rounds[-1].label == "scores"


def test_rows_of_the_size_of_a_placeholder_are_refused() -> None:
    own, how = job(example_tables([30, 20], 2, 2), epochs=1, reveal_model=False)
    own["owner1"].x_test[0, 1] = 1e30
    with pytest.raises(DataError, match=r"owner1: 1 of the held-out rows have values too far .* column x1"):
        train(own, how)


def test_bins_lie_about_the_mean_wherever_that_is() -> None:
    draw = np.random.default_rng(4)
    x = np.rint(draw.normal(size=(80, 2)) * 2.0**X_SCALE) / 2.0**X_SCALE
    weights = np.array([0.8, -0.5, 700.0])
    z = x @ weights[:-1]
    y = (draw.uniform(size=80) < 1 / (1 + np.exp(-3 * z))).astype(np.uint64)
    given = [(encode(x, X_SCALE), X_SCALE), (y, 0), (encode(weights, kept_scale(2)), kept_scale(2))]

    def program(p: Party) -> Any:
        async def run() -> Any:
            mine = p.index == 0 and not p.dry
            shares = [p.input("owner0", value if mine else None, value.shape, scale) for value, scale in given]
            return await evaluate_kept(p, shares[2], {"test": (shares[0], shares[1])})

        return run()

    got = lockstep(dict.fromkeys(("owner0", "owner1"), program), 1).results["owner0"]["test"]
    order = z[y == 1][:, np.newaxis] - z[y == 0][np.newaxis, :]
    assert abs(got["auc"] - ((order > 0) + 0.5 * (order == 0)).mean()) < 2e-3
    assert abs(got["log_loss"] - np.mean((1.0 - y) * (z + 700))) < 1e-3


def test_units_bring_rows_to_the_training() -> None:
    units = Units.known(np.array([1.0, 2.0]), np.array([2.0, 4.0]))
    assert (units.apply(np.array([[3.0, -2.0]])) == [[1.0, -1.0]]).all()


def test_d_plus_1_scores_give_the_model_away_d_minus_1_not() -> None:
    """The attack that rows are counted against: log-odds are linear equations for the weights and the intercept."""
    d = 6
    truth = np.array([0.9, -0.7, 0.4, 0.6, -0.3, 0.5, 0.2])
    words, draw = encode(truth, kept_scale(d)), np.random.default_rng(2)
    mask = draw.integers(0, 2**64, size=d + 1, dtype=np.uint64)
    units = Units.known(np.zeros(d), np.ones(d))
    shares = (("owner0", words - mask), ("owner1", mask))
    kept = {name: SharedModel(Share(value, kept_scale(d)), units) for name, value in shares}
    x = np.vstack((np.zeros(d), np.eye(d)))
    p = scored(kept, {"owner0": x, "owner1": x[:0]}, 1000)["owner0"]
    equations, odds = np.hstack((x, np.ones((d + 1, 1)))), np.log(p / (1 - p))
    assert np.abs(np.linalg.solve(equations, odds) - truth).max() < 0.01
    few = equations[: d - 1]
    free = np.linalg.svd(few)[2][d - 1 :]  # other models, as far away as one likes, have the same scores
    assert len(free) == 2 and np.abs(few @ (truth + 10 * free[0]) - few @ truth).max() < 1e-9


@pytest.mark.parametrize("standardise", [True, False])
def test_columns_that_are_split(standardise: bool) -> None:
    x, y = example_tables([90], 4, 6)["owner0"]
    x = x if standardise else x / np.abs(x).max(axis=0)
    changes: dict[str, Any] = {"metrics": True, "reveal_model": False, "standardise": standardise, "learning_rate": 0.1}
    own, how = divided(x, y, [3, 1], 1, **changes)

    def factory(name: str) -> Any:
        return lambda p: vertical_job(p, None if p.dry else own[name], how)

    outcome = lockstep({name: factory(name) for name in how.owners}, 2)
    reference = pooled([joined(own)], how)
    assert np.abs(together(kept_of(outcome)) - reference.weights).max() < 2e-4
    assert {item.what for item in outcome.reveals} == {
        "row alignment",
        "range check",
        *(f"{what} ({name})" for what in ("metric sums", "AUC pairs") for name in ("train", "test")),
    }
    wanted = reference_sets(reference, [joined(own)])
    for name, expected in wanted.items():
        got = outcome.results["owner0"].metrics[name]
        assert abs(got["accuracy"] - expected["accuracy"]) * expected["rows"] <= 1.0 + 1e-9
        assert abs(got["log_loss"] - expected["log_loss"]) < 0.002
