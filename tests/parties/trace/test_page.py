"""A recorded run, read back: totals that add up, a page that loads nothing, and Chrome's format."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from mpc.errors import UsageError
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import make_plan
from mpc.runtime.round_tracer import RoundTracer
from parties.base.trace_file import TraceFile, trace_path
from parties.scenario.network import NetworkSpec
from parties.session.traced import plan_facts
from parties.trace.chrome import chrome_trace
from parties.trace.lanes import Lane, read_lanes
from parties.trace.page import trace_html
from parties.trace.totals import by_label, spent
from tests.mpc.kit import entropy, owners
from tests.mpc.runtime.test_round_tracer import squares


def record(folder: Path, *, n: int = 2, values: bool = False) -> Path:
    """A lockstep run, recorded as processes record theirs."""
    names = (*owners(n), "helper")
    tracers = {name: RoundTracer(name, TraceFile(trace_path(folder, name)), values=values) for name in names}
    plan = make_plan(squares, owners(n), "helper")
    for tracer in tracers.values():
        tracer.planned(plan_facts(plan, NetworkSpec(latency_ms=10.0)))
    run_lockstep(dict.fromkeys(owners(n), squares), plan, entropy=entropy(n), tracers=tracers)
    for tracer in tracers.values():
        tracer.close()
    return folder


@pytest.fixture
def lanes(tmp_path: Path) -> list[Lane]:
    return read_lanes(record(tmp_path))


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    record(tmp_path)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.trace")} == {0o600}


def test_what_time_went_to_adds_up(lanes: list[Lane]) -> None:
    assert [lane.party for lane in lanes] == ["hospital_a", "hospital_b", "helper"]
    for lane in lanes:
        assert lane.finished is not None or lane.party == "helper"
        one = spent(lane)
        assert one.total == (lane.finished or lane.last) - (lane.started or 0)
        assert min(one.computing, one.sending, one.waiting, one.dealing) >= 0
    assert spent(lanes[2]).dealing > 0
    assert spent(lanes[1]).dealing > 0 == spent(lanes[0]).dealing


def test_labels_have_their_rounds_bytes_and_lines(lanes: list[Lane]) -> None:
    rows = {row.label: row for row in by_label(lanes)}
    assert {label: (row.rounds, row.sent) for label, row in rows.items()} == {
        "first + second": (1, 48 + 4 * 16),
        "total": (1, 48 + 16),
    }
    assert rows["first + second"].draws == {"MultiplyTriple": 2}
    assert all(re.match(r"test_round_tracer.py:\d+$", place) for row in rows.values() for place in row.places)


def test_the_page_loads_nothing_and_runs_only_its_own_script(tmp_path: Path) -> None:
    page = trace_html(read_lanes(record(tmp_path)), {"scenario": {"name": "<b>study</b>"}})
    assert "<b>study" not in page
    assert not re.search(r"""(src|href)\s*=|url\(|@import|import\(|fetch\(|XMLHttp""", page)
    assert re.search(r"default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src", page)
    assert "Planned for the scenario&#x27;s network (20 ms round trip, no limit)" in page
    assert "INSECURE" not in page


def test_the_plan_is_what_was_measured(lanes: list[Lane]) -> None:
    page = trace_html(lanes, {})
    rows = re.findall(r'<th scope="row">(\w+)</th><td class="n">(\S+)</td><td class="n">(\S+)</td>'
                      r'<td class="n">(\d+)</td><td class="n">(\d+)</td></tr>', page)  # fmt: skip
    assert [row[0] for row in rows] == ["hospital_a", "hospital_b", "helper"]
    assert all(row[1:3] in {("2", "2"), ("-", "-")} and row[3] == row[4] for row in rows)


def test_chromes_format_has_pieces_and_messages(lanes: list[Lane]) -> None:
    events = json.loads(chrome_trace(lanes))["traceEvents"]
    names = {event["args"]["name"]: event["tid"] for event in events if event["ph"] == "M"}
    rounds = [event for event in events if event.get("cat") == "round"]
    assert [(one["tid"], one["name"]) for one in rounds] == [
        (names[party], label) for party in ("hospital_a", "hospital_b") for label in ("first + second", "total")
    ]
    assert all(event["dur"] >= 0 for event in events if event["ph"] == "X")
    starts, ends = ({event["id"]: event for event in events if event["ph"] == kind} for kind in "sf")
    assert len(starts) == 4 and starts.keys() == ends.keys()
    assert all(starts[k]["ts"] <= ends[k]["ts"] and starts[k]["tid"] != ends[k]["tid"] for k in starts)


def test_a_record_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = trace_path(record(tmp_path), "hospital_b")
    path.write_bytes(path.read_bytes()[:-30])
    page = trace_html(read_lanes(tmp_path), {})
    assert "The record of hospital_b is cut off" in page


@pytest.mark.parametrize("content", [b"junk\n", b'{"party":"hospital_b","events":[["round",1]]}\n', b"[]\n"])
def test_a_damaged_record_says_so(tmp_path: Path, content: bytes) -> None:
    path = trace_path(record(tmp_path), "hospital_b")
    path.write_bytes(path.read_bytes() + content)
    with pytest.raises(UsageError, match=r"hospital_b\.trace"):
        read_lanes(tmp_path)


def test_a_run_that_was_not_recorded_says_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no record of rounds") as told:
        read_lanes(tmp_path)
    assert "--trace" in (told.value.hint or "")


def test_an_owners_fault_is_in_the_record(tmp_path: Path) -> None:
    async def stuck(p: Party) -> None:
        await squares(p)
        raise UsageError("no more", party=p.name)

    tracer = RoundTracer("hospital_a", TraceFile(trace_path(tmp_path, "hospital_a")))
    with pytest.raises(UsageError) as error:
        run_lockstep(
            dict.fromkeys(owners(2), stuck),
            make_plan(squares, owners(2), "helper"),
            entropy=entropy(2),
            tracers={"hospital_a": tracer},
        )
    tracer.failed(error.value)
    tracer.close()
    page = trace_html(read_lanes(tmp_path), {})
    assert "hospital_a ended with &#x27;usage&#x27; about hospital_a." in page
