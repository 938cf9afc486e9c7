"""`beaverlodge.simulate`: what a notebook gets of a protocol of its own, in this thread and in processes."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import beaverlodge
from beaverlodge.finished import StaysShared
from beaverlodge.protocol import Party, Public, Share, matmul, multiply
from mpc.errors import ProtocolError, UsageError
from mpc.testing import own, reals
from tests.helpers import ROOT

AUCTION = str(ROOT / "tests" / "parties" / "tasks" / "program" / "own" / "auction.py") + ":auction"
PAGE = ROOT / "docs" / "python.md"
BIDS = [reals((2,), scale=20, largest=100)]


async def product(p: Party, x: tuple[Share, ...], y: tuple[Share, ...]) -> Public:
    z = await multiply(p, x[0] + x[1], y[1], label="product")
    (opened,) = await p.reveal(z, what="product", why="the agreed result", label="result")
    return opened


def product_reference(x: tuple[np.ndarray, ...], y: tuple[np.ndarray, ...]) -> np.ndarray:
    return (x[0] + x[1]) * y[1]


GIVEN = [[[1.5, 2.0], [0.0, 0.0]], [[3.0, 4.0], [2.0, -0.5]]]


def example() -> str:
    """The page's."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(code)


def test_arrays_give_the_result_and_its_reference() -> None:
    done = beaverlodge.simulate(product, GIVEN)
    assert done.result.tolist() == [9.0, -3.0]
    assert done.difference == 0.0
    assert done.owners == ("owner0", "owner1")
    assert [one.label for one in done.plan.rounds] == ["product", "result"]
    assert done.plan.bytes_sent["owner0"] == sum(row["bytes"] for row in done.trace.rounds if row["party"] == "owner0")


def test_a_wrong_protocol_is_seen_beside_its_reference() -> None:
    async def wrong(p: Party, x: tuple[Share, ...], y: tuple[Share, ...]) -> Public:
        return await product(p, x, (y[0], y[0]))

    wrong.__name__ = "product"  # beside whose name the reference stands
    done = beaverlodge.simulate(wrong, GIVEN)
    assert done.difference == 9.0
    assert "the largest difference is 9" in done._repr_html_()


def test_whole_numbers_have_scale_zero_and_names_are_kept() -> None:
    async def total(p: Party, x: tuple[Share, ...]) -> Share:
        assert all(one.scale == 0 for one in x)
        return x[0] + x[1]

    done = beaverlodge.simulate(total, {"north": [[1, -2]], "south": [[5, 6]]}, trace=False)
    assert done.owners == ("north", "south")
    assert done.result == StaysShared((2,), 0, 64)
    parts = [part.value for part in done.parts.values()]
    assert (parts[0] + parts[1]).view(np.int64).tolist() == [6, 4]
    with pytest.raises(UsageError, match="were not recorded"):
        _ = done.trace


def test_owners_may_give_other_numbers_of_rows() -> None:
    async def shapes(p: Party, x: tuple[Share, ...]) -> Any:
        return [np.array(one.shape) for one in x]

    result = beaverlodge.simulate(shapes, [[np.ones((3, 2))], [np.ones((5, 2))]]).result
    assert [result["0"].tolist(), result["1"].tolist()] == [[3, 2], [5, 2]]


def test_descriptions_draw_what_mpc_simulate_draws() -> None:
    """The same made-up bids, the same plan and the same price, whatever carried the messages."""
    here = beaverlodge.simulate(AUCTION, BIDS, insecure_seed=5)
    assert here.owners == ("owner0", "owner1", "owner2") and here.difference == 0.0
    other = beaverlodge.simulate(AUCTION, BIDS, owners=2, seed=9)
    assert len(other.owners) == 2 and other.result["price"].tolist() != here.result["price"].tolist()


def test_what_each_owner_is_told_alone_stands_by_its_name() -> None:
    async def back(p: Party, x: np.ndarray) -> Public:
        given = {owner: p.input(owner, x if owner == p.name else None, (2,), 20) for owner in p.owners}
        return await p.reveal_to_each(given, what="own", why="its own", label="back")

    done = beaverlodge.simulate(back, [own(BIDS[0])], owners=2)
    assert set(done.result) == {"owner0", "owner1"}
    assert done.result["owner0"].tolist() != done.result["owner1"].tolist()


def test_without_a_test_seed_no_value_is_kept() -> None:
    done = beaverlodge.simulate(product, GIVEN)
    with pytest.raises(UsageError, match="without a test seed"):
        _ = done.views
    assert done.trace.values == []
    assert "INSECURE" not in done._repr_html_() + done.trace.page()


def test_under_a_test_seed_the_views_add_up() -> None:
    done = beaverlodge.simulate(product, GIVEN, insecure_seed=1)
    views = done.views
    opened = views["owner0"].words("opened", "product")
    assert opened.tolist() == views["owner1"].words("opened", "product").tolist()
    masked = [view.words("masked", "product") for view in views.values()]
    assert (masked[0] + masked[1]).tolist() == opened.tolist()
    first, second = (view.words("mask", "product") for view in views.values())
    assert ((opened + first + second).view(np.int64) / 2.0**20).tolist() == [4.5, 6.0, 2.0, -0.5]
    assert "INSECURE" in done._repr_html_() and "INSECURE" in done.trace.page()
    assert "<td>masked</td>" in views["owner0"]._repr_html_()
    with pytest.raises(UsageError, match="owner0 saw no told 'product'"):
        views["owner0"].words("told", "product")
    again = beaverlodge.simulate(product, GIVEN, insecure_seed=1)
    assert again.views["owner0"].words("masked").tolist() == views["owner0"].words("masked").tolist()


def test_a_notebook_shows_each_in_html() -> None:
    done = beaverlodge.simulate(product, GIVEN)
    assert "9, -3" in done._repr_html_() and "product: 32 bytes" in done._repr_html_()
    page = done.trace.page()
    assert "The plan beside the measurement" in page and "Ended before the protocol did" not in page
    frame = done.trace._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and "<script" not in frame  # escaped: it is the frame's own


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ([], "give nothing"),
        ([[[1.0]]], "two owners at least"),
        ([[[1.0]], [[1.0], [2.0]]], "different numbers of arrays"),
        ([np.ones(2), np.ones(2)], "is no list"),
        ([[["a"]], [["b"]]], "array of <U1"),
        ([[[2**62]], [[0]]], "2\\^62 or more"),
        ({"helper": [[1.0]], "b": [[1.0]]}, "cannot be called 'helper'"),
        ([reals(("m",), scale=4, largest=1)], "has a size without a number"),
    ],
)
def test_inputs_that_are_none_are_refused(inputs: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        beaverlodge.simulate(product, inputs)


def test_numbers_that_no_ring_holds_are_refused() -> None:
    with pytest.raises(ProtocolError, match="finite"):
        beaverlodge.simulate(product, [[[np.nan], [1.0]], [[1.0], [1.0]]])


def test_what_is_no_protocol_is_refused() -> None:
    with pytest.raises(UsageError, match="no async function"):
        beaverlodge.simulate(product_reference, GIVEN)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="3 owners need 3 lists, not 2"):
        beaverlodge.simulate(product, GIVEN, owners=3)
    with pytest.raises(UsageError, match="no network 'wan' in one thread"):
        beaverlodge.simulate(product, GIVEN, network="wan")


def test_processes_need_what_another_process_can_read() -> None:
    async def local(p: Party, x: tuple[Share, ...]) -> None:
        """Of no file's top."""

    with pytest.raises(UsageError, match="one of a file"):
        beaverlodge.simulate(local, BIDS, processes=True)
    with pytest.raises(UsageError, match="have one shape"):
        beaverlodge.simulate(AUCTION, [[[1.0]], [[1.0, 2.0]]], processes=True)
    with pytest.raises(UsageError, match="no such input"):
        beaverlodge.simulate(AUCTION, [own(BIDS[0])], processes=True)


def test_one_thread_loads_nothing_that_only_some_systems_have() -> None:
    """No socket, database or copied process, and no Unix locks: so that it runs off Linux, too."""
    code = example() + (
        "import sys\n"
        "assert done._repr_html_() and done.trace._repr_html_() and done.views._repr_html_()\n"
        "locks = {'fcntl', 'resource', 'parties.base.private_files', 'parties.processes.fork'}\n"
        "print(sorted(({'zmq', 'duckdb', 'click'} | locks) & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.stdout.endswith("\n[]\n"), ran.stdout + ran.stderr


def test_the_pages_example_prints_what_it_says() -> None:
    code = example()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, PAGE.name, "exec"), {"__name__": "example"})
    assert said.getvalue().splitlines() == re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)


def test_an_error_says_at_which_party_and_round() -> None:
    async def fails(p: Party, x: tuple[Share, ...]) -> None:
        z = await matmul(p, x[0], x[1], label="before")
        await p.reveal(z, what="z", why="z", label="last")
        if not p.dry and p.index == 1:
            raise ArithmeticError("of the author's")

    with pytest.raises(ArithmeticError) as raised:
        beaverlodge.simulate(fails, [[[1.0, 2.0]], [[3.0, 4.0]]])
    assert raised.value.__notes__ == ["owner1, after round 2 ('last')"]

    async def looks(p: Party, x: tuple[Share, ...]) -> None:
        if x[0]:
            raise ArithmeticError

    with pytest.raises(UsageError, match=r"no truth value.*p\.insist") as refused:
        beaverlodge.simulate(looks, [[[1.0, 2.0]], [[3.0, 4.0]]])
    assert refused.value.__cause__ is not None  # whose traceback has the author's line


def test_processes_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = beaverlodge.simulate(AUCTION, BIDS, insecure_seed=5)
    before = dict(os.environ)
    there = beaverlodge.simulate(AUCTION, BIDS, insecure_seed=5, processes=True)
    assert dict(os.environ) == before
    assert there.plan == here.plan
    assert list(there.results) == list(here.results)
    assert there.comparison == here.comparison
    assert {name: [one.words.tolist() for one in view.seen] for name, view in there.views.items()} == {
        name: [one.words.tolist() for one in view.seen] for name, view in here.views.items()
    }
    assert there.folder is not None
    read = beaverlodge.read(there.folder)
    assert [row["bytes_sent"] for row in read.tables["parties"]] == [row["value"] for row in read.tables["plan.bytes"]]
    assert read.frame("revealed")["what"].tolist()[0] == "price"


def test_arrays_reach_processes_and_no_other_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their values come with each owner's own order: they are in no file and no record, unless they are revealed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "async def total(p, x, n):\n"
        "    (told,) = await p.reveal(x[0] + x[1], what='total', why='agreed', label='total')\n"
        "    return told, n[0] + n[1]\n"
        "def total_reference(x, n):\n"
        "    return x[0] + x[1], None\n",
        encoding="utf-8",
    )
    given = {"north": [[1234.5, -2.25], [7]], "south": [[0.5, 98765.25], [-9]]}
    done = beaverlodge.simulate("own.py:total", given, processes=True, trace=False, scale=16)
    assert done.owners == ("north", "south")
    assert done.result["0"].tolist() == [1235.0, 98763.0] and done.difference == 0.0
    assert done.result["1"] == StaysShared((1,), 0, 64)
    assert done.folder is not None
    secrets = [f"{value:g}" for value in (1234.5, 98765.25)]
    secrets += [(int(value * 2**16)).to_bytes(8, "little").hex() for value in (1234.5, 98765.25)]
    for path in done.folder.iterdir():
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [secret for secret in secrets if secret in text], path


def test_an_owners_process_has_its_own_arrays_alone() -> None:
    from parties.cli.run_locally import orders
    from tests.parties.tasks.program.runs import scenario

    given = {"owner0": ("00" * 16,), "owner1": ("ff" * 16,)}
    found = orders(scenario("auction.py:auction", 2, "given:2").model_copy(update={"given": given}))
    assert {name: order.get("given") for name, order in found.items()} == {**given, "helper": None}


def test_given_arrays_are_for_python_alone() -> None:
    from tests.parties.tasks.program.runs import simulated

    with pytest.raises(UsageError, match="arrays are for that somebody has in Python"):
        simulated("auction.py:auction", 3, "given:2")


def test_a_cancelled_cell_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C during a run ends the call with KeyboardInterrupt, and all that it started; what follows goes on."""
    code = (
        "import beaverlodge, psutil, threading\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"  # a notebook's process has some
        "from mpc.testing import reals\n"
        "try:\n"
        "    inputs = [reals((2,), scale=20, largest=100)]\n"
        f"    beaverlodge.simulate({AUCTION!r}, inputs, processes=True, network='mobile')\n"
        "except KeyboardInterrupt:\n"
        "    print('cancelled', psutil.Process().children(recursive=True))\n"
    )
    cell = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    started: list[psutil.Process] = []
    while len(started) < 5 and cell.poll() is None and time.monotonic() < until:  # 3 owners, helper, network
        time.sleep(0.02)
        started = psutil.Process(cell.pid).children()
    assert len(started) == 5
    cell.send_signal(signal.SIGINT)
    said, errors = cell.communicate(timeout=30)
    assert said == "cancelled []\n", errors
    assert not any(one.is_running() for one in started)
