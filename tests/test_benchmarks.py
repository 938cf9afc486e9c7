"""The benchmarks: one rule of time for everybody, one writer of tables, and nobody wrong or missing in silence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import zmq

import benchmarks.__main__ as bench
from benchmarks import results as kept
from benchmarks.environments import ENVIRONMENTS, set_up
from benchmarks.jobs import Job, Operation, arrays_of
from benchmarks.plain import PlainTransport, mechanism
from benchmarks.report import OURS, OURS_PLAIN, WAN, fastest, report
from benchmarks.results import ROOT, Line, Results, read
from benchmarks.running import CONTENDERS, PROGRAMS, Contender, PeerFailure, free_ports, run
from mpc.errors import InterruptedRun
from mpc.links.network import Came, Connected
from mpc.links.session import Frame
from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES

SECRET = b"what nobody but the two may read"
PYTHON = Path(sys.executable)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("results", "running", "jobs"):
        monkeypatch.setattr(f"benchmarks.{module}.FOLDER", tmp_path)
    monkeypatch.setattr(kept, "KEPT", tmp_path / "results.json")
    return tmp_path


# --- the report -------------------------------------------------------------------------------------------------------


def training(who: str, step: float, error: float = 1e-5, table: str = "A") -> Line:
    times = {"all_in": [50 * step, 60 * step, 55 * step], "step": [step, 2 * step, 3 * step]}
    return Line(table, who, {**times, "error": error, "sent": 5e6})


def test_the_report_says_who_is_faster_all_in_and_by_steps() -> None:
    own = training(OURS, 0.001), training(OURS_PLAIN, 0.08), training(OURS, 0.02, table=WAN)
    text = report(
        Results(lines=[*own, training("SPU", 0.04), training("CrypTen", 0.03), training("SPU", 0.4, table=WAN)])
    )
    assert (
        "- Job A, all in: with encryption 55.0 ms, 30.0 times faster; without 4,400 ms, 2.67 times **slower** than "
        "CrypTen (1,650 ms)." in text
    )
    assert "- Job A, a step alone: with encryption 2.00 ms, 30.0 times faster;" in text
    assert "- Job A over the WAN, a step alone: with encryption 40.0 ms, 20.0 times faster than SPU (800 ms)." in text
    assert f"| {OURS} | 3 | 0.055 (0.050-0.060) | 2.00 (1.00-3.00) | 5.00 | 1.0e-05 |" in text
    assert "aim" not in text.split("## Training")[1]


def test_nobody_wrong_is_the_fastest() -> None:
    results = Results(lines=[training("SPU", 0.04), training("CrypTen", 0.03, error=4e9), training(OURS, 0.001)])
    best = fastest(results, "A", "all_in")
    assert best is not None
    assert best.who == "SPU"
    assert "| CrypTen | 3 | 1.65 (1.50-1.80) | 60.0 (30.0-90.0) | 5.00 | 4.0e+09, wrong |" in report(results)


def test_nobody_is_missing_in_silence() -> None:
    why = "ValueError: /some/where/build/x.so is not at https://files.example/simple"
    text = report(
        Results({"when": "now"}, {"MPyC": "could not be set up: no Python"}, [Line("A", "MPyC", failure=why)])
    )
    assert "- MPyC: no figures: ValueError: x.so is not at (address)\n" in text
    assert "- MPyC: could not be set up: no Python\n" in text
    assert text.count("Not measured in this run.") >= 8


def test_a_line_that_fails_loses_no_other_line() -> None:
    def fails() -> Line:
        raise PeerFailure("no such job")

    def interrupted() -> Line:
        raise InterruptedRun("interrupted")

    results = Results()
    results.take("A", "SPU", fails)
    results.take("A", OURS, lambda: training(OURS, 0.001))
    with pytest.raises(InterruptedRun):
        results.take("A", "CrypTen", interrupted)
    assert [line.failure for line in read().lines] == ["no such job", ""]
    assert read() == results


def test_the_benchmarks_end_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "main", interrupted)
    assert bench.command() == 130
    assert "interrupted; build/bench/results.json has what was measured" in capsys.readouterr().out


# --- runs -------------------------------------------------------------------------------------------------------------


def test_our_training_is_that_of_everybodys_arrays(folder: Path) -> None:
    """The rows, the batches and the result that peers are held against are those of our own scenario, by its code."""
    job = Job("T", "small", 2, 64, 0.5, (200, 3, 1.0))
    arrays = arrays_of(job)
    with np.load(arrays.inputs) as given:
        x, y, rate = given["x"], given["y"], float(given["rate"])
        steps = np.split(given["order"], np.cumsum(given["sizes"])[:-1])
        assert given["counts"].tolist() == [100, 100]
    w = np.zeros(4)
    for rows in steps:
        w -= rate * x[rows].T @ (1 / (1 + np.exp(-x[rows] @ w)) - y[rows]) / len(rows)
    assert arrays.difference(w) < 1e-12
    for wan in (False, True):
        done = run(CONTENDERS[0], PYTHON, "train", arrays.inputs, repeats=1, wan=wan, scenario=arrays.scenario_for(wan))
        assert arrays.difference(done.result) < 1e-3
        assert done.all_in >= done.steps > (len(steps) * 0.01 if wan else 0)
        assert done.sent > x.nbytes


@pytest.mark.parametrize("key", ["multiply", "matmul128", "less_than", "sigmoid"])
def test_our_operations_are_right(folder: Path, key: str) -> None:
    operation = Operation(key, key, (4, 4) if key == "matmul128" else (50,))
    np.savez(folder / "inputs.npz", **operation.inputs())  # type: ignore[arg-type]
    contender = CONTENDERS[1 if key == "sigmoid" else 0]
    done = run(contender, PYTHON, key, folder / "inputs.npz", repeats=2, wan=False)
    assert np.abs(done.result - operation.expected()).max() < 1e-4


def contender(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, **more: object) -> Contender:
    """One whose program does this; its inputs."""
    (folder / "fake_party.py").write_text(
        f"import sys, time; sys.path.insert(0, {os.fspath(PROGRAMS)!r})\n"
        "from common import Report, read_order\n"
        f"order = read_order(); report = Report(order)\n{body}\n"
    )
    monkeypatch.setattr("benchmarks.running.PROGRAMS", folder)
    np.savez(folder / "inputs.npz", x=np.arange(3.0))
    return Contender("Fake", "fake", 2, **more)  # type: ignore[arg-type]


def test_time_is_from_the_first_beginning_to_the_last_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "report.marks = {'connected': 5 - order.rank, 'steps': 10 + order.rank, 'done': 20 + 2 * order.rank}\n"
    body += "report.write(order.arrays()['x'] if order.rank == 0 else None)"
    fake = contender(folder, monkeypatch, body)
    done = run(fake, PYTHON, "train", folder / "inputs.npz", repeats=1, wan=False)
    assert (done.all_in, done.steps, done.result.tolist()) == (22 - 4, 22 - 10, [0.0, 1.0, 2.0])


def test_one_that_encrypts_has_a_certificate_of_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import ssl; c = ssl.create_default_context(cafile=order.options['certificate'])\n"
    body += "c.load_cert_chain(order.options['certificate'], order.options['key'])\n"
    body += "report.mark('connected'); report.mark('done'); report.write([1.0])"
    fake = contender(folder, monkeypatch, body, encrypted=True)
    assert run(fake, PYTHON, "train", folder / "inputs.npz", repeats=1, wan=False).result.tolist() == [1.0]


def test_a_failure_says_why_and_is_tried_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = folder / "tried"
    body = f"open({str(tried)!r}, 'a').write('x')\nraise ValueError('no such job')"
    fake = contender(folder, monkeypatch, body, tries=2)
    with pytest.raises(PeerFailure, match="exit code 1: ValueError: no such job"):
        run(fake, PYTHON, "train", folder / "inputs.npz", repeats=1, wan=False)
    assert 2 <= len(tried.read_text()) <= 4


def test_one_that_hangs_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = contender(folder, monkeypatch, "time.sleep(60)")
    monkeypatch.setattr("benchmarks.running.SLOWEST", 0.5)
    with pytest.raises(PeerFailure, match=r"not done within 0\.5 s"):
        run(fake, PYTHON, "train", folder / "inputs.npz", repeats=1, wan=False)


def test_every_program_is_here_and_ports_differ() -> None:
    for one in CONTENDERS:
        path = PROGRAMS / f"{one.program}_party.py"
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
    assert {one.program for one in CONTENDERS} == {"ours", *(one.key for one in ENVIRONMENTS)} - {"flower"}
    assert len(set(free_ports(5))) == 5


def test_one_that_cannot_be_set_up_is_told_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.environments.find_python", lambda: None)
    assert "no Python 3.11" in set_up(ENVIRONMENTS[0], folder)
    (folder / "python").write_text("#!/bin/sh\necho 'ImportError: there is no such peer' >&2\nexit 3\n")
    (folder / "python").chmod(0o755)
    monkeypatch.setattr("benchmarks.environments.find_python", lambda: str(folder / "python"))
    place = folder / "build" / "bench"  # in a new clone nobody has made it
    assert set_up(ENVIRONMENTS[2], place).endswith("ended with exit code 3: ImportError: there is no such peer")
    assert not (place / f"venv-{ENVIRONMENTS[2].key}" / ".ready").exists()


def test_the_wan_delays_and_takes_its_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-m", "benchmarks.wan", "--latency", "0.02", "--bandwidth", "1e5"]
        target = f"x=127.0.0.1:{server.getsockname()[1]}"
        pipe = subprocess.PIPE
        with subprocess.Popen([*command, target], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            host, port = json.loads(process.stdout.readline())["x"].rsplit(":", 1)
            with socket.create_connection((host, int(port))) as near, server.accept()[0] as far:
                began = time.monotonic()
                near.sendall(b"x" * 10_000)
                assert len(far.recv(10_000, socket.MSG_WAITALL)) == 10_000
                assert time.monotonic() - began >= 0.1
            process.stdin.close()
            assert process.wait(10) == 0


# --- our transport without encryption, which only the benchmarks have -------------------------------------------------


@pytest.mark.parametrize(("make", "name", "clear"), [(PlainTransport, zmq.PLAIN, True), (Transport, zmq.CURVE, False)])
def test_only_the_plain_transport_shows_what_it_carries(make: type[Transport], name: int, clear: bool) -> None:
    a, b = new_identity(), new_identity()
    with spy() as (port_of_spy, target, seen):
        listener = make(a, {"b": b.public}, "tcp://127.0.0.1:*")
        dialler = make(b, {"a": a.public}, None)
        try:
            target.append(int((listener.endpoint or "").rsplit(":", 1)[1]))
            dialler.dial("a", f"tcp://127.0.0.1:{port_of_spy}")
            assert mechanism(dialler._dialler._dialled["a"].socket) == name
            assert listener._listener is not None and mechanism(listener._listener._socket) == name
            frame = Frame(bytes(HEADER_BYTES), SECRET)
            dialler.send("a", frame)
            assert body_from(listener, "b") == SECRET
            listener.send("b", frame)
            assert body_from(dialler, "a") == SECRET
        finally:
            dialler.close(0)
            listener.close(0)
    assert (SECRET in bytes(seen)) == clear


def test_the_plain_transport_admits_only_those_on_its_list() -> None:
    a, b, stranger = new_identity(), new_identity(), new_identity()
    listener = PlainTransport(a, {"b": b.public}, "tcp://127.0.0.1:*")
    dialler = PlainTransport(stranger, {"a": a.public}, None)
    try:
        dialler.dial("a", listener.endpoint or "")
        dialler.send("a", Frame(bytes(HEADER_BYTES), SECRET))
        event = next(event for _ in range(100) if (event := listener.poll(0.1)) is not None)
        assert type(event).__name__ == "Stranger"
    finally:
        dialler.close(0)
        listener.close(0)


def body_from(transport: Transport, peer: str) -> bytes:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        match transport.poll(1.0):
            case Came(sender, _, body):
                assert sender == peer
                return bytes(body)
            case Connected(_) | None:
                continue
            case event:
                raise AssertionError(event)
    raise AssertionError("nothing came")


@contextmanager
def spy() -> Iterator[tuple[int, list[int], bytearray]]:
    """A relay of one connection, to the port that is put into the list, that keeps what it carries."""
    target: list[int] = []
    seen = bytearray()
    sockets = [socket.create_server(("127.0.0.1", 0))]

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                seen.extend(data)
                sink.sendall(data)

    def run() -> None:
        near, _ = sockets[0].accept()
        far = socket.create_connection(("127.0.0.1", target[0]))
        sockets.extend((near, far))
        back = threading.Thread(target=carry, args=(far, near))
        back.start()
        carry(near, far)
        back.join()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sockets[0].getsockname()[1], target, seen
    finally:
        for one in sockets[1:]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for one in sockets:
            one.close()
