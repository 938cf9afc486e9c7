"""Studies in virtual time: methods beside plain computations, rounds that fail, early stops, what is counted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, ProtocolError, TooFewError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from parties.tasks.federated.clients.data import own_rows, rows_of
from parties.tasks.federated.clients.hosted import FederatedPart, round_name
from parties.tasks.federated.clients.work import work_of
from parties.tasks.federated.server.rounds import as_sent, first_state, next_state
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.base import Membership
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import new_session
from protocols.aggregation import messages as m
from protocols.federated.coding import Layout
from protocols.federated.local import train
from protocols.federated.messages import Message
from protocols.federated.models import Rows
from protocols.federated.programs import MODEL
from tests.parties.tasks.federated.runs import rows, scenario
from tests.parties.tasks.star.runs import late, study


def fed_avg(one: FederatedScenario, rounds: int, proximal: float = 0.0) -> list[Array]:
    """The model of each round, by McMahan et al.'s algorithm 1 over all clients' training rows at once."""
    own = [own_rows(one, name, rows_of(one).of(name, 1)).train for name in one.client_names]
    w = np.zeros(one.size)
    models = [w]
    for t in range(1, rounds + 1):
        total, weight = np.zeros(one.size), 0
        for number, mine in enumerate(own):
            stream = Stream(derive(one.public_seed, f"federated batches/{t}/{number}"))
            local = train(one.model, w, mine, replace(one.local, proximal=proximal), stream)
            total, weight = total + len(mine.y) * (local - w), weight + len(mine.y)
        w = (w + total / weight).astype(np.float32).astype(np.float64)
        models.append(w)
    return models


@pytest.mark.parametrize("method", ["fedavg", "fedprox"])
def test_the_models_are_those_of_a_plain_computation(tmp_path: Path, method: str) -> None:
    one = scenario(tmp_path, f'rounds = 4\nmethod = "{method}"\nproximal = 0.5\nepochs = 2')
    found = study(one, tmp_path).served()["federated"]
    expected = fed_avg(one, 4, 0.5 if method == "fedprox" else 0.0)[-1]
    error = one.task.precision * one.task.clip  # of a mean update; four rounds add up, and each is float32
    assert np.abs(np.array(found["weights"]) - expected).max() < 4 * error
    assert np.abs(expected).max() > 100 * error


def test_secure_sums_are_plain_ones_but_for_the_rounding(tmp_path: Path) -> None:
    """And to the bit, where updates are on the grid."""
    secure = study(scenario(tmp_path, "rounds = 3"), tmp_path).served()["federated"]
    plain = study(scenario(tmp_path, 'rounds = 3\naggregation = "plain"'), tmp_path).served()["federated"]
    differ = np.abs(np.subtract(secure["weights"], plain["weights"])).max()
    assert 0 < differ < 3 * 0.0001 * 5
    assert [one["accuracy"] for one in secure["rounds"]] == [one["accuracy"] for one in plain["rounds"]]
    assert plain["aggregation"] == "plain"


@pytest.mark.parametrize("model", ["logistic", "linear", "poisson"])
def test_newtons_fit_is_that_of_all_rows_together(tmp_path: Path, model: str) -> None:
    import statsmodels.api as sm

    data = {name: np.vstack([one] * 3) for name, one in rows(6, model).items()}  # so that no cell is small
    if model == "poisson":
        for own in data.values():
            own[:, 3] = np.minimum(own[:, 3], 2)
    more = {"linear": "target_range = [-8, 8]", "poisson": "target_range = [0, 9]"}.get(model, "")
    task = f'method = "newton"\nmin_cell = 3\nmodel = "{model}"\n{more}'
    one = scenario(tmp_path, task, count=6, data=data, most_rows=150)
    gone = {4}
    found = study(one, tmp_path, late(gone, m.SHARES, range(1, 99))).served()["federated"]
    taken = np.vstack([own for place, own in enumerate(data.values()) if place not in gone])
    family = {"logistic": sm.families.Binomial(), "linear": sm.families.Gaussian(), "poisson": sm.families.Poisson()}
    x = np.column_stack([taken[:, :3], np.ones(len(taken))])
    expected = sm.GLM(taken[:, 3], x, family=family[model]).fit(tol=1e-14, maxiter=100)
    fit = found["fit"]
    table = fit["coefficients"]
    assert fit["rows"] == len(taken)
    assert np.abs(np.subtract([r["coefficient"] for r in table], expected.params) / expected.bse).max() < 1e-5
    assert np.abs(np.array([r["se"] for r in table]) / expected.bse - 1).max() < 1e-4
    assert fit["deviance"] == pytest.approx(expected.deviance, rel=1e-6)


def test_standardising_gives_the_pooled_moments(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 1\nstandardise = true")
    found = study(one, tmp_path).served()["federated"]
    own = [own_rows(one, name, rows_of(one).of(name, 1)).train.x for name in one.client_names]
    pooled = np.vstack(own)
    assert np.allclose(found["standardised"]["means"], pooled.mean(axis=0), atol=1e-5)
    assert np.allclose(found["standardised"]["deviations"], pooled.std(axis=0), atol=1e-5)
    assert found["rounds"][0]["rows"] == len(pooled)


def test_a_feature_that_never_varies_is_left_as_it_is(tmp_path: Path) -> None:
    data = rows(8)
    for one in data.values():
        one[:, 2] = 1.0
    found = study(scenario(tmp_path, "rounds = 1\nstandardise = true", data=data), tmp_path).served()["federated"]
    assert found["standardised"]["deviations"][2] == 4.0  # half the range


def test_the_figures_are_of_the_model_that_a_round_began_with(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 3")
    found = study(one, tmp_path).served()["federated"]
    held = [own_rows(one, name, rows_of(one).of(name, 1)).held for name in one.client_names]
    pooled = Rows(np.vstack([r.x for r in held]), np.concatenate([r.y for r in held]))
    for w, said in zip(fed_avg(one, 3), found["rounds"], strict=True):
        assert said["rows"] == len(pooled.y)
        assert said["loss"] == pytest.approx(float(one.model.losses(w, pooled).mean()), abs=5e-3)
    assert found["rounds"][-1]["phase"] == "evaluate"


def test_bytes_are_as_planned_whoever_drops_out(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 4\ncohort = 6", "[session]\ndeadline = 30.0")
    found = study(one, tmp_path, late({1, 4}, m.MASKED, range(2, 3)))
    result = found.served()
    party, planned = result["party"], result["plan"]["bytes"]
    assert (party["bytes_sent"], party["bytes_received"]) == (planned["server"], planned["clients"])
    gone = result["federated"]["rounds"][1]
    asked = [one.client_names[i] for i in one.members("train", 2)]
    assert gone["dropped"] == {m.MASKED: [name for name in ("client_2", "client_5") if name in asked]} != {}
    assert found.used == [1, 2, 3, 4, 5]


def test_only_the_drawn_clients_are_asked(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 6\ncohort = 5")
    found = study(one, tmp_path)
    result = found.served()["federated"]
    assert [r["of"] for r in result["rounds"]] == [5] * 6 + [8]
    asked = [sum(i in one.members("train", t) for t in range(1, 7)) for i in range(8)]
    assert [client.part.spent.rounds for client in found.clients] == [count + 1 for count in asked]
    assert len({one.members("train", t) for t in range(1, 7)}) > 1
    assert all(client.done for client in found.clients)


def test_an_early_stop_ends_with_the_best_model(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 60\nearly_stop = 2\nlearning_rate = 3.0\nepochs = 5")
    found = study(one, tmp_path).served()["federated"]
    losses = [r["loss"] for r in found["rounds"]]
    best = int(np.argmin(losses[:-1]))
    assert found["stopped_early"]
    assert len(losses) == best + 4 < 61  # two rounds that are no better, and the last one
    assert found["best"] == {"round": best + 1, "loss": losses[best]}
    assert losses[-1] == pytest.approx(losses[best], abs=1e-2)


def test_a_round_with_too_few_is_repeated(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 2", "[session]\ndeadline = 30.0")
    found = study(one, tmp_path, late(set(range(6)), m.SHARES, range(1, 2), attempts=1)).served()
    assert len(found["federated"]["rounds"][0]["failed_attempts"]) == 1
    assert found["federated"]["rounds"][0]["clients"] == 8
    assert found["party"]["bytes_of_failed_attempts"] == found["federated"]["rounds"][0]["bytes"]["failed_attempts"] > 0


def test_after_release_was_asked_for_the_same_clients_come_again(tmp_path: Path) -> None:
    """One is late with its vector, so seven are in the sum; the other is late with its shares in the first attempt."""
    one = scenario(tmp_path, "rounds = 1", "[session]\ndeadline = 30.0")
    first, again = late({7}, m.MASKED, range(1, 2), attempts=1), late(set(range(6)), m.UNMASK, range(1, 2), attempts=1)

    def both(clients: list[Any]) -> Any:
        faults = first(clients), again(clients)
        return lambda *of: max(fault(*of) for fault in faults)

    found = study(one, tmp_path, both)
    train_, _ = found.served()["federated"]["rounds"]
    assert (train_["clients"], len(train_["failed_attempts"])) == (7, 1)
    lines = [json.loads(line) for line in (tmp_path / "client_1.rounds").read_text().splitlines()]
    kept = [line["round"] for line in lines if "round" in line]
    assert len(kept) == len(set(kept)) == 2  # one set of survivors for the round's vector, and one for the last round's


def test_a_training_round_that_cannot_be_finished_is_given_up(tmp_path: Path) -> None:
    """Release was asked for, and too few gave shares in both attempts: the model stays, and other batches follow."""
    one = scenario(tmp_path, "rounds = 2", "[session]\ndeadline = 30.0")
    found = study(one, tmp_path, late(set(range(6)), m.UNMASK, range(1, 2)))
    first, second, _ = found.served()["federated"]["rounds"]
    assert (first["clients"], len(first["failed_attempts"])) == (0, 2)
    assert second["loss"] == pytest.approx(np.log(2), abs=1e-3)  # the start, once more
    assert found.used == [1, 2, 3]


def test_the_last_round_cannot_be_left_out(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 1", "[session]\ndeadline = 30.0")
    with pytest.raises(TooFewError, match=r"round 2 \(evaluate\)"):
        study(one, tmp_path, late(set(range(6)), m.UNMASK, range(2, 3))).served()


def test_a_liars_numbers_end_the_round_alone(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 3")
    found = study(one, tmp_path)
    part, honest = found.clients[3].part, found.clients[3].part._work

    def lies(message: Message, agreed: Any) -> Any:
        adds = honest(message, agreed)
        if message.t != 2:
            return adds
        vector = adds.vector.copy()
        vector[: one.size] = (1 << adds.settings.bits - 1) - 1
        return replace(adds, vector=vector)

    part._work = lies
    rounds = found.served()["federated"]["rounds"]
    assert [r["clients"] for r in rounds] == [8, 0, 8, 8]
    assert "longer than the norm" in rounds[1]["failed_attempts"][0] or "range" in rounds[1]["failed_attempts"][0]


@pytest.mark.parametrize("what", ["phase", "t", "size", "scaling"])
def test_a_client_refuses_a_message_of_another_round(tmp_path: Path, what: str) -> None:
    one = scenario(tmp_path, "rounds = 2\ncohort = 5")
    asked = one.members("train", 2)
    name = one.client_names[asked[0]]
    member = Membership(RoundJournal(tmp_path / "j.rounds"))
    part = study(one, tmp_path).clients[asked[0]].part
    assert isinstance(part, FederatedPart)
    assert part.name == name
    assert member.trust is None
    wrong = {
        "phase": Message("evaluate", 2, np.zeros(4), word=4),
        "t": Message("train", 1, np.zeros(4), word=4),
        "size": Message("train", 2, np.zeros(5), word=4),
        "scaling": Message("train", 2, np.zeros(4), np.zeros(3), np.ones(3), 4),
    }[what]
    with pytest.raises(ProtocolError, match="not one of round 2"):
        part._work(wrong, one.round_without_model("train", 2))


def test_a_client_goes_by_the_agreed_rounds_alone(tmp_path: Path) -> None:
    one = scenario(tmp_path, "rounds = 2\ncohort = 5")
    outside = next(i for i in range(8) if i not in one.members("train", 2))
    part, session = study(one, tmp_path).clients[outside].part, new_session(1)
    with pytest.raises(StopIteration):  # it was not drawn: it sends nothing
        part.program(round_name(session, "train", 2), 2, 1).send(None)
    for phase, t, attempt in (("train", 3, 1), ("evaluate", 1, 1), ("scale", 1, 1), ("newton", 1, 1), ("train", 2, 3)):
        with pytest.raises(ProtocolError, match="not agreed"):
            part.program(round_name(session, phase, t), 2, attempt)  # type: ignore[arg-type]
    for malformed in (b"", session, session + b"\xff\x00\x00\x00\x00"):
        with pytest.raises(ProtocolError, match="not agreed"):
            part.program(malformed, 1, 1)
    assert part.program(round_name(session, "evaluate", 2), 2, 1).send(None).label == MODEL


def test_no_client_answers_a_second_sum_of_a_linear_fit(tmp_path: Path) -> None:
    """Over other clients than the first it would tell, to the last digit, the products of columns of those missing."""
    one = scenario(tmp_path, 'method = "newton"\nmodel = "linear"\ntarget_range = [-8, 8]')
    part, session = study(one, tmp_path).clients[0].part, new_session(1)
    assert part.program(round_name(session, "newton", 1), 1, 1).send(None).label == MODEL
    with pytest.raises(ProtocolError, match="not agreed"):
        part.program(round_name(session, "newton", 2), 2, 1)
    assert one.star_rounds == 2


def test_the_state_after_a_round_depends_on_its_sums_alone(tmp_path: Path) -> None:
    """So a server that was started again goes on as if it had not ended."""
    one = scenario(tmp_path, 'rounds = 2\nmethod = "fedadam"\nstandardise = true')
    rng, state, states = np.random.default_rng(0), first_state(one), []
    for phase in ("scale", "train"):
        agreed = one.round(state.phase, state.t, state.weights)  # type: ignore[arg-type]
        assert agreed.phase == phase
        assert isinstance(agreed.layout, Layout)
        sums = {part.name: rng.uniform(0, 1, part.length) for part in agreed.layout.parts}
        if phase == "train":
            sums["weight"] = np.array([100.0])
        states = [next_state(one, state, agreed, sums, tuple(range(8)), {}) for _ in range(2)]
        assert states[0].weights.tobytes() == states[1].weights.tobytes()
        state = states[0]
    assert state.weights.tobytes() == as_sent(one, state.weights).tobytes()
    assert (state.t, state.moments.steps) == (3, 1)


def test_a_client_with_a_small_cell_takes_no_part_in_newton(tmp_path: Path) -> None:
    data = rows(8)
    for name, one in data.items():
        one[:, 2] = np.arange(len(one)) % 2  # both values, and both classes of each
        one[:, 3] = np.arange(len(one)) // 2 % 2
        if name == "client_3":
            one[:, 2] = (np.arange(len(one)) < 2).astype(float)
    one_ = scenario(tmp_path, 'method = "newton"', data=data)
    found = study(one_, tmp_path)
    assert isinstance(found.clients[2].failure, DataError)
    assert "flag" in found.clients[2].failure.message
    assert found.served()["federated"]["rounds"][0]["clients"] == 7


def test_work_is_the_same_whenever_it_is_done(tmp_path: Path) -> None:
    """A client that is asked once more for a round's vector gives the same: two sums differ in nothing."""
    one = scenario(tmp_path, 'rounds = 2\nbatch_size = 8\npersonal = ["ditto"]')
    own = own_rows(one, "client_1", rows_of(one).of("client_1", 1))
    for message in (Message("train", 2, np.ones(4), word=4), Message("evaluate", 2, np.ones(4), word=4)):
        first, second = (work_of(one, 0, own, message).values for _ in range(2))
        assert all(np.array_equal(first[key], second[key]) for key in first)
    rounds = [work_of(one, 0, own, Message("train", t, np.ones(4), word=4)).values["update"] for t in (1, 2)]
    assert not np.array_equal(rounds[0], rounds[1])  # of other batches
