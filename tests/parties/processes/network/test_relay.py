"""The emulated links: bytes late and no faster than asked, in order, with their ends; and the relay's process.

That nothing comes too early is exact, on the slowest machine too; that nothing comes far too late has wide bounds.
"""

from __future__ import annotations

import math
import os
import select
import signal
import socket
import statistics
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError, InterruptedRun
from parties.base.events import Event
from parties.processes.child import Program
from parties.processes.launcher import launch
from parties.processes.network import delay_line
from parties.processes.network.delay_line import READ_AHEAD, Conditions, DelayLine, End
from parties.processes.network.relay import NAME, Relay
from tests.examples import steady

FAKE = Program("tests.parties.fake_member")
PATIENCE = 30.0
FAST = Conditions(0.0, None)

# --- the line, which knows no clock ---


def everything(line: DelayLine, now: float) -> bytes:
    """All that has arrived by now."""
    got = b""
    while packets := line.due(now):
        got += b"".join(packets)
        line.gave(sum(map(len, packets)))
    return got


def test_a_small_message_takes_the_latency_and_its_transfer() -> None:
    line = DelayLine(Conditions(0.25, 1024.0))
    line.put(8.0, b"x" * 512)
    assert line.arrival() == 8.75
    assert line.due(8.749) == []
    assert everything(line, 8.75) == b"x" * 512
    assert line.arrival() == math.inf


def test_the_first_bytes_arrive_while_the_rest_is_sent() -> None:
    line = DelayLine(Conditions(0.0, 1e6))
    line.put(0.0, b"x" * 1_000_000)
    assert 0.498e6 <= len(everything(line, 0.5)) <= 0.5e6
    assert 0.498e6 <= len(everything(line, 1.0 + 1e-9)) <= 0.502e6


def test_the_end_comes_after_the_bytes() -> None:
    line = DelayLine(Conditions(0.25, 1000.0))
    line.put(0.0, b"x" * 500)
    line.finish(0.125, End.CLOSED)
    assert line.room(0.125) == 0
    assert line.take_end(10.0) is None, "the bytes before it were not given out"
    assert everything(line, 0.75) == b"x" * 500
    assert line.take_end(0.749) is None
    assert line.arrival() == 0.75
    assert line.take_end(0.75) is End.CLOSED
    assert line.take_end(0.75) is None
    assert line.arrival() == math.inf


def test_what_was_closed_can_still_be_reset_but_once() -> None:
    line = DelayLine(Conditions(0.25, None))
    line.finish(0.0, End.CLOSED)
    line.finish(0.125, End.CLOSED)
    assert line.arrival() == 0.25
    assert line.take_end(0.25) is End.CLOSED
    line.finish(1.0, End.RESET)
    line.finish(2.0, End.RESET)
    line.finish(2.0, End.CLOSED)
    assert line.take_end(1.25) is End.RESET
    assert line.arrival() == math.inf


def test_a_line_that_was_dropped_is_empty_and_takes_nothing() -> None:
    line = DelayLine(Conditions(0.25, None))
    line.put(0.0, b"x")
    line.drop()
    assert line.room(1.0) == 0
    assert line.arrival() == line.room_at(1.0) == math.inf
    assert line.take_end(1.0) is None


def test_a_line_holds_so_much_and_no_more() -> None:
    line = DelayLine(Conditions(10.0, None))
    held = 0
    while room := line.room(0.0):
        line.put(0.0, bytes(room))
        held += room
    assert delay_line.HELD_BYTES <= held < 2 * delay_line.HELD_BYTES
    assert line.room_at(0.0) == math.inf
    line.gave(held - delay_line.HELD_BYTES + 1)
    assert line.room(0.0)


def test_a_busy_link_lets_the_sender_wait() -> None:
    line = DelayLine(Conditions(10.0, 1e7))
    held = 0
    while room := line.room(0.0):
        line.put(0.0, bytes(room))
        held += room
    assert held <= 1.5 * READ_AHEAD * 1e7
    again = line.room_at(0.0)
    assert 0.0 < again < READ_AHEAD
    assert line.room(again + 1e-9)


def test_jitter_is_drawn_for_each_packet_and_by_the_seed() -> None:
    def arrivals(seed: int, name: str = "a") -> list[float]:
        line = DelayLine(Conditions(0.25, None, jitter=0.125, seed=seed), name=name)
        for turn in range(50):
            line.put(turn, b"x")
        found = []
        for turn in range(50):
            found.append(line.arrival() - turn)
            assert everything(line, line.arrival()) == b"x"
        return found

    first = arrivals(1)
    assert first == arrivals(1)
    assert first != arrivals(2) and first != arrivals(1, "b")
    assert 0.125 <= min(first) < 0.15 and 0.35 < max(first) <= 0.375
    assert abs(statistics.mean(first) - 0.25) < 0.05


def test_a_late_packet_holds_up_those_behind_it() -> None:
    """Each packet alone would come within half a second after it was sent, and some would overtake others."""
    line = DelayLine(Conditions(0.25, None, jitter=0.25))
    sent = bytes(range(200))
    for turn in range(200):
        line.put(turn / 100, sent[turn : turn + 1])
    got, moments = b"", 0
    while (arrival := line.arrival()) < math.inf:
        moments += 1
        new = everything(line, arrival)
        assert new
        got += new
    assert got == sent
    assert moments < 100, "many came with a late one before them"


def test_what_is_sent_in_a_cut_leaves_when_it_ends() -> None:
    line = DelayLine(Conditions(0.25, 1000.0, cuts=((1.0, 3.0), (4.0, 5.0))), began=10.0)
    line.put(10.5, b"a" * 250)  # sent before the cut
    line.put(10.5, b"b" * 500)  # would be sent when it has begun
    line.put(12.0, b"c" * 500)
    line.finish(14.5, End.CLOSED)
    assert everything(line, 11.0) == b"a" * 250
    assert line.arrival() == 13.25
    assert everything(line, 13.25) == b"b" * 500
    assert line.arrival() == 13.75
    assert everything(line, 13.75) == b"c" * 500
    assert line.arrival() == 15.25, "the end, too, waits for the second cut"


@steady(100)
@given(
    st.floats(0.0, 0.5),
    st.none() | st.floats(1e3, 1e9),
    st.floats(0.0, 0.5),
    st.lists(st.tuples(st.floats(0.0, 0.1), st.integers(1, 5_000)), max_size=20),
)
def test_nothing_is_early_lost_or_out_of_order(
    latency: float, bandwidth: float | None, jitter: float, writes: list[tuple[float, int]]
) -> None:
    line = DelayLine(Conditions(latency, bandwidth, jitter, cuts=((0.05, 0.2),)))
    latency = max(0.0, latency - jitter)
    now, sent, got = 0.0, b"", b""
    for pause, size in writes:
        now += pause
        data = os.urandom(size)
        line.put(now, data)
        sent += data
    while (arrival := line.arrival()) < math.inf:
        new = everything(line, arrival)
        assert new
        got += new
        assert arrival >= latency + (0.0 if bandwidth is None else len(got) / bandwidth * (1 - 1e-9))
    assert got == sent


# --- the relay, with its sockets ---


@contextmanager
def relayed(conditions: Conditions) -> Iterator[tuple[Relay, Callable[[], tuple[socket.socket, socket.socket]]]]:
    """A relay at work in a thread, and what connects two sockets through it: the dialler's and the dialled's."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE)
        relay = Relay()
        endpoint = relay.lay(f"tcp://127.0.0.1:{server.getsockname()[1]}", conditions)

        def work() -> None:
            while not stop.is_set():
                relay.turn(0.01)

        opened: list[socket.socket] = []

        def connect() -> tuple[socket.socket, socket.socket]:
            dialler = dial(endpoint)
            dialled, _ = server.accept()
            dialled.settimeout(PATIENCE)
            dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.extend((dialler, dialled))
            return dialler, dialled

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield relay, connect
        finally:
            stop.set()
            thread.join()
            relay.close()
            for each in opened:
                each.close()


def dial(endpoint: str) -> socket.socket:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    dialler = socket.create_connection((host, int(port)), PATIENCE)
    dialler.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return dialler


def receive(end: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        piece = end.recv(1 << 20)
        assert piece, "the stream ended"
        got += piece
    return bytes(got)


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def test_a_round_trip_takes_two_latencies(capsys: pytest.CaptureFixture[str]) -> None:
    with relayed(Conditions(0.01, None)) as (_, connect):
        one, other = connect()
        trips = []
        for _ in range(25):
            start = time.monotonic()
            one.sendall(b"ping")
            receive(other, 4)
            other.sendall(b"pong")
            receive(one, 4)
            trips.append(time.monotonic() - start)
    with capsys.disabled():
        print(f"\n  10 ms one way: a round trip takes {statistics.median(trips) * 1000:.2f} ms (median of 25)")
    assert min(trips) >= 0.02
    assert statistics.median(trips) < 0.1


def test_a_reader_that_waits_lets_the_writer_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delay_line, "HELD_BYTES", 1 << 20)
    with relayed(FAST) as (_, connect):
        one, other = connect()
        text, sent = os.urandom(1 << 20), 0
        one.setblocking(False)
        while select.select([], [one], [], 0.5)[1]:
            sent += one.send(text[sent % len(text) :])
            assert sent < 64 << 20, "what nobody reads is taken without end"
        one.setblocking(True)
        got = receive(other, sent)
    assert got == (text * (sent // len(text) + 1))[:sent]


def test_one_half_can_end_before_the_other() -> None:
    with relayed(Conditions(0.005, 1e6)) as (_, connect):
        one, other = connect()
        one.sendall(b"last words" * 1000)
        one.shutdown(socket.SHUT_WR)
        assert receive(other, 10_000) == b"last words" * 1000
        assert other.recv(1) == b""
        other.sendall(b"still here")
        assert receive(one, 10) == b"still here"
        other.close()
        assert one.recv(1) == b""


@pytest.mark.parametrize("who", [0, 1])
def test_a_reset_is_passed_on(who: int) -> None:
    with relayed(Conditions(0.005, None)) as (_, connect):
        ends = connect()
        reset(ends[who])
        start = time.monotonic()
        with pytest.raises(ConnectionResetError):
            ends[1 - who].recv(1)
        assert time.monotonic() - start < 5


def test_what_is_sent_to_one_who_left_ends_in_a_reset() -> None:
    with relayed(Conditions(0.005, None)) as (_, connect):
        one, other = connect()
        one.close()
        assert other.recv(1) == b""
        # What is sent after a reset is an error at once; until the reset arrives, it only fills a buffer.
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            other.sendall(bytes(256 << 20))


def test_a_party_that_is_gone_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    relay = Relay()
    with dial(relay.lay(gone, Conditions(0.005, None))) as dialler:
        end = time.monotonic() + PATIENCE
        while not select.select([dialler], [], [], 0)[0]:
            relay.turn(0.01)
            assert time.monotonic() < end
        with pytest.raises(ConnectionResetError):
            dialler.recv(1)
    relay.close()


def test_a_relay_is_idle_when_nothing_happens() -> None:
    with relayed(Conditions(0.0, 1e6)) as (_, connect):
        one, other = connect()
        one.sendall(b"x" * 10_000)
        receive(other, 10_000)
        one.shutdown(socket.SHUT_WR)
        other.recv(1)
        before = time.thread_time(), time.process_time()
        select.select([], [], [], 0.2)
        # The relay's thread wakes up every 10 ms to see whether it is to stop.
        assert time.process_time() - before[1] < 0.1


# --- the relay as a process of a run ---


def run(out: Path, *acts: str, on_event: Callable[[str, Event], None] | None = None) -> dict[str, dict[str, Any]]:
    orders = {name: {"act": act} for name, act in zip("abc", acts, strict=False)}
    show = on_event or (lambda name, event: None)

    def network(dialler: str, target: str) -> Conditions:
        return Conditions(0.001, None)

    return launch(out / "s.toml", orders, lambda: orders, out=out, program=FAKE, on_event=show, network=network)


def relay_process() -> psutil.Process:
    """The relay, as `ps` shows it."""
    [found] = [child for child in psutil.Process().children() if NAME in child.cmdline()]
    return found


pytestmark = pytest.mark.usefixtures("nothing_left")


def test_parties_dial_the_relay_which_is_no_party(tmp_path: Path) -> None:
    seen: list[str] = []
    results = run(tmp_path, "succeed", "succeed", "succeed", on_event=lambda name, event: seen.append(name))
    assert list(results) == ["a", "b", "c"]
    assert set(seen) == {"a", "b", "c"}
    peers = {name: results[name]["peers"] for name in "abc"}
    assert {name: [*own] for name, own in peers.items()} == {"a": [], "b": ["a"], "c": ["a", "b"]}
    ports = [port for own in peers.values() for port in own.values()]
    assert len({*ports}) == 3 and all(port.startswith("tcp://127.0.0.1:") for port in ports)
    assert list(tmp_path.glob("*.stderr")) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_relay_is_named(tmp_path: Path, number: signal.Signals) -> None:
    def kill(name: str, event: Event) -> None:
        if event["event"] == "stage" and name == "a":
            relay_process().send_signal(number)

    with pytest.raises(InternalError, match=rf"{NAME} was killed \(signal {number.value}\)"):
        run(tmp_path, "hang", "hang", on_event=kill)


def test_a_relay_that_breaks_down_is_named(tmp_path: Path) -> None:
    orders = {name: {"act": "hang"} for name in "ab"}
    with pytest.raises(InternalError, match=rf"{NAME} ended with exit code 1: ValueError"):
        launch(
            tmp_path / "s.toml",
            orders,
            lambda: orders,
            out=tmp_path,
            program=FAKE,
            on_event=lambda name, event: None,
            network=lambda *_: Conditions("late", None),  # type: ignore[arg-type]
        )
    assert "Traceback" in (tmp_path / f"{NAME}.stderr").read_text()


def test_a_stopped_relay_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parties.processes.children.RELEASE_PATIENCE", 0.1)

    def stop(name: str, event: Event) -> None:
        if event["event"] == "stage" and name == "a":
            relay_process().send_signal(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRun):
        run(tmp_path, "hang", "hang", on_event=stop)
