"""A study whose server is killed at any moment goes on to the same model; nothing that must be fresh is used twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_equal

from mpc.errors import DataError, TooFewError, UsageError
from parties.tasks.federated.server import serve as server_module
from parties.tasks.federated.server.rounds import Best, ServerState, first_state
from parties.tasks.federated.server.state import keeper, kept_state, read_state, write_state
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.base import server_state
from protocols.federated.newton.steps import Pooled, start
from protocols.federated.optimise import Moments
from tests.parties.tasks.federated.killed import CLIENTS, Study, study
from tests.tiers import SOAK, Tell

SGD = "standardise = true\nrange = [-4, 4]\n"
ADAM = 'method = "fedadam"\nrange = [-4, 4]\n'
PRIVATE = "clip = 0.5\n[privacy]\nepsilon = 8.0\n"
NEWTON = 'method = "newton"\nrange = [-4, 4]\nrounds = 12\n'


def run(folder: Path, scenario: FederatedScenario, **how: Any) -> tuple[Study, dict[str, Any]]:
    """A run of its own, in which nothing was used twice, no vector is in two sums, and no client refused anything."""
    folder.mkdir()
    found = Study(scenario, folder, **how)
    result = found.run()
    found.uses.check()
    assert not found.failed
    return found, result["federated"]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two studies have the same model, and the same figures in each round over the same clients."""

    def played(result: dict[str, Any]) -> list[dict[str, Any]]:
        links = ("number", "seconds", "bytes", "failed_attempts")
        return [{key: value for key, value in one.items() if key not in links} for one in result["rounds"]]

    return one["weights"] == other["weights"] and played(one) == played(other)


def moments_of(events: list[str]) -> list[int]:
    """One event of each kind in each round: the state's writes, numbers, and a message of each stage each way."""
    found: list[int] = []
    seen, rounds = set(), 0
    for place, what in enumerate(events):
        rounds += what == "takes a number"
        words = what.split()
        kind = (rounds, words[0], words[-1], what.startswith("w") and len(found))
        if kind not in seen:
            seen.add(kind)
            found.append(place)
    return found


@pytest.mark.parametrize(("task", "every"), [(SGD, 9), (ADAM, 15), (NEWTON, 15)], ids=["fedavg", "fedadam", "newton"])
def test_a_killed_server_goes_on_to_the_same_model(tmp_path: Path, task: str, every: int) -> None:
    scenario = study(tmp_path, task)
    whole, expected = run(tmp_path / "whole", scenario)
    assert whole.starts == 1 and len(expected["rounds"]) >= 3
    moments = moments_of(whole.events)
    assert len(moments) == 16 * len(expected["rounds"])
    for moment in moments[::every]:
        found, result = run(tmp_path / str(moment), scenario, kills={moment: {None}})
        assert found.starts == 2 and same(result, expected), whole.events[moment]


@pytest.mark.soak
def test_a_server_killed_at_any_message_goes_on(tmp_path: Path, tell: Tell) -> None:
    scenario = study(tmp_path, SGD)
    whole, expected = run(tmp_path / "whole", scenario)
    for moment in SOAK.chosen("federated server killed", range(len(whole.events))):
        found, result = run(tmp_path / str(moment), scenario, kills={moment: {None}})
        assert found.starts == 2 and same(result, expected), whole.events[moment]
        tell("a federated server killed at every message, in one thread", went_on_to_the_same_model=1)


def test_a_server_killed_again_and_again_goes_on(tmp_path: Path) -> None:
    """No two rounds are done between two kills."""
    scenario = study(tmp_path, SGD)
    _, expected = run(tmp_path / "whole", scenario)
    kills = {event: {None} for event in range(70, 2000, 70)}
    found, result = run(tmp_path / "killed", scenario, kills=kills)
    assert found.starts > 4 and same(result, expected)


def test_a_lost_sum_is_never_made_over_other_clients(tmp_path: Path) -> None:
    """A client for which release was asked stays away: a training round is given up, and the others go on."""
    scenario = study(tmp_path, SGD)
    whole, _ = run(tmp_path / "whole", scenario)
    lost = 0
    for place in moments_of(whole.events):
        if whole.events[place].split()[-1] != "unmask":
            continue
        folder = tmp_path / str(place)
        folder.mkdir()
        found = Study(scenario, folder, kills={place: {None}}, away=frozenset({1}))
        t = whole.events[:place].count("takes a number")
        if t in (1, 5):  # the scale, the evaluation: their vectors are the same in any round
            with pytest.raises(Exception, match="are missing"):
                found.run()
        else:
            rounds = found.run()["federated"]["rounds"]
            assert [one["round"] for one in rounds] == [1, 2, 3, 4, 5]
            assert [one["round"] for one in rounds if one["clients"] == 0] == [t]
            lost += 1
        found.uses.check()
        assert not found.failed
    assert lost == 6


def test_clients_refuse_another_sum_of_the_same_vectors(tmp_path: Path) -> None:
    """A server that lost a sum of Newton's method asks for it again as for another round, over other clients."""
    scenario = study(tmp_path, NEWTON)
    whole, _ = run(tmp_path / "whole", scenario)
    place = [one for one, what in enumerate(whole.events) if what == f"from {CLIENTS - 1} unmask"][1]
    lost = Study(scenario, tmp_path, kills={place: {None}}, away=frozenset({1}))
    refused = refusals(lost, lambda state: replace(state, t=state.t + 1, pinned=None))
    assert refused == {"shares were released for other survivors of round"}


@pytest.mark.parametrize("t", [2, 5])
def test_clients_take_one_model_a_round(tmp_path: Path, t: int) -> None:
    """A server says that it was started again, and asks for the updates of a round from a model of its choice."""
    scenario = study(tmp_path, SGD)
    whole, _ = run(tmp_path / "whole", scenario)
    place = [one for one, what in enumerate(whole.events) if what == f"from {CLIENTS - 1} keys"][t - 1]
    lying = Study(scenario, tmp_path, kills={place: {None}})
    refused = refusals(lying, lambda state: replace(state, weights=state.weights + 2.0**-20))
    assert refused == {f"the server asks for round {t} with another model than before"}


def test_a_client_takes_part_with_the_same_rows_alone(tmp_path: Path) -> None:
    """Its file is changed while its process and the server are not there: the second sum would show what was."""
    scenario = study(tmp_path, SGD)
    rows = tmp_path / "rows.csv"

    def edit() -> None:
        lines = rows.read_text().splitlines()
        place = next(k for k, line in enumerate(lines) if line.startswith("client_3,"))
        rows.write_text("\n".join([*lines[:place], "client_3,0.123,1", *lines[place + 1 :]]) + "\n")

    whole, _ = run(tmp_path / "whole", scenario)
    place = [one for one, what in enumerate(whole.events) if what == f"from {CLIENTS - 1} unmask"][1]
    found = Study(scenario, tmp_path, kills={place: {None, 2}}, between=edit)
    rounds = found.run()["federated"]["rounds"]
    found.uses.check()
    assert {(type(error), error.message.split(" that it")[0]) for error in found.failed} == {
        (DataError, "this client's rows are others than those")
    }
    assert [one["clients"] for one in rounds] == [CLIENTS, 0, *[CLIENTS - 1] * 3]


def refusals(found: Study, changed: Callable[[ServerState], ServerState]) -> set[str]:
    """Why clients refuse what a server asks that goes on from another state than it had; numbers at the end left out.

    It gets nothing more from anybody.
    """

    def other(*where: Any) -> ServerState | None:
        state = kept_state(*where)
        return None if state is None else changed(state)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(server_module, "kept_state", other)
        with pytest.raises(TooFewError):
            found.run()
    found.uses.check()
    assert len(found.failed) >= CLIENTS - 1
    return {error.message.rstrip("0123456789").rstrip() for error in found.failed}


def test_a_killed_client_is_back_in_the_next_round(tmp_path: Path) -> None:
    scenario = study(tmp_path, SGD)
    whole, _ = run(tmp_path / "whole", scenario)
    for place in moments_of(whole.events)[::17]:
        found, result = run(tmp_path / str(place), scenario, kills={place: {place % CLIENTS}})
        rounds, t = result["rounds"], max(1, whole.events[:place].count("takes a number"))
        assert len(rounds) == 5 and found.starts == 1
        assert all(one["clients"] == CLIENTS for one in rounds if one["round"] != t)
        assert rounds[t - 1]["clients"] in (CLIENTS - 1, CLIENTS)


def test_server_and_client_killed_at_once(tmp_path: Path) -> None:
    scenario = study(tmp_path, SGD)
    whole, expected = run(tmp_path / "whole", scenario)
    for place in moments_of(whole.events)[::21]:
        found, result = run(tmp_path / str(place), scenario, kills={place: {None, 2}})
        assert found.starts == 2 and same(result, expected)


def test_noise_of_a_round_is_drawn_once_and_paid_once(tmp_path: Path) -> None:
    """A client that is back without it leaves the round: others can open a sum without its consent."""
    scenario = study(tmp_path, PRIVATE)
    whole, expected = run(tmp_path / "whole", scenario)
    spent = [one["epsilon"] for one in expected["rounds"]]
    place = [one for one, what in enumerate(whole.events) if what == f"from {CLIENTS - 1} unmask"][1]
    found, result = run(tmp_path / "server", scenario, kills={place: {None}})
    assert found.starts == 2 and [one["epsilon"] for one in result["rounds"]] == spent
    _, result = run(tmp_path / "both", scenario, kills={place: {None, 1}})
    rounds = result["rounds"]
    assert [one["clients"] for one in rounds] == [CLIENTS, 0, CLIENTS, CLIENTS]
    assert rounds[0]["epsilon"] == spent[0] and rounds[1]["epsilon"] > spent[1]  # its sum may have been seen


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    fitted = start("logistic", 4)
    sums = Pooled(
        draw.normal(size=5), draw.normal(size=5), draw.normal(size=(5, 5)), 0.1 + 0.2, 9.0, 1, (0.0, 1e-9, 0.5)
    )
    state = ServerState(
        7,
        "train",
        draw.normal(size=5),
        Moments(draw.normal(size=5), draw.normal(size=5), 3),
        draw.normal(size=2),
        draw.normal(size=2),
        Best(0.1 + 0.2, 4, draw.normal(size=5)),
        replace(fitted, base=draw.normal(size=5), sums=sums, null_deviance=1e300),
        (0, 2, 3),
        ({"round": 1, "loss": 1e-300, "dropped": {"keys": ["a"]}},),
        frozenset({0, 3}),
    )
    first = first_state(study(tmp_path, SGD))
    for one in (state, replace(state, best=None, fit=fitted, pinned=None), replace(state, pinned=frozenset()), first):
        back = read_state(write_state(one))
        assert [*vars(back)] == [*vars(one)] and repr(back) == repr(one)
        assert_equal(as_plain(back), as_plain(one))


def test_another_versions_state_is_refused(tmp_path: Path) -> None:
    scenario = study(tmp_path, SGD)
    where = server_state(scenario, tmp_path, b"s" * 32)
    assert kept_state(scenario, where) is None is kept_state(scenario, None)
    keeper(where)(first_state(scenario))
    found = kept_state(scenario, where)
    assert found is not None and found.t == 1
    where.write("server", b"0.0.1\n" + write_state(found).partition(b"\n")[2])
    with pytest.raises(UsageError, match=r"was written by version 0\.0\.1"):
        kept_state(scenario, where)


def as_plain(value: Any) -> Any:
    """Its fields, and those of the dataclasses among them."""
    return {name: as_plain(one) for name, one in vars(value).items()} if is_dataclass(value) else value
