"""What one's own protocol is given and gives, in one thread; and what its author is told of a mistake in it."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import BeaverlodgeError, DataError, PeerLostError, UsageError
from parties.report.plan import plan_json, plan_tables
from parties.report.record import add_comparison, record_of
from parties.report.summary import plan_differences, summary_blocks
from parties.scenario.program import read_program
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Line
from parties.tasks.own_code import authors_error
from parties.tasks.registry import planned
from parties.trace.lanes import read_lanes
from parties.trace.values import amiss, values_of
from tests.helpers import ROOT
from tests.parties.tasks.program.own.median import median_reference
from tests.parties.tasks.program.runs import OWN, line_with, scenario, simulated, values

MISTAKES = OWN / "mistakes.py"


def text_of(record: dict[str, Any]) -> str:
    """The summary's sentences."""
    return " ".join(block.text for block in summary_blocks(record, Path("runs/x")) if isinstance(block, Line))


@pytest.mark.parametrize("owners", [2, 3, 5])
@pytest.mark.parametrize(
    "named, given, rounds",
    [
        ("auction.py:auction", "reals:2", lambda n: 16 * n - 14),
        ("median.py:median", "integers:3,low=-9,high=9", lambda n: 18),
        ("similarity.py:similarity", "reals:4,scale=16", lambda n: 2),
    ],
)
def test_protocols_that_the_project_does_not_ship(named: str, given: str, rounds: Any, owners: int) -> None:
    record = simulated(named, owners, given)
    assert sum(party["role"] == "owner" for party in record["parties"].values()) == owners
    assert record["plan"]["rounds"] == rounds(owners)
    assert plan_differences(record) == []
    assert [one["difference"] for one in record["comparison"]["results"]] == [0.0] * len(values(record))
    assert "the largest difference is 0" in text_of(record)
    assert "rows" not in text_of(record).lower().replace("rows and columns", "")


def test_inputs_are_drawn_from_the_seed_alone() -> None:
    one, same, other = (simulated("median.py:median", 3, "reals:3", seed=seed) for seed in (1, 1, 2))
    assert values(one) == values(same) != values(other)
    assert values(one) == values(simulated("median.py:median", 3, "reals:3", seed=1, insecure_seed=8))
    assert one["program"]["inputs"] == [{"input": "reals:3", "shapes": [[3], [3], [3]]}]


def test_tables_have_the_columns_that_all_owners_have(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("name,x,extra,y\nanna,1,7,2\nbob,3,7,4.5\nzoe,-5,7,6\n")
    files[1].write_text("y,x\n0.25,10\n1,20\n")
    (tmp_path / "sums.py").write_text(
        "async def sums(p, x):\n"
        "    (s,) = await p.reveal(x[0].sum(0) + x[1].sum(0), what='sums', why='agreed', label='sums')\n"
        "    return s, [one.shape[0] for one in x]\n\n\n"
        "def sums_reference(x):\n    return sum(one.sum(0) for one in x), [len(one) for one in x]\n"
    )
    record = simulated(str(tmp_path / "sums.py:sums"), None, files=tuple(files))
    assert values(record) == {"0": [29.0, 13.75], "1.0": 3, "1.1": 2}
    assert record["rows"] == {"owner0": {"train": 3, "test": 0}, "owner1": {"train": 2, "test": 0}}
    assert record["program"]["inputs"] == [{"input": "table", "shapes": [[3, 2], [2, 2]]}]
    assert [one["difference"] for one in record["comparison"]["results"]] == [0.0] * 3
    one = simulated(str(tmp_path / "sums.py:sums"), None, files=tuple(files), columns=("y",))
    assert values(one)["0"] == [13.75]


@pytest.mark.parametrize(
    "text, message",
    [
        ("x,y\n1,2\n3,\n", "owner1, b.csv: column 'y' has no value in data row 2"),
        ("x,y\n1,2\n3,1e13\n", "owner1, b.csv: column 'y' holds a value beyond 2^40"),
        ("x,y\n1,2\n3,4 mg\n4,1\n", "owner1, b.csv: column 'y' is not numeric: data row 2"),
        ("x\nanna\nbob\n", "owner1, b.csv: there is no column of numbers"),
    ],
)
def test_a_table_that_is_not_of_numbers_is_refused(tmp_path: Path, text: str, message: str) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    files[0].write_text("x,y\n1,2\n")
    files[1].write_text(text)
    with pytest.raises(DataError) as caught:
        simulated("median.py:median", None, files=tuple(files))
    assert message in caught.value.message


@pytest.mark.parametrize(
    "function, message, line",
    [
        ("raises", "owner1: {file}, line {line}, after round 1 ('multiply'): ValueError: of the author", "raise Value"),
        (
            "looks",
            "{file}, line {line}, while it was planned, before the first round: a protocol cannot look at a value",
            "> 3:",
        ),
        (
            "opens_twice",
            "{file}, line {line}, while it was planned, after round 1 ('one'): a mask was used twice",
            'label="two"',
        ),
        (
            "sleeps",
            "{file}, line {line}, while it was planned, before the first round: TypeError: it awaits a NoneType",
            "sleep(0)",
        ),
        ("leaves", "owner0: {file}, line {line}, before the first round: SystemExit: 0", "SystemExit(0)"),
        ("returns_text", "{file}, returns_text: it returns a str", ""),
        ("does_more", "opened 1 values in 'more', where its plan has 0", ""),
        ("takes_two", "{file}, line {line}: takes_two(p, x, y) is given 2 values", "def takes_two"),
    ],
)
def test_a_mistake_is_told_by_the_authors_line(function: str, message: str, line: str) -> None:
    number = line_with(line) if line else 0
    with pytest.raises(UsageError) as caught:
        simulated(f"mistakes.py:{function}", 3, "reals:5")
    assert message.format(file=MISTAKES, line=number) in caught.value.message
    if line and function != "takes_two":
        assert MISTAKES.read_text().splitlines()[number - 1].strip() in caught.value.hint


def test_an_error_that_the_author_meant_stays_what_it_is() -> None:
    with pytest.raises(DataError, match="no such values") as caught:
        simulated("mistakes.py:refuses", 2, "reals:5")
    assert f"raised in {MISTAKES}, line {line_with('no such values')}, before the first round" in caught.value.hint


def test_a_file_that_fails_as_it_is_loaded_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import json\njson.loads('{')\n\nasync def f(p, x):\n    return None\n")
    with pytest.raises(UsageError, match=r"own\.py, line 2, as the file was loaded: JSONDecodeError"):
        simulated(f"{tmp_path / 'own.py'}:f", 2, "reals:5")


def test_what_each_owner_has_for_itself_stands_under_its_name() -> None:
    record = simulated("mistakes.py:mixed", 2, "reals:1,scale=2")
    opened, kept, mine = record["program"]["results"]
    assert (opened["name"], opened["kind"], opened["shape"]) == ("opened", "public", [1])
    assert kept == {"name": "kept", "kind": "share", "shape": [1], "scale": 2, "bits": 64}
    assert {owner: one["values"] for owner, one in mine["by_owner"].items()} == {"owner0": 0, "owner1": 1}
    assert record["comparison"]["results"] == [
        {"name": "opened", "difference": 1.0},
        {"name": "kept", "why": "it stays shared"},
        {"name": "mine", "why": "the reference does not give it"},
    ]
    assert "the largest difference is 1." in text_of(record)
    assert "'mine' was not compared with mixed_reference: the reference does not give it." in text_of(record)


def test_two_recipients_that_are_swapped_are_told_on_every_page(tmp_path: Path) -> None:
    """No label, sender or size differs from the plan's, which is a run of the same mistake: the reference shows it."""
    for function, found in (("right", []), ("swapped", [("owner0", "owner1"), ("owner1", "owner0")])):
        one = scenario(f"recipients.py:{function}", 3, "reals:2")
        folder = tmp_path / function
        folder.mkdir()
        record = add_comparison(one, record_of(one, run_in_one_thread(one, folder)))
        (result,) = record["comparison"]["results"]
        assert list(result.get("swapped", {}).items()) == found
        lines = list(amiss(values_of(read_lanes(folder), record)))
        said = [f"{owner} was told what right_reference gives {other}." for owner, other in found]
        assert [line.partition("'rest': ")[2] for line in lines] == said
        assert all(f"{owner} has as 'result' what" in text_of(record) for owner, _ in found)


def test_a_reference_that_fails_is_told_and_the_run_is_done() -> None:
    record = simulated("mistakes.py:tells_each", 2, "reals:3")
    assert record["status"] == "ok"
    line = line_with("of the reference")
    assert record["comparison"]["failed"] == f"line {line}: ValueError: of the reference"
    assert "Not compared: tells_each_reference failed" in text_of(record)


def test_exact_results() -> None:
    """Of bits and whole numbers no digit is lost, as it would be in float64."""
    record = simulated("exact.py:exact", 2, f"integers:1,low={2**61 - 1},high={2**61 - 1}", "bits:64")
    number, bits = values(record)["0"], values(record)["1"]
    assert number == [2**61 - 1]
    assert set(bits) == {0, 1}


def test_the_plan_says_what_is_run() -> None:
    one = scenario("median.py:median", 3, "reals:5,scale=10")
    settings, plan = planned(one)
    said = " ".join(block.text for block in plan_tables(plan, settings, one) if isinstance(block, Line))
    assert "3 owners and a helper run median of median.py" in said
    assert one.program is not None and one.program.sha256 in said
    facts = plan_json(plan, settings, one)
    assert facts["scenario"]["program"] == {"function": "median", "sha256": one.program.sha256}
    assert facts["shapes"] == [[[5], [5], [5]]]
    assert facts["rounds"] == 18


def test_the_reference_gets_what_the_ring_elements_hold() -> None:
    """At scale 0 reals are rounded: the reference, which gets rounded ones, agrees."""
    record = simulated("median.py:median", 3, "reals:3,scale=0,largest=5")
    (found,) = values(record)["result"]
    assert found == math.floor(found)
    assert record["comparison"]["results"][0]["difference"] == 0.0


def test_wrong_numbers_of_files_and_inputs_are_refused(tmp_path: Path) -> None:
    for inputs, more, message in (
        ((), {}, "the owners give nothing"),
        (("table",), {}, "there are none"),
        ((), {"files": (tmp_path / "a.csv",)}, "at least two"),
    ):
        with pytest.raises(BeaverlodgeError) as caught:
            simulated("median.py:median", None, *inputs, **more)
        assert message in f"{caught.value}"
    with pytest.raises(UsageError, match="3 owners need 3 files, not 2"):
        simulated("median.py:median", 3, files=(tmp_path / "a.csv", tmp_path / "b.csv"))


def test_rounds_that_do_not_meet_are_told(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "async def f(p, x):\n    await p.reveal(x[0], what='a', why='b', label='c' if p.index else 'd')\n"
    )
    with pytest.raises(PeerLostError, match=r"waits for owner. in '[cd]'"):
        simulated(f"{tmp_path / 'own.py'}:f", 2, "reals:5")


def test_the_median_is_that_of_the_drawn_numbers() -> None:
    """Beside numpy itself, on the numbers that the comparison draws."""
    from parties.tasks.program.compare import plain_inputs

    one = scenario("median.py:median", 3, "reals:3")
    (drawn,) = plain_inputs(one)
    assert len(drawn) == 3 and len({part.tobytes() for part in drawn}) == 3
    assert np.all(np.abs(np.concatenate(drawn)) <= 100)
    assert values(simulated("median.py:median", 3, "reals:3"))["result"] == median_reference(drawn).tolist()


def test_one_thread_needs_no_sockets_and_no_database() -> None:
    """Neither zmq, DuckDB nor what copies processes is imported for it, nor what the kit alone needs."""
    code = (
        "import sys\n"
        "from tests.parties.tasks.program.runs import simulated\n"
        "assert simulated('auction.py:auction', 3, 'reals:2')['status'] == 'ok'\n"
        "found = {'zmq', 'duckdb', 'hypothesis', 'parties.processes.fork'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


def test_beside_real_data_an_errors_text_stays_out_of_logs() -> None:
    """As `mpc party` runs a file: Python's own texts name the value."""
    program = read_program(f"{OWN / 'median.py'}:median", alone=True)
    error = authors_error(program, ValueError("patient 4711 is 93"), "after round 1 ('multiply')", "owner1")
    assert "after round 1 ('multiply'): ValueError" in error.message and "4711" not in f"{error.message}{error.hint}"
    planned = authors_error(program, ValueError("shapes (2,) and (3,)"), "while it was planned", "")
    assert "shapes (2,) and (3,)" in planned.message
