"""Every way that a party's process can end, or not end, and that nothing of a run is ever left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from mpc.errors import (
    BeaverlodgeError,
    DataError,
    InternalError,
    InterruptedRun,
    PeerLostError,
    ProtocolError,
    UsageError,
)
from parties.base.events import Event, LineBuffer, MalformedEvent, decode_event
from parties.base.reporter import Reporter
from parties.processes import child as children
from parties.processes.child import Program
from parties.processes.launcher import launch
from parties.processes.party.lifeline import Lifeline
from tests.helpers import ROOT

FAKE = Program("tests.parties.fake_member")
IN_TIME = 10.0  # 5 to be gone in, and the start of all processes on a busy machine
HOW = ["new", "copy"]
"""A party's process: a new one, or a copy of the launcher's."""
Order = Mapping[str, Any]
SUCCEED: Order = {"act": "succeed"}
HANG: Order = {"act": "hang"}
STOP: Order = {"act": "stop_self"}
LOST: Order = {
    "act": "fail",
    "code": "peer-lost",
    "message": "lost contact with c",
    "party": "c",
    "first_hand": False,
}
BAD_DATA: Order = {
    "act": "fail",
    "code": "data",
    "message": "b has no column x",
    "party": "b",
    "first_hand": True,
}


pytestmark = pytest.mark.usefixtures("nothing_left")


class Events:
    """Keeps what the launcher relays."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Event]] = []

    def __call__(self, name: str, event: Event) -> None:
        self.all.append((name, event))

    def of(self, kind: str) -> list[tuple[str, Event]]:
        return [(name, event) for name, event in self.all if event["event"] == kind]


def run(out: Path, orders: Mapping[str, Order], **options: Any) -> dict[str, dict[str, Any]]:
    options = {"on_event": Events(), "program": FAKE, **options}
    return launch(out / "s.toml", orders, lambda: orders, out=out, **options)


def fail(out: Path, orders: Mapping[str, Order], **options: Any) -> BeaverlodgeError:
    """The error of a run that is to fail, and to fail in time."""
    start = time.monotonic()
    with pytest.raises(BeaverlodgeError) as caught:
        run(out, orders, **options)
    assert time.monotonic() - start < IN_TIME
    return caught.value


@pytest.fixture
def all_causes(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, every party's word is waited for."""
    monkeypatch.setattr("parties.processes.launcher.CAUSE_PATIENCE", 60.0)


@pytest.fixture
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less time for what will not end by itself anyway."""
    monkeypatch.setattr("parties.processes.children.RELEASE_PATIENCE", 0.1)


def test_all_succeed(tmp_path: Path) -> None:
    events = Events()
    orders = {"a": {**SUCCEED, "keys": {"secret": "k"}}, "b": SUCCEED, "c": SUCCEED}
    results = run(tmp_path, orders, on_event=events)
    assert list(results) == ["a", "b", "c"]
    assert results["b"]["peers"] == {name: f"tcp://127.0.0.1/{name}" for name in "abc"}
    assert results["b"]["argv"][1:] == ["--as", "b", str(tmp_path / "s.toml")]
    assert [results[name]["keys"] for name in "abc"] == [{"secret": "k"}, None, None]
    assert [name for name, _ in sorted(events.of("listening"))] == ["a", "b", "c"]
    pids = {name: event["pid"] for name, event in events.of("started")}
    assert {name: int((tmp_path / f"{name}.pid").read_text()) for name in "abc"} == pids
    assert len(set(pids.values())) == 3
    assert list(tmp_path.glob("*.stderr")) == []


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    (tmp_path / "random.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    order = {"act": "threads"}
    results = run(tmp_path, {"a": order, "b": order}, environments={"b": {"EXTRA": "1"}})
    assert results == {
        "a": {"OPENBLAS_NUM_THREADS": "1", "EXTRA": None},
        "b": {"OPENBLAS_NUM_THREADS": "1", "EXTRA": "1"},
    }


@pytest.mark.usefixtures("all_causes")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_party_is_the_cause(tmp_path: Path, number: signal.Signals) -> None:
    error = fail(tmp_path, {"a": LOST, "b": HANG, "c": {"act": "kill_self", "signal": number}})
    assert isinstance(error, PeerLostError)
    assert (error.party, error.message) == ("c", f"c was killed (signal {number.value})")
    assert "c.log" in error.hint


@pytest.mark.usefixtures("all_causes")
def test_a_killed_party_explains_a_failure_reported_before(tmp_path: Path) -> None:
    def kill_c_after_the_report(name: str, event: Event) -> None:
        if event["event"] == "failed":
            os.kill(int((tmp_path / "c.pid").read_text()), signal.SIGKILL)

    orders = {"a": {**LOST, "then": "hang"}, "c": HANG}
    error = fail(tmp_path, orders, on_event=kill_c_after_the_report)
    assert error.message == "c was killed (signal 9)"


@pytest.mark.usefixtures("all_causes")
def test_the_first_hand_failure_is_the_cause(tmp_path: Path) -> None:
    error = fail(tmp_path, {"a": LOST, "b": {**BAD_DATA, "delay": 0.2}})
    assert isinstance(error, DataError)
    assert (error.party, error.message) == ("b", "b has no column x")


def test_a_failure_before_the_parties_meet(tmp_path: Path) -> None:
    order: Order = {
        **BAD_DATA,
        "act": "fail_early",
        "message": "no column x",
        "party": None,
        "hint": "add it",
    }
    error = fail(tmp_path, {"a": HANG, "b": order})
    assert isinstance(error, DataError)
    assert (error.party, error.message, error.hint) == ("b", "b: no column x", "add it")


def test_second_hand_if_there_is_nothing_better(tmp_path: Path) -> None:
    error = fail(tmp_path, {"a": LOST, "c": HANG})
    assert isinstance(error, PeerLostError)
    assert (error.party, error.message) == ("c", "lost contact with c")


def test_an_unknown_code_is_internal(tmp_path: Path) -> None:
    error = {"code": "?", "party": None, "message": "a broke", "hint": None}
    event = {"event": "failed", "error": error, "exit_code": 99, "first_hand": True}
    raised = fail(tmp_path, {"a": {"act": "raw", "lines": json.dumps(event) + "\n"}})
    assert (raised.code, raised.message, raised.party) == ("internal", "a broke", "a")


def test_a_crash_quotes_the_last_line(tmp_path: Path) -> None:
    error = fail(tmp_path, {"a": HANG, "b": {"act": "crash"}})
    assert isinstance(error, PeerLostError)
    assert error.message == "b ended with exit code 1: ValueError: a planted bug"
    assert "Traceback" in (tmp_path / "b.stderr").read_text()
    assert not (tmp_path / "a.stderr").exists()


@pytest.mark.parametrize("code, kind", [(0, InternalError), (3, PeerLostError)])
def test_an_end_without_a_word(tmp_path: Path, code: int, kind: type[BeaverlodgeError]) -> None:
    error = fail(tmp_path, {"a": HANG, "b": {"act": "exit", "code": code}})
    assert type(error) is kind
    assert error.party == "b"


def test_a_module_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PeerLostError, match="No module named"):
        run(tmp_path, {"a": {}}, program=Program("tests.parties.nobody"))


def test_an_out_that_is_not_there(tmp_path: Path) -> None:
    error = fail(tmp_path / "nowhere", {"a": SUCCEED})
    assert isinstance(error, UsageError)
    assert error.party == "a"


def test_killed_after_it_was_done(tmp_path: Path) -> None:
    events = Events()
    results = run(tmp_path, {"a": SUCCEED, "b": {"act": "done_then_kill_self"}}, on_event=events)
    assert set(results) == {"a", "b"}
    [(name, event)] = events.of("log")
    assert (name, event["text"]) == ("b", "after it was done: b was killed (signal 9)")


@pytest.mark.usefixtures("all_causes")
def test_killed_after_it_was_done_explains_a_peer(tmp_path: Path) -> None:
    orders = {"a": {**LOST, "delay": 0.3}, "b": {"act": "done_then_kill_self"}}
    assert fail(tmp_path, orders).message == "b was killed (signal 9)"


def test_staying_after_it_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parties.processes.launcher.EXIT_PATIENCE", 0.3)
    events = Events()
    results = run(tmp_path, {"a": {"act": "done_then_stay"}, "b": SUCCEED}, on_event=events)
    assert set(results) == {"a", "b"}
    assert "did not end by itself" in events.of("log")[0][1]["text"]


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\x00\xff",
        b"[" * 100_000,
        b"9" * 10_000,
        b"[]",
        b"{}",
        b'{"event":["done"]}',
        b'{"event":"unheard-of"}',
        b'{"event":"done","result":7}',
        b'{"event":"failed","error":{"code":4},"exit_code":4,"first_hand":true}',
        b'{"event":"stage","stage":"x","done":"1","total":2}',
    ],
)
def test_what_is_no_event(line: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_event(line)


def test_a_malformed_line(tmp_path: Path) -> None:
    lines = 'garbage\n{"event":"done","result":{}}\n'
    error = fail(tmp_path, {"a": HANG, "b": {"act": "raw", "lines": lines, "then": "hang"}})
    assert isinstance(error, InternalError)
    assert error.party == "b"
    assert "b sent its launcher a line that is no event" in error.message


def test_a_line_in_pieces(tmp_path: Path) -> None:
    lines = '{"event":"log","level":"info","text":"é"}\n{"event":"done","result":{"x":1}}\n'
    events = Events()
    results = run(tmp_path, {"a": {"act": "raw", "lines": lines, "piece": 1}}, on_event=events)
    assert results == {"a": {"x": 1}}
    assert events.of("log") == [("a", {"event": "log", "level": "info", "text": "é"})]


def test_a_line_without_its_end_is_no_result(tmp_path: Path) -> None:
    lines = '{"event":"done","result":{}}'
    assert fail(tmp_path, {"a": {"act": "raw", "lines": lines}}).message == "a ended without a result"


def test_a_huge_event_and_many(tmp_path: Path) -> None:
    events = Events()
    size, count = 5_000_000, 2_000
    orders = {"a": {"act": "huge", "size": size}, "b": {"act": "many", "count": count}}
    results = run(tmp_path, orders, on_event=events)
    assert len(results["a"]["text"]) == size
    assert [event["text"] for _, event in events.of("log")] == [str(number) for number in range(count)]


def test_a_huge_order_to_a_party_that_does_not_read(tmp_path: Path) -> None:
    big = "x" * 1_000_000
    results = run(tmp_path, {"a": {**SUCCEED, "keys": {"big": big}}, "b": SUCCEED})
    assert results["a"]["keys"] == {"big": big}
    order: Order = {"act": "crash", "keys": {"big": big}}
    assert fail(tmp_path, {"a": order, "b": {**HANG, "keys": order}}).party == "a"


def test_a_callback_that_raises(tmp_path: Path) -> None:
    def broken(name: str, event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(tmp_path, {"a": HANG, "b": HANG}, on_event=broken)


@pytest.mark.usefixtures("all_causes", "short_farewell")
def test_without_exit_descriptors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(pid: int) -> None:
        return None

    monkeypatch.setattr(children, "_exit_descriptor", none)
    assert set(run(tmp_path, {"a": SUCCEED, "b": SUCCEED})) == {"a", "b"}
    error = fail(tmp_path, {"a": LOST, "b": {"act": "kill_self"}, "c": STOP})
    assert error.message == "b was killed (signal 9)"


@pytest.mark.usefixtures("short_farewell")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_this_process(tmp_path: Path, number: signal.Signals, request: pytest.FixtureRequest) -> None:
    # Whoever starts the tests with `nohup` has SIGHUP ignored, and the launcher rightly leaves it so.
    before = signal.signal(number, signal.getsignal(signal.SIGTERM))
    request.addfinalizer(lambda: signal.signal(number, before))
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def interrupt(name: str, event: Event) -> None:
        if event["event"] == "stage":
            os.kill(os.getpid(), number)

    # The handler that is there by default for SIGHUP would end the tests, were it not replaced.
    error = fail(tmp_path, {"a": HANG, "b": STOP}, on_event=interrupt)
    assert isinstance(error, InterruptedRun)
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == handlers
    assert signal.set_wakeup_fd(-1) == -1


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; an ended orphan may be a zombie until the system's init takes it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Launcher:
    """A launcher in a process and a group of its own, and its children once all of them are at work."""

    def __init__(self, how: str, out: Path, orders: Mapping[str, Order]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.parties.launch_fakes", how, str(out), json.dumps([orders])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.lines = self.process.stdout
        waiting = len(orders)
        while waiting:
            line = self.lines.readline()
            assert line, "the launcher ended before its children were at work"
            waiting -= '"training"' in line
        self.children = psutil.Process(self.process.pid).children(recursive=True)
        assert len(self.children) == len(orders)

    def end(self) -> tuple[int, str]:
        """Its exit code and last line, once it and all its children are gone, in time."""
        code = self.process.wait(IN_TIME)
        text = self.lines.read()
        self.lines.close()
        until = time.monotonic() + IN_TIME
        while any(is_alive(child) for child in self.children):
            assert time.monotonic() < until, "a child outlived its launcher"
            time.sleep(0.01)
        return code, (text.splitlines() or [""])[-1]


@pytest.mark.parametrize("how", HOW)
def test_the_launcher_is_killed(how: str, tmp_path: Path) -> None:
    orders = {"a": {"act": "hang_hard"}, "b": HANG, "c": STOP}
    launcher = Launcher(how, tmp_path, orders)
    launcher.process.kill()
    assert launcher.end()[0] == -signal.SIGKILL


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("variable", ["FAKE_UNBOUND", "FAKE_DEAF"])
def test_each_bond_holds_alone(how: str, tmp_path: Path, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if variable == "FAKE_DEAF" and sys.platform != "linux":
        pytest.skip("only Linux kills a process when its parent dies")
    monkeypatch.setenv(variable, "1")
    launcher = Launcher(how, tmp_path, {"a": HANG, "b": HANG})
    launcher.process.kill()
    launcher.end()


@pytest.mark.parametrize("how", HOW)
def test_ctrl_c_reaches_the_whole_group(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_DEAF", "1")
    orders = {"a": {"act": "hang_hard"}, "b": HANG, "c": STOP}
    launcher = Launcher(how, tmp_path, orders)
    os.killpg(launcher.process.pid, signal.SIGINT)
    code, last = launcher.end()
    assert code == 130
    assert json.loads(last)["code"] == "interrupted"


def test_line_buffer() -> None:
    lines = LineBuffer(limit=10)
    assert lines.feed(b"ab") == []
    assert lines.feed(b"c\nde\n\nf") == [b"abc", b"de", b""]
    assert lines.feed(b"\n") == [b"f"]
    with pytest.raises(MalformedEvent):
        lines.feed(b"x" * 11)


def test_lifeline_and_its_end() -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    lifeline = Lifeline(reading, on_end=ended.set)
    os.write(writing, b'{"name":')
    os.write(writing, b'"a"}\n{"peers":{"b":"tcp://x"}}\n')
    assert lifeline.order() == {"name": "a"}
    assert lifeline.peers() == {"b": "tcp://x"}
    assert not ended.is_set()
    os.close(writing)
    assert ended.wait(IN_TIME)
    with pytest.raises(PeerLostError):
        lifeline.order()
    os.close(reading)


@pytest.mark.parametrize("line", [b"x\n", b"[]\n", b"{}\n"])
def test_lifeline_refuses_nonsense(line: bytes) -> None:
    reading, writing = os.pipe()
    ended = threading.Event()
    lifeline = Lifeline(reading, on_end=ended.set)
    os.write(writing, line)
    with pytest.raises(InternalError):
        lifeline.peers()
    os.close(writing)
    assert ended.wait(IN_TIME)
    os.close(reading)


def test_reporter_sends_few_of_many_steps() -> None:
    sent: list[Event] = []
    reporter = Reporter(sent.append)
    for step in range(1, 10_001):
        reporter.stage("training", step, 10_000)
    reporter.stage("evaluation", 0, 1)
    assert sent[0] == {"event": "stage", "stage": "training", "done": 1, "total": 10_000}
    assert [event["done"] for event in sent[-2:]] == [10_000, 0]
    assert len(sent) < 1_000
    reporter.failed(ProtocolError("bad", "look", party="b"), first_hand=True)
    error = {"code": "protocol", "party": "b", "message": "bad", "hint": "look"}
    assert sent[-1] == {"event": "failed", "error": {**error, "joint": False}, "exit_code": 6, "first_hand": True}


def test_reporter_needs_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BEAVERLODGE_EVENTS_FD", raising=False)
    with pytest.raises(InternalError):
        Reporter.to_launcher()
