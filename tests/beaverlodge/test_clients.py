"""`beaverlodge.simulate(..., clients=)`: a server and clients for a notebook, in this thread and in processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import beaverlodge
from beaverlodge.protocol import Client, Server
from mpc.errors import DataError, UsageError
from mpc.testing import reals
from tests.helpers import ROOT
from tests.parties.tasks.program.clients.masked_sum import masked_sum_client, masked_sum_server
from tests.parties.tasks.program.clients.private_mean import mean_client, mean_server
from tests.parties.tasks.program.clients.runs import OWN, simulated, values

MASKED = f"{OWN / 'masked_sum.py'}:masked_sum"
PAIR = (masked_sum_client, masked_sum_server)
GIVEN = [[[1.5, 2.0]], [[0.25, -4.0]], [[3.0, 1.0]]]


def test_arrays_give_the_result_and_its_reference() -> None:
    done = beaverlodge.simulate(PAIR, GIVEN, clients=3)
    assert done.result.tolist() == [4.75, -1.0]
    assert done.difference == 0.0
    assert done.clients == ("client_1", "client_2", "client_3")
    assert [(one["label"], one["messages"], one["bytes"]) for one in done.stages] == [
        ("keys", 3, 96),
        ("masked", 3, 48),
    ]
    assert done.learnt[0]["what"] == "sum" and done.learnt[0]["clients"] == list(done.clients)
    assert {row["label"] for row in done.trace.rounds if row["party"] == "client_2"} == {"keys", "masked"}
    page = done._repr_html_()
    assert "What the server saw" in page and "x_i under masks, uniform" in page and "all owners" not in page


def test_tables_may_have_other_numbers_of_rows() -> None:
    done = beaverlodge.simulate(
        (mean_client, mean_server), [[np.ones((3, 2))], [np.full((1, 2), 5.0)]], clients=2, trace=False
    )
    assert done.result.tolist() == [2.0, 2.0, 4.0] and done.difference == 0.0
    with pytest.raises(UsageError, match="were not recorded"):
        _ = done.trace


def test_a_result_that_is_too_long_is_not_told_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parties.tasks.program.results.MOST_VALUES", 1)
    done = beaverlodge.simulate(PAIR, GIVEN, clients=3, trace=False)
    with pytest.raises(UsageError, match=r"shape \(2,\) is too long for a record"):
        _ = done.result


def test_processes_need_a_pair_at_the_top_of_a_file() -> None:
    async def total_client(me: Client, x: np.ndarray) -> None:
        """Another process cannot read it."""

    with pytest.raises(UsageError, match="one of a file"):
        beaverlodge.simulate((total_client, masked_sum_server), GIVEN, clients=3, processes=True)


def test_a_server_knows_no_number_of_rows() -> None:
    async def client(me: Client, x: np.ndarray, y: np.ndarray) -> None:
        await me.send(b"", label="hello")

    async def server(s: Server) -> None:
        assert s.shapes == ((-1, 2), (3,))
        await s.gather("hello", size=0, sees="that it is there")

    rows = [[np.ones((3, 2)), np.ones(3)], [np.ones((1, 2)), np.ones(3)]]
    assert beaverlodge.simulate((client, server), rows, clients=2, trace=False).results == []


def test_descriptions_draw_what_mpc_simulate_draws() -> None:
    """The same made-up numbers, and under a test seed the same bits, whatever carried the messages."""
    here = beaverlodge.simulate(MASKED, [reals((2,), scale=20, largest=100)], clients=20, insecure_seed=5)
    there = simulated("masked_sum.py:masked_sum", 20, "reals:2")
    assert here.result.tolist() == values(there)["result"]
    assert "INSECURE" in here._repr_html_()


def test_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = beaverlodge.simulate(MASKED, GIVEN, clients=3, processes=True)
    here = beaverlodge.simulate(MASKED, GIVEN, clients=3)
    assert done.result.tolist() == here.result.tolist() == [4.75, -1.0]
    assert [(one["label"], one["bytes"]) for one in done.stages] == [("keys", 96), ("masked", 48)]
    assert done.folder is not None and (done.folder / "report.html").exists()
    assert len(done.trace.lanes) == 4 and done.learnt[0]["clients"] == list(done.clients)
    assert beaverlodge.read(done.folder).record["kind"] == "star_program"


def test_an_error_names_its_party() -> None:
    async def client(me: Client, x: np.ndarray) -> None:
        if me.number == 1:
            raise ValueError("of the author")
        await me.send(b"", label="hello")

    async def server(s: Server) -> None:
        await s.gather("hello", size=0, sees="that it is there")

    with pytest.raises(ValueError, match="of the author") as caught:
        beaverlodge.simulate((client, server), GIVEN, clients=3)
    assert caught.value.__notes__ == ["at client_2"]

    async def refuses(me: Client, x: np.ndarray) -> None:
        await me.send(b"", label="hello")
        raise DataError("no such values")

    with pytest.raises(DataError, match="no such values"):
        beaverlodge.simulate((refuses, server), GIVEN, clients=3)


@pytest.mark.parametrize(
    "program, inputs, more, message",
    [
        (PAIR, GIVEN, {"clients": 4}, "4 clients need 4 lists"),
        (PAIR, GIVEN, {"clients": 3, "owners": 3}, "of owners, or of clients"),
        (PAIR, GIVEN, {"clients": 3, "network": "wan"}, "no network 'wan' in one thread"),
        (masked_sum_client, GIVEN, {"clients": 3}, "a pair of async functions"),
        (PAIR, [[], [], []], {"clients": 3}, "different numbers of arrays, or none"),
    ],
)
def test_what_cannot_be_is_refused(program: Any, inputs: Any, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        beaverlodge.simulate(program, inputs, **more)


def test_one_thread_loads_no_socket_and_no_database() -> None:
    code = (
        "import sys, beaverlodge\n"
        "from mpc.testing import reals\n"
        f"beaverlodge.simulate({MASKED!r}, [reals((2,), scale=20, largest=100)], clients=4)\n"
        "found = {'zmq', 'duckdb', 'hypothesis', 'parties.processes.fork', 'fcntl'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
