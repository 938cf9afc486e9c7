"""Federated learning with [privacy]: what is refused, what is released, how noisy it is, and what it costs."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import BudgetError, TooFewError, UsageError
from mpc.star.stage import Exchange
from parties.tasks.federated.clients.data import own_rows, rows_of
from parties.tasks.federated.clients.hosted import FederatedPart, clients_of, round_name
from parties.tasks.federated.clients.work import work_of
from parties.tasks.federated.private import epsilon_spent, planned_charge, spend, times_released
from parties.tasks.federated.server.rounds import first_state, give_up, message_of
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.federated.show.plan import federated_plan, plan_blocks
from parties.tasks.federated.star import STAR
from parties.tasks.registry import request_of
from parties.tasks.star.base import Membership, charge_left, release_name
from parties.trust.budget import Charge, Ledger
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import new_session
from protocols.aggregation import messages as m
from protocols.aggregation.settings import Journal, Occasion
from protocols.federated.messages import Message, Phase, write_message
from protocols.federated.models import Rows, model_of
from protocols.federated.noisy import NoisyLayout, client_figures, figures_norm
from protocols.federated.programs import Contribution, federated_client
from protocols.privacy.accounting import epsilon_of
from protocols.privacy.concentrated import epsilon_at
from tests.parties.tasks.federated.runs import scenario
from tests.parties.tasks.star.runs import late, study

PRIVACY = "[privacy]\nepsilon = 4.0\ndelta = 1e-5"


def private(folder: Path, task: str = "rounds = 4", **more: Any) -> FederatedScenario:
    return scenario(folder, task, PRIVACY, **more)


REFUSED = {
    "newton": 'method = "newton"',
    "plain": 'aggregation = "plain"',
    "rows": 'weights = "rows"',
    "early_stop": "early_stop = 2",
    "personal": 'personal = ["ditto"]',
    "min_cohort": "min_cohort = 3\ncorrupt = 0.4",
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_would_be_told_exactly_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError) as caught:
        private(tmp_path, REFUSED[word])
    assert word in f"{caught.value.message} {caught.value.hint}" and "[privacy]" in caught.value.message


def test_a_policy_is_asked_about_the_epsilon(tmp_path: Path) -> None:
    assert request_of(private(tmp_path)).epsilon == 4.0
    assert request_of(scenario(tmp_path)).epsilon is None


def test_a_study_costs_what_its_epsilon_allows(tmp_path: Path) -> None:
    one = private(tmp_path, "rounds = 4\nstandardise = true")
    found = study(one, tmp_path).served()
    part = found["federated"]
    facts = part["privacy"]
    assert 3.9 < facts["planned"] <= 4.0
    assert sum(release["share"] for release in facts["releases"]) == pytest.approx(1.0, abs=0.01)
    spent = [round_["epsilon"] for round_ in part["rounds"]]
    assert spent == sorted(spent) and spent[-1] == facts["spent"] < facts["planned"]  # all took part: more noise
    assert [round_["phase"] for round_ in part["rounds"]] == ["train"] * 4 + ["evaluate"]
    assert all("loss" not in round_ and "rows" not in round_ for round_ in part["rounds"][:-1])
    assert part["standardised"] == {"means": [0.0] * 3, "deviations": [2.0] * 3}  # of the agreed range, -4 to 4
    party = found["party"]
    assert (party["bytes_sent"], party["bytes_received"]) == tuple(found["plan"]["bytes"].values())


def test_no_two_runs_have_the_same_noise(tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        weights.append(study(private(tmp_path / name), tmp_path / name).served()["federated"]["weights"])
    assert np.abs(np.subtract(*weights)).min() > 0


def test_a_sum_is_that_of_the_clipped_updates_but_for_noise(tmp_path: Path) -> None:
    """All clients' updates are clipped here: their sum is known but for noise of the planned size, over many rounds."""
    one = private(tmp_path, "rounds = 4\nclip = 0.005")
    how = one.mechanisms["train"]
    errors = []
    for t in range(1, 5):
        message = Message("train", t, first_state(one).weights, word=4)
        exact, total = np.zeros(one.size), np.zeros(how.length, dtype=np.uint64)
        for number, name in enumerate(one.client_names):
            done = work_of(one, number, own_rows(one, name, rows_of(one).of(name, 1)), message)
            assert np.linalg.norm(done.values["update"]) <= 0.005 * (1 + 1e-12) and done.clipped
            part = part_of(one, name, RoundJournal(None))
            total += part._work(message, one.round("train", t, message.weights)).vector
            exact += done.values["update"]
        layout = one.layout("train", message.weights)
        assert isinstance(layout, NoisyLayout)
        total &= np.uint64((1 << layout.bits) - 1)
        errors.append(layout.decode(total, one.signs("train", t))["update"] - exact)
    deviation = float(np.std(errors)) / how.deviation(one.count)
    assert 0.4 < deviation < 1.8  # of 16 numbers
    assert how.deviation(one.count) > 1.5 * 0.005  # which a sum without noise would not have


def part_of(one: FederatedScenario, name: str, journal: RoundJournal) -> FederatedPart:
    client = clients_of(one, {name: Membership(journal, None)}, logging.getLogger("test"))[name]
    return client.part  # type: ignore[attr-defined]


def test_all_attempts_at_a_round_have_one_noise(tmp_path: Path) -> None:
    one = private(tmp_path)
    message = message_of(one, first_state(one))
    agreed = one.round("train", 1, message.weights)
    part, again = (part_of(one, "client_1", RoundJournal(None)) for _ in range(2))
    first, second, other = part._work(message, agreed), part._work(message, agreed), again._work(message, agreed)
    assert (first.vector == second.vector).all() and (first.vector != other.vector).any()


def test_each_draw_of_noise_is_charged_first(tmp_path: Path) -> None:
    """All draws together cost what the study may; one that is refused gives no vector; a repeat costs nothing."""
    one = private(tmp_path)
    planned = planned_charge(one)
    assert planned is not None and 3.9 < epsilon_of(planned.mechanisms, 1e-5) <= 4.0
    part, ledger = part_of(one, "client_1", RoundJournal(None)), Ledger(tmp_path)
    releases = STAR.release

    def charge(session: bytes, name: str, rows: Any, cost: Charge) -> None:
        ledger.charge(releases(one, "client_1", rows, release_name(session, name)), cost, again=True)

    part._member = replace(part._member, charge=charge)
    weights = first_state(one).weights
    for phase, t in [*(("train", t) for t in range(1, 5)), ("evaluate", 5)]:
        message = Message(phase, t, weights, word=4)  # type: ignore[arg-type]
        for _ in range(2):
            part._work(message, one.round(message.phase, t, weights))
        left = charge_left(one, STAR, "client_1", ledger)
        assert left is not None
        assert ledger.read().spent(1e-5, [left]) == pytest.approx(epsilon_of(planned.mechanisms, 1e-5))
    charged = ledger.read().charges
    assert [one.session for one in charged] == [*(f"/train {t}" for t in range(1, 5)), "/evaluate 5"]
    assert {one.unit for one in charged} == {"client"}
    ledger.set_budget(4.0, 1e-5)
    again = part_of(one, "client_1", RoundJournal(None))
    again._member = replace(again._member, charge=charge)
    with pytest.raises(BudgetError):
        again._work(Message("train", 1, weights, word=4), one.round("train", 1, weights))
    assert not again._vectors.has(("train", 1)) and len(ledger.read().charges) == 5


def test_a_servers_new_session_names_no_uncharged_release(tmp_path: Path) -> None:
    """Else the list of releases has one that the ledger lacks, and the client is refused ever after."""
    one, charged, noted = private(tmp_path), [], []
    part = part_of(one, "client_1", RoundJournal(None))

    def noting(session: bytes, name: str, rows: Any, journal: Journal) -> tuple[nullcontext[None], Journal]:
        noted.append((session, name))
        return nullcontext(), journal

    def charge(session: bytes, name: str, rows: Any, cost: Charge) -> None:
        charged.append((session, name))

    part._member = replace(part._member, noting=noting, charge=charge)
    weights = first_state(one).weights
    for t in (1, 2):
        message = Message("train", t, weights, word=4)
        for _ in range(2):
            program = part.program(round_name(new_session(1), "train", t), 1, 1)
            program.send(None)  # type: ignore[arg-type]
            program.close()
            part._work(message, one.round("train", t, weights))
    assert noted == [charged[0], charged[0], charged[1], charged[1]] and charged[0][0] != charged[1][0]


def test_that_a_training_diverged_is_told_to_nobody(tmp_path: Path) -> None:
    """A server could choose a model from which it diverges on some data alone."""
    one = private(tmp_path, 'rounds = 4\nmodel = "linear"\ntarget_range = [0, 1]\nlearning_rate = 1000000\nepochs = 50')
    message = message_of(one, first_state(one))
    agreed = one.round("train", 1, message.weights)
    adds = part_of(one, "client_1", RoundJournal(None))._work(message, agreed)
    assert adds.vector.size == one.mechanisms["train"].length


def released(part: FederatedPart, one: FederatedScenario, message: Message) -> None:
    """A client gives its part of a sum over all clients: what its journal is asked, without the sum itself."""
    agreed = one.round(message.phase, message.t, message.weights)
    occasion = Occasion(round_name(new_session(1), message.phase, message.t), 1, 1)

    def work(received: Message) -> Contribution:
        return part._work(received, agreed)

    running = federated_client(0, 4096, occasion, work, lambda label: bytes(32), part._member.journal)
    assert isinstance(running.send(None), Exchange)
    with pytest.raises(StopIteration):
        running.send(write_message(message))


def test_no_round_is_made_twice_with_other_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after a restart of the client, nor for another model, in training and in the last round."""

    async def aggregated(me: int, settings: Any, occasion: Any, vector: Any, entropy: Any, keep: Any, *of: Any) -> None:
        keep(1, b"all survived")

    monkeypatch.setattr("protocols.federated.programs.aggregation_client", aggregated)
    one, path = private(tmp_path), tmp_path / "journal"
    weights = first_state(one).weights
    part = part_of(one, "client_1", RoundJournal(path, sync=False))
    places: tuple[tuple[Phase, int], ...] = (("train", 3), ("evaluate", 5))
    for phase, t in places:
        released(part, one, Message(phase, t, weights, word=4))
        released(part, one, Message(phase, t, weights, word=4))  # the same vector
        for model in (weights, weights + 1.0):
            restarted = part_of(one, "client_1", RoundJournal(path, sync=False))
            with pytest.raises(TooFewError, match="was drawn by a process that has ended"):
                released(restarted, one, Message(phase, t, model, word=4))
    released(part_of(one, "client_1", RoundJournal(path, sync=False)), one, Message("train", 4, weights, word=4))


def test_who_took_part_pays_by_the_noise_that_was_there(tmp_path: Path) -> None:
    one = private(tmp_path, "rounds = 4\nmin_cohort = 4")
    how = one.mechanisms["train"]
    assert how.fewest == 3  # of four, one may take off its own
    spent = spend(one, "train", np.zeros(8), (0, 1, 2, 3), 8)
    assert spent.tolist() == [how.rho] * 4 + [0.0] * 4
    spent = spend(one, "train", spent, tuple(range(8)), 8)
    assert spent[0] == pytest.approx(how.rho * (1 + 3 / 7)) and spent[7] == pytest.approx(how.rho * 3 / 7)
    assert epsilon_spent(one, spent) == pytest.approx(epsilon_at(spent[0], 1e-5))
    after = give_up(one, first_state(one), ["it was late"])
    assert after.spent.tolist() == [how.rho] * 8 and after.history[0]["epsilon"] > 0


def test_clients_that_are_missing_pay_nothing(tmp_path: Path) -> None:
    one = private(tmp_path)
    found = study(one, tmp_path, late({4}, m.SHARES, range(1, 3))).served()["federated"]
    assert [round_["clients"] for round_ in found["rounds"]] == [7, 7, 8, 8, 8]
    assert found["privacy"]["spent"] == found["rounds"][-1]["epsilon"] <= 4.0


def test_a_lying_server_is_held_to_the_smallest_group(tmp_path: Path) -> None:
    honest, lying = (private(tmp_path, f'rounds = 2\nserver = "{who}"') for who in ("semi-honest", "malicious"))
    assert lying.mechanisms["train"].fewest <= min(
        honest.mechanisms["train"].fewest, lying.bounds(lying.cohort).smallest_group
    )
    every = spend(lying, "train", np.zeros(8), tuple(range(8)), 8)
    assert every.max() == lying.mechanisms["train"].rho  # however many it says took part


def test_a_client_pays_for_the_rounds_that_draw_it(tmp_path: Path) -> None:
    one = private(tmp_path, "rounds = 12\ncohort = 5")
    drawn = np.zeros(8)
    for t in range(1, 13):
        drawn[list(one.members("train", t))] += 1
    assert times_released(one)["train"] == drawn.max() < 12
    assert drawn.max() >= 12 * 5 / 8
    assert federated_plan(one)["privacy"]["releases"][0]["times"] == drawn.max()


def test_figures_of_a_client_are_within_their_norm() -> None:
    rng = np.random.default_rng(1)
    for classes, name in ((2, "logistic"), (1, "linear")):
        model = model_of(name, 3, classes, ())  # type: ignore[arg-type]
        for size in (0, 1, 40):
            rows = Rows(rng.normal(size=(size, 3)), (rng.random(size) < 0.5).astype(float))
            found = client_figures(model, rng.normal(size=model.size) * 100, rows, classes)
            assert np.abs(found).max() <= 1 and np.linalg.norm(found) <= figures_norm(classes)
            assert (found[0] == 1) == (size > 0)


def test_the_last_figures_are_those_of_the_model(tmp_path: Path) -> None:
    """With so large an epsilon and so many clients that noise is small: close to the clients' own mean accuracy."""
    one = scenario(tmp_path, "rounds = 2\nclip = 0.5", "[privacy]\nepsilon = 20.0\ndelta = 1e-4", count=30)
    found = study(one, tmp_path).served()["federated"]
    last, w = found["rounds"][-1], np.array(found["weights"])
    held = [own_rows(one, name, rows_of(one).of(name, 1)).held for name in one.client_names]
    exact = np.mean([client_figures(one.model, w, rows, 2)[1:] for rows in held], axis=0)
    for name, mean in zip(("accuracy", "loss"), (exact + 1) / 2 * [1, 4], strict=True):
        assert abs(last[name] - mean) < 2.5 * last["errors"][name]
    assert last["errors"]["accuracy"] < 0.2


def test_without_held_out_rows_all_is_for_the_training(tmp_path: Path) -> None:
    one = private(tmp_path, "rounds = 2\nvalidation_fraction = 0")
    assert set(one.mechanisms) == {"train"}
    assert "accuracy" not in study(one, tmp_path).served()["federated"]["rounds"][-1]
    assert any("Differentially private" in str(vars(block)) for block in plan_blocks(one))
