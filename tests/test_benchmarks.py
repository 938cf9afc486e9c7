"""The benchmarks' own parts: the report, its figures' sources, the links they measure. No benchmark runs here."""

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
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq

from benchmarks import machine
from benchmarks.__main__ import _trainings
from benchmarks.contenders import _tried, with_rounds
from benchmarks.effort import FULL, QUICK, late
from benchmarks.environments import ENVIRONMENTS, set_up
from benchmarks.floor_member import frames_of, over_zeromq, public_expansion_seconds
from benchmarks.formats import clean
from benchmarks.in_short import fastest, rivals
from benchmarks.jobs import AS_FAR, AUTO, JOBS, ROOT, Arrays, arrays_of, epochs_to, log_loss, write_scenario
from benchmarks.micro_programs import COMPARISONS, MICROS, Micro, less_than, micro_of, plan_of, program
from benchmarks.ours import plan_of as plan_of_scenario
from benchmarks.ours import step_cost
from benchmarks.own_trainings import again
from benchmarks.peer_runs import PeerFailure, PeerKind, free_ports, run_peer
from benchmarks.plain import PlainTransport, mechanism
from benchmarks.report import report
from benchmarks.results import Floor, Peer, Results, Training, read
from benchmarks.results import Micro as MicroResult
from benchmarks.telling import attempt, keep
from benchmarks.wan import carried
from mpc.curve import new_identity
from mpc.errors import InterruptedRun, UsageError
from mpc.fixed import encode
from mpc.lockstep import run_lockstep
from mpc.network import Came, Connected
from mpc.party import Party
from mpc.prg import insecure_entropy
from mpc.session import Frame
from mpc.transport import Transport
from mpc.wire import HEADER_BYTES
from parties.scenario import load_scenario

OWNERS = ("hospital_a", "hospital_b")
SECRET = b"in the clear, and long enough to be sure" * 3


# --- the report -------------------------------------------------------------------------------------------------------


def some_results() -> Results:
    ours = Training(
        "beaverlodge, sgd", "A", "localhost", True, 5, 40, 4e-4, (3e-4, 5e-4), 0.9, 0.1, 3.0, "plan", 2212.0, 75819.0,
        0.9825, 8e-6, 0.0859, 147, 210e6,
    )  # fmt: skip
    peer = Training("SPU", "A", "localhost", None, 3, 40, 0.025, (0.024, 0.027), 5.0, accuracy=0.9825, difference=5e-3)
    cheap = replace(peer, who="SPU, 1 piece", step_seconds=0.009, difference=0.5)
    broken = Training("MPyC", "A", failure="see /opt/someone/bench/run/log.txt at https://files.example.org/x")
    return Results(
        machine={"processor": "a processor, 2 cores"},
        command="make bench",
        commands={"`mpc run` on job A": 1.25},
        peers=[Peer("SPU", "spu 0.9.5", 20.0), Peer("CrypTen", failure="/opt/x/pip: no such package")],
        trainings=[ours, peer, cheap, broken],
        micros=[
            MicroResult("beaverlodge", "sigmoid", True, 15, 0.010, (0.009, 0.012), 0.030, 1, 1.9e-5),
            MicroResult("SPU", "sigmoid", None, 5, 0.080, (0.07, 0.09), error=9.7e-4),
            MicroResult("MPyC", "sigmoid", None, failure="not done within 180 s"),
        ],
        floors=[Floor(True, 4e-4, 1.5e-4, 7e-5, 1e-5, 4e-5, (248, 1024, 1024))],
    )


def test_the_report_says_what_was_measured() -> None:
    text = report(some_results())
    (line,) = (line for line in text.splitlines() if line.startswith("| beaverlodge, sgd, encrypted |"))
    cells = [cell.strip() for cell in line.strip("|").split(" | ")]
    assert cells == [
        "beaverlodge, sgd, encrypted", "0.400 (0.300-0.500)", "5 x 40", "3", "147", "2.21 kB", "75.8 kB", "0.90",
        "0.100", "0.9825", "8.0e-06", "0.08590", "210 MB",
    ]  # fmt: skip
    assert "62.5 times the speed of the fastest peer with max \\|dw\\| below 0.01 (SPU; aim: 40)" in text
    assert "22.5 times the speed of the fastest peer whatever its weights (SPU, 1 piece; aim: 10)" in text
    assert "A step of job A takes 2.00 times its floor (with encryption; aim: at most 2)." in text
    assert (
        "sigmoid 1e4: without encryption for both, no figure of ours; with encryption for both, 10.0 ms and no figure "
        "of a peer; with it for us alone, we are faster than every peer: 8.0 times the speed (10.0 ms beside 80.0 ms "
        "of the fastest, SPU); largest error on [-30, 30] 1.9e-05 (aim: at most 0.0001)."
    ) in text
    assert "1.25 s from the command to the result" in text


def test_the_plans_choice_stands_beside_mini_batches_to_the_same_loss() -> None:
    results = some_results()
    auto = Training(
        "beaverlodge, solver auto", "A", "WAN", True, 3, 25, 0.063, online_seconds=2.5, log_loss=0.053, all_rounds=111,
        note="took newton, 25 steps",
    )  # fmt: skip
    far = replace(auto, who=f"beaverlodge, {AS_FAR}", steps=440, online_seconds=30.0, log_loss=0.0529, all_rounds=1400)
    results.trainings += [auto, far, replace(far, network="localhost", failure="no port is free")]
    text = report(results)
    assert (
        'Job A, WAN, solver = "auto" (took newton, 25 steps): 2.50 s online, 111 rounds, loss 0.05300; sgd to the same '
        "loss (440 steps): 30.00 s online, 1,400 rounds, loss 0.05290; 12.0 times as long; aim: 2." in text
    )
    assert 'Job A, localhost, solver = "auto": no figures.' in text


def test_operations_are_compared_like_for_like() -> None:
    results = some_results()
    ours = results.micros[0]
    results.micros = [
        ours,
        replace(ours, encrypted=False, seconds=0.09),
        replace(ours, who="SPU", encrypted=None, seconds=0.08),
        replace(ours, who="SPU over TLS", encrypted=True, seconds=0.2),
    ]
    text = report(results)
    assert "without encryption for both, SPU is faster than we are: 1.1 times the speed (90.0 ms beside 80.0 ms" in text
    assert (
        "with encryption for both, we are faster than every peer: 20.0 times the speed (10.0 ms beside 200 ms" in text
    )
    assert "with it for us alone, we are faster than every peer: 8.0 times the speed (10.0 ms beside 80.0 ms" in text


def test_one_lines_failure_is_a_line() -> None:
    def fail() -> Training:
        raise FileNotFoundError("report-0.json")

    made = attempt(fail, lambda why: Training("SPU", "A", failure=why))
    assert made.failure == "FileNotFoundError: report-0.json"
    assert attempt(lambda: 3, len) == 3
    with pytest.raises(InterruptedRun):
        attempt(interrupted, lambda why: None)


def interrupted() -> None:
    raise InterruptedRun("was interrupted")


def test_a_job_whose_variants_all_fail_keeps_every_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such thing")

    for name in ("train", "floor", "command_seconds"):
        monkeypatch.setattr(f"benchmarks.ours.{name}", broken)
    monkeypatch.setattr("benchmarks.telling.KEPT", tmp_path / "results.json")
    monkeypatch.setattr("benchmarks.own_trainings.FOLDER", tmp_path)
    results = Results(command="make bench")
    _trainings(results, QUICK, [replace(JOBS[0], peers=False)])
    assert [one.failure for one in results.trainings] == ["RuntimeError: no such thing"] * 4
    assert read(tmp_path / "results.json").trainings == results.trainings
    assert "no figure of ours (RuntimeError: no such thing)" in report(results)


def test_later_series_are_put_together_with_the_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = Training(
        "beaverlodge, sgd", "A", "localhost", True, 3, 40, 5.0, (4.0, 9.0), 0.2, 0.1,
        each=(4.0, 5.0, 9.0), each_setup=(0.1, 0.2, 0.9), each_online=(0.1, 0.1, 0.1),
    )  # fmt: skip
    other = replace(first, job="C")
    later = replace(
        first, runs=2, step_seconds=2.0, spread=(1.0, 3.0), setup_seconds=0.7,
        each=(1.0, 3.0), each_setup=(0.6, 0.8), each_online=(0.3, 0.4),
    )  # fmt: skip
    floors = iter([Floor(True, 2.0, 4.0, 3.0, 0.1, 0.2, (8,)), Floor(True, 2.0, 1.0, 0.0, 0.1, 0.2, (8,))])
    monkeypatch.setattr("benchmarks.own_trainings.FOLDER", tmp_path)
    monkeypatch.setattr("benchmarks.telling.KEPT", tmp_path / "results.json")
    monkeypatch.setattr("benchmarks.ours.train", lambda *_, **__: later)
    monkeypatch.setattr("benchmarks.ours.floor", lambda *_, **__: next(floors))
    plain = Floor(False, 5.0, 1.0, 1.0, 1.0, 1.0, (8,))
    results = Results(trainings=[first, other], floors=[Floor(True, 5.0, 1.0, 0.0, 0.1, 0.2, (8,)), plain])
    for runs, step in ((5, 4.0), (7, 3.0)):
        again(results, QUICK, JOBS[0])
        one, floor = results.trainings[0], results.floors[0]
        assert (one.runs, one.step_seconds, one.spread, floor.step) == (runs, step, (1.0, 9.0), step)
    assert (results.trainings[0].setup_seconds, results.trainings[0].online_seconds) == (0.6, 0.3)
    assert (results.floors[0].series, results.floors[0].frames_transport) == (3, 2.0)
    assert results.trainings[1] == other and results.floors[1] == plain
    assert read(tmp_path / "results.json").trainings == results.trainings


def test_a_later_series_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first = Training("beaverlodge, sgd", "A", "localhost", True, 1, 40, 5.0, (5.0, 5.0), each=(5.0,))
    monkeypatch.setattr("benchmarks.own_trainings.FOLDER", tmp_path)
    monkeypatch.setattr("benchmarks.telling.KEPT", tmp_path / "results.json")
    monkeypatch.setattr("benchmarks.ours.train", lambda *_, **__: replace(first, failure="out of memory"))
    results = Results(trainings=[first], floors=[Floor(True, 5.0, 1.0, 0.0, 0.1, 0.2, (8,))])
    again(results, QUICK, JOBS[0])
    assert results.trainings[0].failure == "out of memory" and results.floors[0].series == 1


@pytest.mark.parametrize(
    ("driver", "wait", "told"),
    [
        ("haltpoll", "200000", "haltpoll, guest_halt_poll_ns 200000"),
        ("acpi_idle", "200000", ""),
        ("haltpoll", None, ""),
    ],
)
def test_how_cores_idle_is_told_where_a_host_takes_them_back(
    driver: str, wait: str | None, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "driver").write_text(f"{driver}\n")
    if wait is not None:
        (tmp_path / "wait").write_text(f"{wait}\n")
    monkeypatch.setattr("benchmarks.machine._IDLING", tmp_path / "driver")
    monkeypatch.setattr("benchmarks.machine._LONGEST_WAIT", tmp_path / "wait")
    assert machine.describe().get("a core that idles", "") == told


def test_a_run_that_is_cut_short_leaves_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.telling.KEPT", tmp_path / "results.json")
    results = some_results()
    results.document = str(tmp_path / "benchmarks.md")
    keep(results)
    assert read(tmp_path / "results.json").trainings == results.trainings
    text = (tmp_path / "benchmarks.md").read_text()
    assert "minutes so far; not yet done" in text and "beaverlodge, sgd, encrypted" in text
    results.document = str(tmp_path / "no-such-folder" / "benchmarks.md")
    keep(results)  # what cannot be written is said, and nothing stops


def test_peers_are_left_out_once_the_time_is_over() -> None:
    assert late(FULL) == ""
    assert late(replace(FULL, minutes=-1.0)) == "not run: the first -1 minutes were over"


def test_nobody_is_dropped_in_silence() -> None:
    text = report(some_results())
    assert "CrypTen: **could not be set up**: pip: no such package" in text
    assert "MPyC: no figures: see log.txt at (address)" in text
    assert "MPyC, sigmoid 1e4: no figures: not done within 180 s" in text


def test_the_report_of_nothing_says_so() -> None:
    text = report(Results(command="make bench"))
    assert "Job A, localhost: no figure of ours." in text
    assert "Not measured in this run." in text
    assert "The floor of a step: not measured." in text


def test_every_table_names_the_command_and_is_whole() -> None:
    text = report(some_results())
    blocks = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(blocks) == 4
    for block in blocks:
        widths = {len(line.replace("\\|", "").split("|")) for line in block.strip().splitlines()}
        assert len(widths) == 1, block
    assert text.count("made by `make bench`") == 3  # the fourth table is quoted, and says so
    assert "Quoted from `benchmarks/mp_spdz.toml`, not measured by this command." in text


def test_messages_lose_folders_and_addresses() -> None:
    said = "in /tmp/some-where/x.y/party.py: GET https://pypi.example/simple failed\n  a/b stays"
    assert clean(said) == "in party.py: GET (address) failed a/b stays"


def test_the_fastest_is_chosen_among_those_who_are_right() -> None:
    results = some_results()
    best = fastest(rivals(results, "A", "localhost", accurate=True))
    assert best is not None and best.who == "SPU"
    assert fastest(rivals(results, "A", "WAN", accurate=False)) is None


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = some_results()
    results.write(tmp_path / "new" / "results.json")
    assert read(tmp_path / "new" / "results.json") == results


def test_a_peers_rounds_are_the_latencies_that_the_wan_adds() -> None:
    local = Training("SPU", "A", step_seconds=0.025)
    wan = Training("SPU", "A", "WAN", step_seconds=0.605, step_bytes=141e3)
    assert with_rounds(local, wan).rounds == pytest.approx(58)
    assert with_rounds(local, wan).step_bytes == 141e3
    assert with_rounds(local, replace(wan, step_seconds=0.02)).rounds is None
    assert with_rounds(local, replace(wan, failure="lost")) == local


# --- jobs, the floor's frames, single operations ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def job_a(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Arrays]:
    path = write_scenario(JOBS[0], tmp_path_factory.mktemp("job"))
    return path, arrays_of(path)


def test_the_arrays_are_the_scenarios(job_a: tuple[Path, Arrays]) -> None:
    _, arrays = job_a
    assert arrays.x.shape == (455, 31) and arrays.counts == (240, 215) and len(arrays.y_test) == 114
    assert np.allclose(arrays.x[:, :-1].mean(axis=0), 0) and np.allclose(arrays.x[:, :-1].std(axis=0), 1)
    assert [len(rows) for rows in arrays.steps[:5]] == [128, 128, 128, 71, 128]
    assert arrays.first(40).weights == pytest.approx(arrays.weights, abs=1e-12)
    assert np.abs(arrays.first(3).weights - arrays.weights).max() > 0.01
    assert arrays.accuracy(arrays.weights) > 0.95


def test_the_plans_choice_is_allowed_and_has_a_twin_of_its_own(job_a: tuple[Path, Arrays], tmp_path: Path) -> None:
    path = write_scenario(JOBS[0], tmp_path, JOBS[0].variants[AUTO], "-auto", 10.0)
    assert load_scenario(path).network is not None
    arrays = arrays_of(path)
    assert np.array_equal(arrays.x, job_a[1].x)
    loss = log_loss(arrays.x, arrays.y, arrays.weights)
    assert loss < log_loss(arrays.x, arrays.y, job_a[1].weights)
    epochs = epochs_to(loss, job_a[0], job_a[1])
    assert epochs is not None and epochs > 10
    longer = [arrays_of(write_scenario(JOBS[0], tmp_path, {"epochs": n}, "-far")) for n in (epochs - 1, epochs)]
    assert [log_loss(one.x, one.y, one.weights) <= loss for one in longer] == [False, True]


def test_the_plan_of_every_variant_is_made(tmp_path: Path) -> None:
    for variant, extra in JOBS[0].variants.items():
        assert plan_of_scenario(load_scenario(write_scenario(JOBS[0], tmp_path, extra, f"-{variant[0]}"))).rounds


def test_peers_get_the_same_batches(job_a: tuple[Path, Arrays], tmp_path: Path) -> None:
    job_a[1].write(tmp_path / "inputs.npz")
    order = "Order(0, [], '', sys.argv[1], 1, {}, '', 0.0)"
    code = f"from common import Order, steps_of; s = steps_of({order}.arrays())"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(len(s), s[3].tolist())", str(tmp_path / "inputs.npz")],
        cwd=ROOT / "benchmarks" / "peers",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"40 {job_a[1].steps[3].tolist()}\n"


def test_the_floor_exchanges_the_plans_frames(job_a: tuple[Path, Arrays]) -> None:
    plan = plan_of_scenario(load_scenario(job_a[0]))
    assert frames_of(plan, 40) == (31 * 8, 128 * 8, 128 * 8)
    cost = step_cost(plan, 40)
    rows = 455 * 10 / 40
    assert cost.rounds == 3
    assert cost.owner_bytes == pytest.approx(8 * (31 + 2 * rows) + 3 * HEADER_BYTES)
    assert 0 < cost.helper_bytes * 40 < plan.bytes_sent["helper"]
    assert step_cost(plan, 0).rounds == 0


def test_the_floors_expansion_and_exchanges_run() -> None:
    assert 0 < public_expansion_seconds(4, 30.0) < 1
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.connect(f"tcp://127.0.0.1:{other.bind_to_random_port('tcp://127.0.0.1')}")
        sizes: list[int] = []

        def answer() -> None:
            while message := other.recv():
                sizes.append(len(message))
                other.send(message)

        thread = threading.Thread(target=answer)
        thread.start()
        assert 0 < over_zeromq(one, (8, 16)) < 1
        one.send(b"")
        thread.join()
    assert sizes[:4] == [HEADER_BYTES + 8, HEADER_BYTES + 16] * 2


def test_what_cannot_run_is_refused_by_name() -> None:
    with pytest.raises(StopIteration):
        micro_of("square")
    assert {m.peer_task for m in MICROS if not m.ours_only} == {
        "multiply",
        "matmul128",
        "matmul512",
        "less_than",
        "sigmoid",
    }


@pytest.mark.parametrize("micro", dict.fromkeys((*MICROS, *COMPARISONS)), ids=lambda micro: micro.key)
def test_every_operation_is_right(micro: Micro) -> None:
    shape = (300,) if len(micro.shape) == 1 else (9, 9)
    little = replace(micro, shape=shape)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in OWNERS}
    plan, _ = plan_of(little, OWNERS, "helper", repeats=2)
    outcome = run_lockstep(
        {name: (lambda p: program(p, little, 2, times[p.name])) for name in OWNERS},
        plan,
        entropy={name: insecure_entropy(1, name) for name in (*OWNERS, "helper")},
    )
    assert np.abs(outcome.results[OWNERS[0]] - little.expected()).max() < 1e-4
    assert all(len(each) == 2 and began <= ended for each in times.values() for began, ended in each)


def test_less_than_at_its_edges() -> None:
    x = np.array([0, 0, 1, -1, 5.5, -(2.0**20), 2.0**20, 2.0**-20, 0])
    y = np.array([0, 1, 0, 0, 5.5, 2.0**20, -(2.0**20), 0, 2.0**-20])

    async def compare(p: Party) -> Any:
        shares = [
            p.input(owner, encode(value, 20) if owner == p.name and not p.dry else None, value.shape, 20)
            for owner, value in zip(OWNERS, (x, y), strict=True)
        ]
        (opened,) = await p.reveal(await less_than(p, *shares), what="result", why="test", label="result")
        return opened.value

    for seed in range(5):
        entropy = {name: insecure_entropy(seed, name) for name in (*OWNERS, "helper")}
        bits = run_lockstep(dict.fromkeys(OWNERS, compare), entropy=entropy).results[OWNERS[0]]
        assert ((bits & 1) == (x < y)).all()


@pytest.mark.parametrize("micro", dict.fromkeys((*MICROS, *COMPARISONS)), ids=lambda micro: micro.key)
def test_operations_are_dealt_ahead(micro: Micro) -> None:
    """As often as the first windows hold them; where they do not hold one, it waits for the helper, and is timed so."""
    plan, repeats = plan_of(micro, OWNERS, "helper")
    assert 1 <= repeats <= 5 and (not plan.credits or repeats == 1)


# --- links ------------------------------------------------------------------------------------------------------------


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


@pytest.fixture
def wan(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], socket.socket, str, Path]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = f"127.0.0.1:{server.getsockname()[1]}"
        traffic = tmp_path / "traffic.json"
        command = [
            sys.executable,
            "-m",
            "benchmarks.wan",
            "--latency",
            "0.02",
            "--traffic",
            str(traffic),
            f"x={target}",
        ]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            yield process, server, json.loads(process.stdout.readline())["x"], traffic
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            assert process.stdin is not None
            process.stdin.close()


def test_the_wan_delays_and_counts(wan: tuple[subprocess.Popen[str], socket.socket, str, Path]) -> None:
    process, server, endpoint, traffic = wan
    host, port = endpoint.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as near, server.accept()[0] as far:
        began = time.monotonic()
        near.sendall(b"x" * 1000)
        assert len(far.recv(1000, socket.MSG_WAITALL)) == 1000
        far.sendall(b"y")
        assert near.recv(1) == b"y"
        ended = time.monotonic()
    assert ended - began >= 0.04
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(10) == 0
    entries = json.loads(traffic.read_text())
    assert carried(entries, began, ended) == 1001
    assert carried(entries, ended, ended + 10) == 0


# --- peers ------------------------------------------------------------------------------------------------------------


def test_every_peers_program_is_here() -> None:
    for environment in ENVIRONMENTS:
        path = ROOT / "benchmarks" / "peers" / f"{environment.key}_party.py"
        compile(path.read_text(encoding="utf-8"), path.name, "exec")


def test_a_peer_that_cannot_be_installed_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.environments.find_python", lambda: None)
    peer = set_up(ENVIRONMENTS[0], tmp_path)
    assert "no Python 3.11" in peer.failure and not peer.versions


def test_a_peer_that_does_not_load_is_a_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho 'ImportError: there is no such peer' >&2\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr("benchmarks.environments.find_python", lambda: str(tmp_path / "python"))
    folder = tmp_path / "build" / "bench"  # in a new clone nobody has made it
    peer = set_up(ENVIRONMENTS[2], folder)
    assert peer.failure.endswith("ended with exit code 3: ImportError: there is no such peer")
    assert (folder / f"setup-{ENVIRONMENTS[2].key}.log").exists()
    assert not (folder / f"venv-{ENVIRONMENTS[2].key}" / ".ready").exists()


def test_a_peers_parties_run_and_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peer_runs.PROGRAMS", fake_peer(tmp_path, "report.begin(); report.end()"))
    np.savez(tmp_path / "inputs.npz", x=np.arange(3.0))
    run = run_peer(
        PeerKind("Fake", "fake", 2), Path(sys.executable), "train", tmp_path / "inputs.npz", tmp_path / "run"
    )
    assert len(run.seconds) == 1 and run.seconds[0] >= 0 and run.carried is None
    assert run.result.tolist() == [0.0, 1.0, 2.0] and run.setup_seconds > 0
    assert run.notes == {"addresses": 2, "options": {}}


def test_a_peer_that_fails_now_and_then_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = iter([PeerFailure("error_code is 0"), None, PeerFailure("no"), PeerFailure("no"), PeerFailure("for good")])

    def run(*order: object, **more: object) -> str:
        if (failure := next(ends)) is not None:
            raise failure
        return "done"

    monkeypatch.setattr("benchmarks.contenders.run_peer", run)
    kind = PeerKind("Fake", "fake", 2, tries=3)
    assert str(_tried(kind, "python")) == "done"
    with pytest.raises(PeerFailure, match="for good"):
        _tried(kind, "python")


def test_a_peer_that_encrypts_has_a_certificate_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import ssl; c = ssl.create_default_context(cafile=order.options['certificate'])\n"
    body += "c.load_cert_chain(order.options['certificate'], order.options['key']); report.begin(); report.end()"
    monkeypatch.setattr("benchmarks.peer_runs.PROGRAMS", fake_peer(tmp_path, body))
    np.savez(tmp_path / "inputs.npz", x=np.arange(3.0))
    kind = PeerKind("Fake", "fake", 2, encrypted=True)
    run = run_peer(kind, Path(sys.executable), "train", tmp_path / "inputs.npz", tmp_path / "run")
    assert set(run.notes["options"]) == {"certificate", "key"}


def test_a_peers_failure_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peer_runs.PROGRAMS", fake_peer(tmp_path, "raise ValueError('no such job')"))
    np.savez(tmp_path / "inputs.npz", x=np.arange(3.0))
    with pytest.raises(PeerFailure, match="exit code 1: ValueError: no such job"):
        run_peer(PeerKind("Fake", "fake", 2), Path(sys.executable), "train", tmp_path / "inputs.npz", tmp_path / "run")


def test_a_peer_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.peer_runs.PROGRAMS", fake_peer(tmp_path, "import time; time.sleep(60)"))
    np.savez(tmp_path / "inputs.npz", x=np.arange(3.0))
    with pytest.raises(PeerFailure, match="not done within 1 s"):
        run_peer(
            PeerKind("Fake", "fake", 1),
            Path(sys.executable),
            "train",
            tmp_path / "inputs.npz",
            tmp_path / "run",
            timeout=1,
        )


def test_free_ports_differ() -> None:
    assert len(set(free_ports(5))) == 5


def fake_peer(folder: Path, body: str) -> Path:
    """A peer whose program reports its inputs."""
    (folder / "fake_party.py").write_text(
        f"import sys; sys.path.insert(0, {os.fspath(ROOT / 'benchmarks' / 'peers')!r})\n"
        "from common import Report, read_order\n"
        "order = read_order(); report = Report(); report.ready(order)\n"
        f"{body}\n"
        "report.result = order.arrays()['x'].tolist()\n"
        "report.notes = {'addresses': len(order.addresses), 'options': order.options}\n"
        "report.write(order.report)\n"
    )
    return folder


def test_a_refused_setting_is_a_result(tmp_path: Path) -> None:
    path = write_scenario(JOBS[0], tmp_path, {"solver": "guess"})
    with pytest.raises(UsageError, match="solver"):
        load_scenario(path)
