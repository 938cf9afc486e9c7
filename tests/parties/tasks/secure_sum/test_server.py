"""A secure sum's rounds and attempts over one set of connections, in virtual time."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import ProtocolError, TooFewError, UsageError
from mpc.star.client import StarClient
from mpc.star.wire import DOWN, UP
from parties.tasks.registry import load_any
from parties.tasks.secure_sum.ends import server as sum_server
from parties.tasks.secure_sum.reveals import revealed
from parties.tasks.secure_sum.settings import SumScenario
from parties.trust.rounds import AgreedRounds, RoundNumbers, new_session
from protocols.aggregation import messages as m
from protocols.aggregation.settings import Occasion
from tests.links.star.fake import Fault, no_fault
from tests.parties.tasks.secure_sum.test_settings import loaded
from tests.parties.tasks.star.runs import Faults, late, study
from tests.run.sums import expected, with_helper

LOG = logging.getLogger("test_sum_server")


def in_rounds(folder: Path, rounds: int = 1, task: str = "") -> SumScenario:
    """Twelve clients with rows of their own for each round; in round r every stay is r."""
    scenario = loaded(
        folder,
        *((f'data = "c{k}.csv"', f'data = "c{k}_{{round}}.csv"') for k in (1, 2, 3)),
        ('data = "all.csv"', 'data = "all_{round}.csv"'),
        task=f"rounds = {rounds}\n{task}",
    )
    for name in ("c1", "c2", "c3", "all"):
        for place in range(1, rounds + 1):
            text = (folder / f"{name}.csv").read_text().replace("1.25", f"{place}")
            (folder / f"{name}_{place}.csv").write_text(text)
    return scenario


def run(
    scenario: SumScenario, folder: Path, faults: Faults = lambda clients: no_fault, first: int = 1
) -> tuple[Callable[[], dict[str, Any]], list[StarClient], list[int]]:
    """What runs the server, the clients, and the round numbers that it noted."""
    one = study(scenario, folder, faults, first)
    return one.served, one.clients, one.used


def test_rounds_over_one_set_of_connections(tmp_path: Path) -> None:
    scenario = in_rounds(tmp_path, 3)
    served, clients, used = run(scenario, tmp_path, first=5)
    result = served()
    assert used == [5, 6, 7]
    sums = result["sums"]["rounds"]
    assert [one["round"] for one in sums] == used
    for place, one in enumerate(sums, start=1):
        assert one["columns"]["age"] == expected()["age"]
        assert one["columns"]["stay"]["mean"] == place
        assert json.loads((tmp_path / f"round_{place}.json").read_text()) == one
    assert result["sums"]["columns"] == sums[-1]["columns"]
    assert all(client.done and client.rounds == 3 for client in clients)
    assert (result["party"]["bytes_sent"], result["party"]["bytes_received"]) == tuple(result["plan"]["bytes"].values())
    assert result["party"]["bytes_received"] == sum(client.counts.sent for client in clients)
    rounds = [json.loads(line)["round"] for line in (tmp_path / "c1.rounds").read_text().splitlines()]
    assert rounds == used


def test_a_round_that_cannot_be_kept_at_once_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sum was opened; the record may yet have room."""

    def full(path: Path, content: bytes) -> None:
        raise UsageError(f"{path} cannot be written: No space left on device")

    monkeypatch.setattr(sum_server, "replace_file", full)
    served, _, _ = run(in_rounds(tmp_path, 2), tmp_path)
    assert [one["columns"]["stay"]["mean"] for one in served()["sums"]["rounds"]] == [1, 2]
    assert not list(tmp_path.glob("round_*.json"))


def test_weights_go_through_and_their_total_is_told(tmp_path: Path) -> None:
    scenario = in_rounds(tmp_path, task='weight = "w"\nlargest_weight = 20')
    for name in ("c1", "c2", "c3", "all"):
        head, *rows = (tmp_path / f"{name}_1.csv").read_text().splitlines()
        weights = [row.split(",")[-2] for row in rows]  # the age: 1, 3, ..., 2 k - 1
        content = [f"{head},w", *(f"{row},{weight}" for row, weight in zip(rows, weights, strict=True))]
        (tmp_path / f"{name}_1.csv").write_text("\n".join(content) + "\n")
    served, _, _ = run(scenario, tmp_path)
    sizes = [1, 2, 3, *range(1, 10)]
    weight, total = sum(k * k for k in sizes), sum(k * (4 * k * k - 1) // 3 for k in sizes)
    found = served()["sums"]["columns"]["age"]
    assert found == {"count": sum(sizes), "weight": weight, "sum": float(total), "mean": total / weight}
    assert "counts, weights and sums of 2 columns" in revealed(scenario)[0]["what"]


@pytest.mark.parametrize(("what", "ends"), [("refuse", False), ("clip", True)])
def test_cells_out_of_range_are_told_to_their_client_alone(
    tmp_path: Path, what: str, ends: bool, caplog: pytest.LogCaptureFixture
) -> None:
    scenario = in_rounds(tmp_path, task=f'out_of_range = "{what}"')
    (tmp_path / "c2_1.csv").write_text("age,stay\n2,777\n2,1\n")
    served, clients, _ = run(scenario, tmp_path)
    said = [one.getMessage() for one in caplog.records]
    sums = served()["sums"]
    assert (sums["clients"], sums["left_out"]) == ((12, []) if ends else (11, ["c2"]))
    assert clients[1].counts.sent > 0 if ends else clients[1].failure is not None
    if ends:
        assert "c2: 1 cells were outside the agreed range, and were clipped" in said
        assert sums["columns"]["stay"]["sum"] == 120 + 1 + expected(2)["stay"]["count"]
    assert "777" not in json.dumps(sums) + "".join(said)
    assert not any("c2" in one.getMessage() for one in caplog.records[len(said) :])  # of what the server says


@pytest.mark.parametrize("stage", [m.KEYS, m.SHARES, m.MASKED])
def test_a_round_with_too_few_is_repeated_with_all_who_are_there(tmp_path: Path, stage: str) -> None:
    scenario = in_rounds(tmp_path, task="attempts = 2")
    served, clients, used = run(scenario, tmp_path, late(set(range(6)), stage, attempts=1))
    result = served()
    assert used == [1]
    assert (result["sums"]["attempt"], len(result["sums"]["failed_attempts"])) == (2, 1)
    assert result["sums"]["clients"] == 12
    assert result["sums"]["columns"]["age"] == expected()["age"]
    party = result["party"]
    assert (party["bytes_sent"], party["bytes_received"]) == tuple(result["plan"]["bytes"].values())
    assert party["bytes_of_failed_attempts"] > 0
    assert all(client.done for client in clients)


def helped(folder: Path, rounds: int = 1, task: str = "", least: int = 5) -> SumScenario:
    """The same with a helper; a stay is known of c3's three rows alone."""
    scenario = in_rounds(folder, rounds, f'min_cell = {least}\nmissing = "skip"\n{task}')
    for path in [path for name in ("c1", "c2", "all") for path in folder.glob(f"{name}_*.csv")]:
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(f"{row.rsplit(',', 1)[0]}," for row in rows)]) + "\n")
    found = load_any(with_helper(scenario.path))
    assert isinstance(found, SumScenario)
    return found


def lost(label: str, *, up: bool, times: int = 1) -> Faults:
    """The helper's messages of a stage, or the answers to them, are lost the first times."""
    left = [times]

    def over(clients: list[StarClient]) -> Fault:
        def fault(client: int, is_up: bool, kind: int, at: str) -> tuple[float, ...]:
            hit = (client, is_up, at) == (12, up, label) and kind in (UP, DOWN) and left[0] > 0
            left[0] -= hit
            return () if hit else (0.001,)

        return fault

    return over


def test_with_a_helper_small_cells_are_withheld_in_every_round(tmp_path: Path) -> None:
    scenario = helped(tmp_path, 2)
    served, clients, _ = run(scenario, tmp_path)
    result = served()
    for one in result["sums"]["rounds"]:
        assert one["columns"]["age"] == expected()["age"]
        assert one["columns"]["stay"] == {"count": None, "sum": None, "mean": None}
        assert one["small_cells"]["withheld"] == {"stay": ["count", "sum", "mean"]}
        assert one["dropped"] == {}
    assert all(client.done and client.rounds == 2 for client in clients)
    party = result["party"]
    assert (party["bytes_sent"], party["bytes_received"]) == tuple(result["plan"]["bytes"].values())
    assert party["bytes_received"] == sum(client.counts.sent for client in clients)
    assert result["plan"]["rounds"] == 12


def test_with_a_helper_a_cell_of_just_enough_rows_is_told(tmp_path: Path) -> None:
    served, _, _ = run(helped(tmp_path, task='flags = ["stay"]', least=3), tmp_path)
    sums = served()["sums"]
    assert sums["columns"]["stay"] == {"count": 3, "sum": 3.0, "mean": 1.0}
    assert sums["small_cells"] == {"min_cell": 3, "suppressed_by": "judge", "withheld": {}}


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("label", [m.KEYS, m.HIDDEN])
def test_what_is_lost_between_server_and_helper_goes_again(tmp_path: Path, label: str, up: bool) -> None:
    served, clients, _ = run(helped(tmp_path), tmp_path, lost(label, up=up))
    assert served()["sums"]["columns"]["age"] == expected()["age"]
    assert clients[-1].done


@pytest.mark.parametrize("label", [m.KEYS, m.HIDDEN, m.DISCLOSED])
def test_a_helper_that_does_not_answer_ends_the_run(tmp_path: Path, label: str) -> None:
    served, clients, _ = run(helped(tmp_path, task="attempts = 3"), tmp_path, lost(label, up=True, times=99))
    with pytest.raises(TooFewError, match=r"the helper (sent no key|did not answer)"):
        served()
    assert {type(client.failure) for client in clients} == {TooFewError}
    assert not list(tmp_path.glob("*.json"))
    assert bool(list(tmp_path.glob("*.rounds"))) == (label != m.KEYS)  # after shares there is no other attempt
    assert clients[0]._at[1] == (3 if label == m.KEYS else 1)


def test_an_attempt_with_too_few_is_repeated_with_the_helper_too(tmp_path: Path) -> None:
    served, clients, _ = run(helped(tmp_path, task="attempts = 2"), tmp_path, late(set(range(6)), m.MASKED, attempts=1))
    result = served()
    assert (result["sums"]["attempt"], result["sums"]["clients"]) == (2, 12)
    assert result["sums"]["columns"]["age"] == expected()["age"]
    assert clients[-1].done


def test_attempts_come_to_an_end(tmp_path: Path) -> None:
    scenario = in_rounds(tmp_path, task="attempts = 2")
    served, clients, _ = run(scenario, tmp_path, late(set(range(6)), m.MASKED, attempts=9))
    with pytest.raises(TooFewError, match="6 clients answered in stage 'masked'"):
        served()
    assert {type(client.failure) for client in clients} == {TooFewError}
    assert not list(tmp_path.glob("*.rounds"))  # nothing was released


@pytest.mark.parametrize("server", ["semi-honest", "malicious"])
def test_once_shares_were_asked_for_there_is_no_other_attempt(tmp_path: Path, server: str) -> None:
    scenario = in_rounds(tmp_path, task=f'attempts = 3\nserver = "{server}"')
    served, _, _ = run(scenario, tmp_path, late(set(range(9)), m.UNMASK, attempts=9))
    with pytest.raises(TooFewError, match="3 clients answered in stage 'unmask'"):
        served()
    assert len(list(tmp_path.glob("*.rounds"))) == 12


def test_a_later_round_that_fails_leaves_the_earlier_sums(tmp_path: Path) -> None:
    scenario = in_rounds(tmp_path, 2)
    (tmp_path / "all_2.csv").write_text("who,age,stay\nclient_1,1,2\n")  # the others have no rows in this round
    served, clients, _ = run(scenario, tmp_path)
    with pytest.raises(TooFewError, match="round 2 of 2: 4 clients answered") as caught:
        served()
    assert "round_1.json" in caught.value.hint
    assert json.loads((tmp_path / "round_1.json").read_text())["clients"] == 12
    assert sum(client.failure is not None for client in clients) == 12


def test_a_client_takes_part_in_what_was_agreed_alone() -> None:
    session = new_session(7)
    agreed = AgreedRounds(2, 3)
    assert [agreed.place(session, number, attempt) for number, attempt in ((7, 1), (7, 3), (8, 1))] == [1, 1, 2]
    for number, attempt in ((9, 1), (6, 1), (8, 4), (8, 0)):
        with pytest.raises(ProtocolError, match=f"attempt {attempt} at round {number}, which was not agreed"):
            agreed.place(session, number, attempt)
    for other in (new_session(7), session + b"x", session[:-1], b""):
        with pytest.raises(ProtocolError, match="not agreed"):
            agreed.place(other, 7, 1)


def test_a_server_counts_on_for_each_scenario(tmp_path: Path) -> None:
    path = tmp_path / "server.rounds"
    numbers = RoundNumbers(path, "a")
    assert numbers.next == 1
    for number in (1, 2):
        numbers.use(number)
    assert (RoundNumbers(path, "a").next, RoundNumbers(path, "b").next) == (3, 1)
    path.write_text("not a list\n")
    with pytest.raises(UsageError, match="is not a list of rounds"):
        RoundNumbers(path, "a")
    assert Occasion(new_session(3), 3, 1).session[-4:] == (3).to_bytes(4, "little")
