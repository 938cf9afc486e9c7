"""A client's training is FedAvg's and FedProx's, step by step, and the same to the bit when it is done again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from mpc.randomness.streams import Stream, derive
from protocols.federated.local import Local, PartialFit, Step, Training, batches, train, update_of
from protocols.federated.models import Rows, model_of

MODEL = model_of("logistic", 2, 2)
DRAW = np.random.default_rng(7)
ROWS = Rows(DRAW.normal(size=(23, 2)), DRAW.integers(0, 2, 23).astype(np.float64))
W = np.array([0.5, -1.0, 0.25])


def stream(label: str = "round 1") -> Stream:
    return Stream(derive(bytes(32), label))


def test_an_epoch_has_every_row_once_in_its_own_order() -> None:
    found = list(batches(23, Local(epochs=3, batch_size=5, rate=0.1), stream()))
    assert [batch.size for batch in found] == [5, 5, 5, 5, 3] * 3
    epochs = np.concatenate(found).reshape(3, 23)
    assert np.sort(epochs, axis=1).tolist() == [list(range(23))] * 3
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3


def test_steps_are_gradient_descent_on_the_penalised_loss() -> None:
    """All three terms by hand: the gradient of logistic regression, the penalty, FedProx's pull to the first model."""
    how = Local(epochs=2, batch_size=10, rate=0.3, l2=0.1, proximal=0.7)
    v = W.copy()
    for batch in batches(23, how, stream()):
        x = np.column_stack((ROWS.x[batch], np.ones(batch.size)))
        s = 1 / (1 + np.exp(-(x @ v)))
        v = v - 0.3 * (x.T @ (s - ROWS.y[batch]) / batch.size + 0.1 * v * [1, 1, 0] + 0.7 * (v - W))
    assert np.allclose(train(MODEL, W, ROWS, how, stream()), v, rtol=1e-13)


def test_a_training_done_again_is_the_same_to_the_bit() -> None:
    how = Local(epochs=3, batch_size=4, rate=0.3)
    once, again = (train(MODEL, W, ROWS, how, stream()) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    assert once.tobytes() != train(MODEL, W, ROWS, how, stream("round 2")).tobytes()


def test_one_epoch_of_one_batch_is_one_step_on_all_rows() -> None:
    """FedSGD: the update is the gradient times the rate."""
    found = train(MODEL, W, ROWS, Local(epochs=1, batch_size=0, rate=0.5), stream())
    assert np.allclose(found, W - 0.5 * MODEL.gradient(W, ROWS), rtol=1e-13)
    assert W.tolist() == [0.5, -1.0, 0.25]


def test_a_strong_pull_keeps_a_client_near_its_anchor() -> None:
    free, held = (
        train(MODEL, W, ROWS, Local(epochs=200, batch_size=0, rate=0.05, proximal=mu), stream()) for mu in (0.0, 10.0)
    )
    assert np.linalg.norm(held - W) < 0.1 * np.linalg.norm(free - W)
    anchor = np.array([3.0, 3.0, 3.0])
    pulled = train(MODEL, W, ROWS, Local(epochs=200, batch_size=0, rate=0.05, proximal=10.0), stream(), anchor)
    assert np.linalg.norm(pulled - anchor) < 0.2


def test_a_client_without_rows_keeps_the_model() -> None:
    nothing = Rows(np.zeros((0, 2)), np.zeros(0))
    for size in (0, 4):
        assert train(MODEL, W, nothing, Local(epochs=2, batch_size=size, rate=0.5), stream()).tolist() == W.tolist()


def test_a_training_that_diverges_is_refused() -> None:
    """Without a warning of numpy's, which would be an error here."""
    model = model_of("linear", 2, 1)
    with pytest.raises(DataError, match="diverged"):
        train(model, W, ROWS, Local(epochs=500, batch_size=0, rate=50.0), stream())


def test_the_built_in_step_gives_what_training_moves() -> None:
    how = Local(epochs=3, batch_size=4, rate=0.3)
    learner: Step = Training(MODEL, how, stream())
    assert isinstance(learner, Step)
    assert update_of(learner, W, ROWS).tolist() == (train(MODEL, W, ROWS, how, stream()) - W).tolist()


@dataclass
class Foreign:
    """Somebody's learner, that gives this and spoils its arguments."""

    given: object

    def step(self, weights: np.ndarray, rows: Rows) -> np.ndarray:
        weights[:] = 7
        assert not rows.x.flags.writeable and not rows.y.flags.writeable
        return self.given  # type: ignore[return-value]


def test_a_foreign_step_cannot_spoil_the_model_or_the_rows() -> None:
    found = update_of(Foreign(np.array([1, 2, 3])), W, ROWS)
    assert found.tolist() == [1, 2, 3] and found.dtype == np.float64
    assert W.tolist() == [0.5, -1.0, 0.25] and ROWS.x.flags.writeable


@pytest.mark.parametrize("given", [np.zeros(4), np.zeros((3, 1)), 1.0, None, ["a", "b", "c"], np.zeros(3, complex)])
def test_a_foreign_step_that_gives_no_update_is_refused(given: object) -> None:
    with pytest.raises(UsageError, match="an update has 3 reals"):
        update_of(Foreign(given), W, ROWS)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_foreign_step_that_diverges_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="diverged"):
        update_of(Foreign(np.array([0.0, bad, 1.0])), W, ROWS)


def test_sklearns_sgd_is_a_step() -> None:
    """Row by row from the received model, in the file's order; beside the same descent by hand."""
    from sklearn.linear_model import SGDClassifier

    sgd = SGDClassifier(loss="log_loss", alpha=0.0, penalty=None, learning_rate="constant", eta0=0.1, shuffle=False)
    learner = PartialFit(sgd, MODEL, epochs=2)
    v = W.copy()
    for k in [*range(23), *range(23)]:
        v -= 0.1 * MODEL.gradient(v, ROWS.of(slice(k, k + 1)))
    for _ in range(2):  # nothing is kept from the first
        assert np.allclose(update_of(learner, W, ROWS), v - W, rtol=1e-10)


def test_sklearns_classes_are_the_models_not_the_clients() -> None:
    """A client with rows of one class moves all classes' scores, and of the right ones."""
    from sklearn.linear_model import SGDClassifier

    model = model_of("multinomial", 2, 3)
    sgd = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.1, shuffle=False)
    rows = Rows(np.ones((20, 2)), np.full(20, 2.0))
    update = update_of(PartialFit(sgd, model), np.zeros(9), rows)
    [(_, intercepts)] = model.layers(update)
    assert intercepts[2] > 0.3 and max(intercepts[:2]) < -0.3


def test_sklearns_regressor_is_a_step() -> None:
    from sklearn.linear_model import SGDRegressor

    model = model_of("linear", 2, 1)
    rows = Rows(ROWS.x, ROWS.x @ [1.0, -2.0] + 0.5)
    learner = PartialFit(SGDRegressor(alpha=0.0, penalty=None, eta0=0.05, random_state=0), model, epochs=80)
    once, again = (update_of(learner, W, rows) for _ in range(2))
    assert np.allclose(W + once, [1, -2, 0.5], atol=1e-3)
    assert once.tolist() == again.tolist()  # the schedule of its rate is not kept
    assert not update_of(learner, W, Rows(np.zeros((0, 2)), np.zeros(0))).any()
