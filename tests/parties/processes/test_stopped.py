"""A party that was stopped by a signal is named, whatever it was at; a busy one is waited for."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from mpc.errors import DataError, PeerLostError
from parties.base.events import Event
from parties.processes.child import start_child
from parties.processes.stopped import LOOK, Stopped
from tests.parties.processes.test_launcher import BAD_DATA, FAKE, HANG, LOST, STOP, SUCCEED, Events, Order, fail, run

pytestmark = [
    pytest.mark.usefixtures("short_farewell"),
    pytest.mark.skipif(sys.platform != "linux", reason="nobody tells what was stopped"),
]
SHORT = 0.4


@pytest.fixture
def short_farewell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less time for what will not end by itself anyway."""
    monkeypatch.setattr("parties.processes.children.RELEASE_PATIENCE", 0.1)


@pytest.mark.parametrize("peers", [{"a": HANG, "b": HANG}, {"a": SUCCEED, "b": SUCCEED}, {}], ids=str)
@pytest.mark.parametrize("order, stage", [({"act": "stop_early"}, "starting"), (STOP, "training 3/40")])
def test_it_is_the_cause(tmp_path: Path, order: Order, stage: str, peers: dict[str, Order]) -> None:
    error = fail(tmp_path, {**peers, "c": order}, patience=SHORT)
    assert isinstance(error, PeerLostError)
    assert (error.party, error.message) == ("c", f"c was stopped by a signal, in '{stage}'")
    assert "0.4 s (session.deadline)" in error.hint


def test_it_explains_a_peer_that_waits_in_vain(tmp_path: Path) -> None:
    assert fail(tmp_path, {"a": LOST, "c": STOP}).message == "c was stopped by a signal, in 'training 3/40'"
    assert isinstance(fail(tmp_path, {"a": BAD_DATA, "c": STOP}), DataError)


def test_it_may_go_on(tmp_path: Path) -> None:
    told: list[str] = []

    def let_go_on(name: str, event: Event) -> None:
        if event["event"] == "log" and "stopped by a signal" in event["text"]:
            told.append(name)
            os.kill(int(event["text"].split()[-1]), signal.SIGCONT)

    results = run(tmp_path, {"a": SUCCEED, "c": STOP}, on_event=let_go_on, patience=2.0)
    assert set(results) == {"a", "c"}
    assert told == ["c"]


def test_a_busy_one_is_waited_for(tmp_path: Path) -> None:
    events = Events()
    results = run(tmp_path, {"a": SUCCEED, "b": {"act": "start_slowly", "delay": 4 * SHORT}}, patience=SHORT)
    assert set(results) == {"a", "b"}
    assert events.of("log") == []


def test_the_launchers_own_stop_does_not_count(tmp_path: Path) -> None:
    child = start_child("c", FAKE, scenario=tmp_path / "s.toml", out=tmp_path)
    try:
        stopped = Stopped([child], None, patience=10.0)
        assert stopped.look(5000.0) == [] and not child.stopped()
        os.kill(child.pid, signal.SIGSTOP)
        while not child.stopped():
            pass
        assert stopped.look(5000.0 + LOOK) == [], "it may go on at once"
        [(told, text)] = stopped.look(9000.0)
        assert told is child and text.endswith(f"up to 10 s until it goes on: kill -CONT {child.pid}")
        assert stopped.gave_out() is None
        for _ in range(4):  # an hour each, of which two seconds count
            assert stopped.gave_out() is None
            assert stopped.look(stopped.next_look + 3600.0) == []
        assert stopped.gave_out() is not None
        os.kill(child.pid, signal.SIGCONT)
        while child.stopped():
            pass
        stopped.look(stopped.next_look)
        assert stopped.gave_out() is None
    finally:
        child.kill()
        assert child.reap(10.0)
        child.release()
        child.close_events()
        child.close_exited()
