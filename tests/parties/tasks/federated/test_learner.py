"""Learners of the clients' own: what they train, what they may not, and what is told of their mistakes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mpc.errors import BeaverlodgeError, UsageError
from parties.scenario.step import read_order, read_step, with_own, write_order
from parties.tasks.federated.clients.learner import learners_of
from parties.tasks.federated.server.rounds import first_state
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.registry import load_any
from protocols.federated.local import update_of
from protocols.federated.models import Rows
from tests.parties.tasks.federated.runs import scenario
from tests.parties.tasks.star.runs import study
from tests.run.command import ROOT

FILE = Path(__file__).parent / "own" / "learners.py"
LINE = next(k for k, line in enumerate(FILE.read_text().splitlines(), 1) if "patient" in line)
OWN = 'model = "own"\nsize = 4\nrounds = 3'


def given(
    folder: Path, name: str | None, task: str = OWN, *, me: str | None = None, start: Path | None = None
) -> FederatedScenario:
    found = with_own(scenario(folder, task), None if name is None else f"{FILE}:{name}", start, me=me)
    assert isinstance(found, FederatedScenario)
    return found


def losses(one: FederatedScenario, folder: Path) -> list[float]:
    return [said["loss"] for said in study(one, folder).served()["federated"]["rounds"]]


def test_an_own_model_learns_what_the_same_built_in_one_does(tmp_path: Path) -> None:
    """One step of whole gradients, as the built-in training takes with all rows in a batch."""
    built_in = 'rounds = 3\nbatch_size = 0\nlearning_rate = 0.5\nmodel = "logistic"'
    expected = study(scenario(tmp_path, built_in), tmp_path).served()["federated"]
    one = given(tmp_path, "Logistic")
    found = study(one, tmp_path).served()["federated"]
    assert np.abs(np.subtract(found["weights"], expected["weights"])).max() < 3 * one.task.precision * one.task.clip
    for mine, theirs in zip(found["rounds"], expected["rounds"], strict=True):
        assert mine["loss"] == pytest.approx(theirs["loss"], abs=1e-4)
    assert one.step is not None
    assert found["learner"] == {"function": "Logistic", "sha256": one.step.sha256}
    assert expected["learner"] is None


def test_secure_is_plain_to_the_bit_where_nothing_is_rounded(tmp_path: Path) -> None:
    """Updates of equal weight that are on the grid already; another grid differs, by less than its bound."""
    found, off = {}, 0.0
    for name in ("OnTheGrid", "Logistic"):
        for how in ("secure", "plain"):
            one = given(tmp_path, name, f'{OWN}\nweights = "equal"\naggregation = "{how}"')
            off = 3 * one.task.precision * one.task.clip
            found[name, how] = study(one, tmp_path).served()["federated"]["weights"]
    assert found["OnTheGrid", "secure"] == found["OnTheGrid", "plain"] != [0.0] * 4
    differ = np.abs(np.subtract(found["Logistic", "secure"], found["Logistic", "plain"])).max()
    assert 0 < differ < off


def test_scikit_learn_trains_the_agreed_model(tmp_path: Path) -> None:
    first, *_, last = losses(given(tmp_path, "boosted", "rounds = 5"), tmp_path)
    assert last < first - 0.05


def test_each_client_has_a_learner_of_its_own(tmp_path: Path) -> None:
    for name in ("Logistic", "an_object"):
        make = learners_of(given(tmp_path, name))
        one, other = make("client_1"), make("client_2")
        assert one is not None
        assert other is not None
        one.step(np.zeros(4), Rows(np.zeros((2, 3)), np.zeros(2)))
        assert (vars(one.made)["steps"], vars(other.made)["steps"]) == (1, 0)


def test_without_held_out_rows_a_step_is_enough(tmp_path: Path) -> None:
    found = study(given(tmp_path, "StepAlone", f"{OWN}\nvalidation_fraction = 0\nclip = 1"), tmp_path).served()
    assert np.allclose(found["federated"]["weights"], 3 * 0.5, atol=1e-3)  # 1, 1, 1, 1 is clipped to the norm 1
    with pytest.raises(UsageError, match="gives no losses"):
        learners_of(given(tmp_path, "StepAlone"))("client_1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Fails", rf"client_2: .*learners.py, line {LINE}, in step: ValueError: patient 4 is 93"),
        ("NoNumbers", "diverged"),
        ("TooShort", r"gave an array \(3,\) of float64, and an update has 4 reals"),
    ],
)
def test_a_mistake_in_a_step_is_told_to_its_owner(tmp_path: Path, name: str, message: str) -> None:
    learner = learners_of(given(tmp_path, name))("client_2")
    assert learner is not None
    with pytest.raises(BeaverlodgeError, match=message):
        update_of(learner, np.zeros(4), Rows(np.zeros((4, 3)), np.zeros(4)))


def test_a_real_clients_mistake_is_told_by_kind_and_line(tmp_path: Path) -> None:
    """What Python says of it may hold a patient's data, and the log keeps what is told."""
    learner = learners_of(given(tmp_path, "Fails", me="client_2"))("client_2")
    assert learner is not None
    with pytest.raises(UsageError, match=f"line {LINE}, in step: ValueError") as error:
        learner.step(np.zeros(4), Rows(np.zeros((4, 3)), np.zeros(4)))
    assert "patient 4" not in f"{error.value} {error.value.hint}"


def test_what_is_no_learner_is_refused_before_any_round(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'nothing' gives a int that has no step"):
        learners_of(given(tmp_path, "nothing"))("client_1")
    with pytest.raises(UsageError, match="as the learner was made: RuntimeError: no such model"):
        learners_of(given(tmp_path, "failing"))("client_1")
    short = learners_of(given(tmp_path, "ShortScores"))("client_1")
    assert short is not None
    with pytest.raises(UsageError, match=r"scores of ShortScores gave an array \(4,\) where \(5,\) was due"):
        short.scores(np.zeros(4), np.zeros((5, 3)))


def test_a_client_whose_learner_fails_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = given(tmp_path, "Logistic")
    started = study(one, tmp_path)
    bad = learners_of(given(tmp_path, "NoNumbers"))("client_3")
    started.clients[2].part._learner = bad
    with caplog.at_level(logging.ERROR):
        rounds = started.served()["federated"]["rounds"]
    assert [said["clients"] for said in rounds] == [7, 7, 7, 7]
    assert started.clients[2].failure.code == "data"


def test_code_comes_from_a_command_line_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no learner"):
        given(tmp_path, None)
    with pytest.raises(UsageError, match="server trains nothing"):
        given(tmp_path, "Logistic", me="server")
    with pytest.raises(UsageError, match="has no 'Missing'"):
        given(tmp_path, "Missing")
    with pytest.raises(UsageError, match="clients run no code of their own"):
        given(tmp_path, "Logistic", 'method = "newton"\nmin_cell = 3')
    with pytest.raises(UsageError, match=r"not for .*two_hospitals"):
        with_own(load_any(ROOT / "scenarios" / "two_hospitals.toml"), f"{FILE}:Logistic", None)
    with pytest.raises(UsageError, match="has no setting 'step'"):
        scenario(tmp_path, 'step = "own.py:Logistic"')
    assert given(tmp_path, None, me="server").digest == given(tmp_path, "Logistic").digest


def test_an_order_brings_both_to_a_process(tmp_path: Path) -> None:
    start = tmp_path / "start.npy"
    np.save(start, np.arange(4.0))
    one = given(tmp_path, "Logistic", start=start)
    again = scenario(tmp_path, OWN).model_copy(update=read_order(write_order(one)))
    assert (again.step, again.start) == (one.step, one.start)
    assert read_order(write_order(scenario(tmp_path, OWN))) == {}
    assert read_step(f"{FILE}:Logistic", private=True).private


def test_the_server_starts_from_given_weights(tmp_path: Path) -> None:
    np.save(tmp_path / "start.npy", np.array([1.0, 2.0, 3.0, 0.1]))
    state = first_state(given(tmp_path, None, me="server", start=tmp_path / "start.npy"))
    assert state.weights.tolist() == [1.0, 2.0, 3.0, float(np.float32(0.1))]
    assert first_state(given(tmp_path, "Logistic")).weights.tolist() == [0.0] * 4
    with pytest.raises(UsageError, match="--start is not for client_1"):
        given(tmp_path, "Logistic", me="client_1", start=tmp_path / "start.npy")


@pytest.mark.parametrize(
    ("weights", "message"),
    [([1.0, 2.0], "does not hold 4 weights"), ([[1.0] * 4], "does not hold"), ([np.nan] * 4, "are no numbers")],
)
def test_a_start_that_is_no_model_is_refused(tmp_path: Path, weights: Sequence[object], message: str) -> None:
    np.save(tmp_path / "start.npy", np.array(weights))
    with pytest.raises(UsageError, match=message):
        first_state(given(tmp_path, "Logistic", start=tmp_path / "start.npy"))


def test_a_start_that_holds_code_is_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "start.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot be read as weights"):
        first_state(given(tmp_path, "Logistic", start=tmp_path / "start.npy"))


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ('model = "own"', "needs it"),
        ("size = 4", 'size is for model = "own" alone'),
        (f'{OWN}\npersonal = ["ditto"]', "leave out personal"),
        (f'{OWN}\nmethod = "fedprox"', "and FedProx"),
        (f'{OWN}\nmethod = "newton"', 'method = "newton" is not for model = "own"'),
    ],
)
def test_settings_that_no_own_model_has(tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        scenario(tmp_path, task)
    assert message in f"{error.value} {error.value.hint}"
