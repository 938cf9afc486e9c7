"""A server and clients of somebody's own in one thread: what they give and cost, and what their author is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import TooFewError, UsageError
from mpc.randomness.streams import insecure_entropy
from mpc.star.members import Client
from parties.report.star_consent import star_consent_blocks
from parties.report.summary import summary_blocks
from parties.scenario.program import read_program
from parties.show.blocks import Grid, Line
from parties.tasks.program.function import load_pair
from parties.tasks.program.star.play import client_program
from parties.tasks.registry import load_tables, request_of, star_of
from tests.parties.tasks.program.clients.runs import OWN, scenario, simulated, values
from tests.parties.tasks.program.runs import line_with

MISTAKES = OWN / "mistakes.py"


def text_of(record: dict[str, Any]) -> str:
    """The summary's sentences and cells."""
    blocks = summary_blocks(record, Path("runs/x"))
    lines = [block.text for block in blocks if isinstance(block, Line)]
    return " ".join([*lines, *(" ".join(row) for block in blocks if isinstance(block, Grid) for row in block.rows)])


@pytest.mark.parametrize("clients", [2, 5, 50])
def test_a_sum_under_masks(clients: int) -> None:
    record = simulated("masked_sum.py:masked_sum", clients, "reals:3")
    assert [one["difference"] for one in record["comparison"]["results"]] == [0.0]
    stages = record["program"]["stages"]
    assert [(one["label"], one["messages"], one["bytes_received"]) for one in stages] == [
        ("keys", clients, 32 * clients),
        ("masked", clients, 24 * clients),
    ]
    assert stages[1]["bytes_sent"] == clients * clients * 36
    server = record["parties"]["server"]
    both = {"server": server["bytes_sent"], "clients": server["bytes_received"]}
    assert record["plan"]["bytes"] == both
    hosts = [one for one in record["parties"].values() if one["role"] == "client"]
    assert sum(one["bytes_sent"] for one in hosts) == both["clients"]
    assert sum(one["bytes_received"] for one in hosts) == both["server"]
    assert "as planned, to the byte" in text_of(record)
    assert record["revealed"][0] == {"what": "sum", "to": ["server"], "shape": [3], "why": "the agreed result"}


def table_file(folder: Path) -> Path:
    """Rows of four hospitals."""
    file = folder / "rows.csv"
    rows = "north,1,4\nsouth,2,6\nnorth,3,5\nwest,4,0\neast,5,1\nsouth,6,2\n"
    file.write_text(f"hospital,dose,weight\n{rows}")
    return file


def test_the_mean_of_tables_with_other_numbers_of_rows(tmp_path: Path) -> None:
    """Their names stand for the clients in order, and there are as many clients as names."""
    record = simulated("private_mean.py:mean", None, files=(table_file(tmp_path),), by="hospital")
    assert values(record)["result"] == pytest.approx([3.5, 3.0, 6.0])
    assert record["program"]["of"] == 4 and record["program"]["inputs"] == [{"input": "table", "shapes": [[-1, 2]]}]
    assert [one["difference"] < 1e-6 for one in record["comparison"]["results"]] == [True]
    assert "table (rows x 2)" in text_of(record)
    one = simulated("private_mean.py:mean", None, files=(table_file(tmp_path),), by="hospital", columns=("weight",))
    assert values(one)["result"] == pytest.approx([3.0, 6.0])


def test_a_file_for_each_client(tmp_path: Path) -> None:
    for k in (1, 2, 3):
        (tmp_path / f"client_{k}.csv").write_text(f"dose\n{k}\n{k}\n")
    record = simulated("private_mean.py:mean", 3, files=(tmp_path / "{client}.csv",), columns=("dose",))
    assert values(record)["result"] == pytest.approx([2.0, 6.0])


def test_drawn_inputs_come_from_the_seed_alone() -> None:
    one, same, other = (simulated("mistakes.py:tells", 3, "reals:4", seed=seed) for seed in (1, 1, 2))
    assert values(one) == values(same) != values(other)
    assert values(simulated("mistakes.py:tells", 3, "reals:4", seed=1, insecure_seed=7)) == values(one)


def test_who_vanishes_is_in_no_result() -> None:
    record = simulated("mistakes.py:tells", 20, "reals:4", vanish=0.2)
    assert values(record)["clients"] == 16
    (stage,) = record["program"]["stages"]
    assert len(stage["dropped"]) == 4 and stage["messages"] == 16
    assert [one["difference"] for one in record["comparison"]["results"]] == [0.0, 0.0]
    text = text_of(record)
    assert "Over 16 of 20 clients." in text and "as planned, to the byte" in text
    assert "'numbers'" in text
    with pytest.raises(TooFewError, match="45 clients answered in stage 'masked', and 47 are needed"):
        simulated("masked_sum.py:masked_sum", 50, "reals:3", vanish=0.1)


def test_what_the_clients_functions_return() -> None:
    record = simulated("mistakes.py:tells", 3, "reals:4")
    given = record["program"]["given_to_clients"]
    assert [one["values"] for one in given["client_2"]] == [values(record)["total"], 1]
    assert list(given) == ["client_1", "client_2", "client_3"]


def test_sizes_that_depend_on_data_are_told() -> None:
    record = simulated("mistakes.py:sizes", 5, "reals:1")
    assert "NOT AS PLANNED" in text_of(record) and "The sizes of messages depend on data." in text_of(record)
    plan = star_of(one := scenario("mistakes.py:sizes", 5, "reals:1")).plan(one)
    assert plan["bytes"]["exact"] is False
    said = [block.text for block in star_of(one).plan_blocks(one) if isinstance(block, Line)]
    assert any("THE SIZES OF MESSAGES DEPEND ON DATA" in text for text in said)


@pytest.mark.parametrize(
    "function, message, line",
    [
        ("raises", "client_2: {file}, line {line}, after stage 1 ('hello'): ValueError: of the cl", "client's author"),
        ("breaks", "server: {file}, line {line}, after stage 1 ('largest'): KeyError", "server's author"),
        ("nowhere", "has no async function 'nowhere_client'", ""),
        ("alone", "has no async function 'alone_server'", ""),
    ],
)
def test_a_mistake_is_told_by_the_authors_line(tmp_path: Path, function: str, message: str, line: str) -> None:
    (tmp_path / "rows.csv").write_text("who,x\na,1\nb,5000\nc,2\n")
    with pytest.raises(UsageError) as caught:
        simulated(f"mistakes.py:{function}", None, files=(tmp_path / "rows.csv",), by="who")
    number = line_with(line, MISTAKES) if line else 0
    assert message.format(file=MISTAKES, line=number) in caught.value.message
    if line:
        assert line in caught.value.hint


def test_a_plan_that_fails_afterwards_does_not_undo_the_run(tmp_path: Path) -> None:
    """As where `mpc party` ran a server that does with its clients' numbers what it cannot do with made-up ones."""
    (tmp_path / "rows.csv").write_text("who,x\na,100\nb,5000\n")
    record = simulated("mistakes.py:only_large", None, files=(tmp_path / "rows.csv",), by="who")
    assert values(record)["result"] == 2 and record["status"] == "ok"
    assert "there is no plan to compare it with" in text_of(record) and "ValueError: too small" in text_of(record)


def test_a_client_whose_data_are_refused_leaves(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("who,x\na,1\nb,5000\nc,2\n")
    record = simulated("mistakes.py:refuses", None, files=(tmp_path / "rows.csv",), by="who")
    assert values(record)["result"] == 2
    assert record["program"]["stages"][0]["dropped"] == ["client_2"]


def test_a_mistake_is_told_before_there_is_data() -> None:
    """The plan, a run on made-up inputs, has it with the client in whose place it was."""
    one = scenario("mistakes.py:raises", 3, "reals:1,largest=100000")
    with pytest.raises(UsageError, match=r"while it was planned for client \d, after stage 1 \('hello'\): ValueError"):
        star_of(one).plan(one)
    one = scenario("mistakes.py:waits", 3, "reals:1")
    with pytest.raises(UsageError, match="0 of 3 clients answered in stage 'never'"):
        star_of(one).plan(one)


def test_the_two_forms_of_a_program_are_told_apart() -> None:
    with pytest.raises(UsageError, match="'masked_sum' is between a server and clients") as caught:
        read_program(f"{OWN / 'masked_sum.py'}:masked_sum", alone=False)
    assert "--clients 50" in caught.value.hint


def test_the_approval_shows_the_file_and_runs_nothing_of_it(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "own.py").write_text(f"open({str(mark)!r}, 'w').close()\n" + (OWN / "masked_sum.py").read_text())
    one = scenario(str(tmp_path / "own.py:masked_sum"), 3, "reals:2")
    blocks = star_consent_blocks(one, "client_1", {"server": "x", "client_1": "y"})
    said = " ".join(block.text for block in blocks if isinstance(block, Line))
    assert "async def masked_sum_server(s: Server)" in said and one.program is not None
    assert one.program.sha256 in said
    assert not mark.exists()
    other = one.model_copy(update={"program": one.program.model_copy(update={"text": one.program.text + "#\n"})})
    assert other.digest != one.digest and other.meeting != one.meeting


def test_beside_real_data_an_errors_text_stays_out_of_logs() -> None:
    """As `mpc party` runs a client: Python's own texts name the value. The server is told that it leaves."""
    pair = load_pair(read_program(f"{OWN / 'mistakes.py'}:raises", alone=True, clients=True), 1)
    me = Client(0, 3, b"session", insecure_entropy(1, "north"))
    program = client_program(pair, me, [np.array([5000.0])], "north")
    program.send(None)
    with pytest.raises(UsageError, match="north: ") as caught:
        program.send(b"")
    assert caught.value.message.endswith(", after stage 1 ('hello'): ValueError")
    assert "mpc simulate" in caught.value.hint


def test_what_a_policy_is_asked() -> None:
    asked = request_of(scenario("masked_sum.py:masked_sum", 3, "reals:2"))
    assert (asked.kind, list(asked.reveals), asked.owners, asked.insecure) == ("star_program", [("program",)], 1, True)
    assert not asked.small_counts(5)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"task": {"kind": "star_program", "inputs": ["real:5"]}}, "there is no input 'real'"),
        ({"task": {"kind": "star_program", "inputs": ["table"]}}, "does not say which of its columns"),
        ({"task": {"kind": "star_program", "inputs": ["reals:5"], "columns": ["x"]}}, "no input is a table"),
        ({"clients": {"count": 5, "data": "x.csv", "by": "who"}}, "has data, and no input is a table"),
        ({"clients": None}, "there is no client"),
        ({"parties": {"server": {"role": "server"}, "helper": {"role": "helper"}}}, "such a protocol has none"),
        ({"clients": {"count": 20_000}}, "are more than 10000"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    raw: dict[str, Any] = {
        "schema": 1,
        "name": "x",
        "parties": {"server": {"role": "server"}},
        "clients": {"count": 5},
        "task": {"kind": "star_program", "inputs": ["reals:5"]},
        **change,
    }
    with pytest.raises(UsageError) as caught:
        load_tables(Path("x.toml"), {key: value for key, value in raw.items() if value is not None})
    assert message in f"{caught.value.message} {caught.value.points}"


def test_the_reference_gets_float64_of_each_client() -> None:
    record = simulated("masked_sum.py:masked_sum", 3, "integers:2,low=-5,high=5")
    assert all(value == np.round(value) for value in values(record)["result"])
