"""A party's port under attack: its session goes on, and those who belong there still get in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO

import psutil
import pytest
import zmq

from mpc.links.channel import Channel
from mpc.links.network import Came, Connected, Disconnected, Unshaken
from mpc.links.session import Frame
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES, Round
from mpc.runtime.trace import Trace
from tests.links.hostile.siege import DESCRIPTORS, LABEL, OVER, meet
from tests.links.over_zmq import ANYWHERE, LIMITS
from tests.links.pairs import ONE_WORD, word
from tests.run.command import ROOT, environment

HALF_OPEN = 1000
JUNK = 100_000
JUNK_A_SECOND = 20_000  # 200 connections a second, each a handshake begun and refused
SIEGES = 5
GETS_IN_WITHIN = 5.0
FEW = 300
PAUSE = 0.002  # between two rounds: most of a party's time is work of its own


def siege(*words: str | bytes) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "tests.links.hostile.siege",
        *(w if isinstance(w, str) else w.decode() for w in words),
    ]
    return subprocess.Popen(command, cwd=ROOT, env=environment(measured=True), stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@dataclass
class Fortress:
    """A party `a` in a process of its own, in a session with `b`, which is here; `c` is listed too."""

    a: Identity = field(default_factory=new_identity)
    b: Identity = field(default_factory=new_identity)
    c: Identity = field(default_factory=new_identity)

    def __post_init__(self) -> None:
        self.process = siege("party", self.a.public, self.a.secret, self.b.public, self.c.public)
        self.endpoint = line(self.process)
        self.port = self.endpoint.rpartition(":")[2]
        self.watched = psutil.Process(self.process.pid)
        self.transport = Transport(self.b, {"a": self.a.public}, None)
        self.transport.dial("a", self.endpoint)
        self.said: list[str] = []
        self.own: list[float] = []  # what the last rounds took, without the waits for a core, where that is measured
        self._waits: list[IO[str]] = []
        self.channel = Channel("b", ["a"], self.transport, LIMITS, Trace(lambda *_: None), self.said.append)
        meet(self.channel, "a")

    def round(self, said: int = 1) -> float:
        """One round with a: how long it took."""
        started = time.perf_counter()
        self.channel.exchange(Round({"a": word(said)}, {"a": ONE_WORD}, LABEL))
        return time.perf_counter() - started

    def rounds(self, count: int, attack: subprocess.Popen[str] | None = None) -> list[float]:
        """So many rounds, and until the attack is over: how long they took, the slowest last."""
        took: list[float] = []
        self.own.clear()
        while len(took) < count or (attack is not None and attack.poll() is None):
            before = self._waited()
            took.append(self.round())
            self.own.append(max(0.0, took[-1] - self._waited() + before))
            time.sleep(PAUSE)
        return sorted(took)

    @contextmanager
    def timed_on_its_cores(self) -> Iterator[None]:
        """From here on measure how long both parties' threads wait for a core."""
        pids = (self.process.pid, os.getpid())
        with ExitStack() as stack:
            paths = [path for pid in pids for path in Path(f"/proc/{pid}/task").glob("*/schedstat")]
            self._waits = [stack.enter_context(path.open()) for path in paths]
            yield
            self._waits = []

    def _waited(self) -> float:
        """Seconds that the threads have waited for a core so far (Documentation/scheduler/sched-stats of Linux)."""
        total = 0
        for file in self._waits:
            file.seek(0)
            total += int(file.read().split()[1])
        return total / 1e9

    def newcomer(self) -> float:
        """How long it takes c to get in, while the session goes on."""
        started = time.monotonic()
        transport = Transport(self.c, {"a": self.a.public}, None)
        try:
            transport.dial("a", self.endpoint)
            while not isinstance(transport.poll(0.001), Connected):
                assert time.monotonic() - started < 2 * LIMITS.connect, "c never got in"
                self.round()
            return time.monotonic() - started
        finally:
            transport.close(0)

    def end(self) -> int:
        """The session ends as ever; returns how many files a still has open then."""
        self.round(OVER)
        left = int(line(self.process))
        assert self.process.wait(20) == 0
        return left


@pytest.fixture
def fortress() -> Iterator[Fortress]:
    made = Fortress()
    try:
        yield made
    finally:
        made.process.kill()
        made.process.communicate()
        made.transport.close(0)


@contextmanager
def attack(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = siege(*words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def summary(took: Sequence[float]) -> str:
    return f"median {took[len(took) // 2] * 1000:.2f} ms, slowest {took[-1] * 1000:.1f} ms"


def besieged(fortress: Fortress, frames: int, held: int = HALF_OPEN) -> list[float]:
    """Rounds while so many connections are held half-open and as many frames of junk come; checks that they came."""
    with attack("hold", fortress.port, str(held)) as holder:
        assert line(holder) == "held"
        while fortress.watched.num_fds() < held // 2:
            fortress.round()
        with attack("junk", fortress.port, str(frames), str(JUNK_A_SECOND)) as junk:
            assert fortress.newcomer() < GETS_IN_WITHIN
            took = fortress.rounds(FEW, junk)
            assert int(line(junk)) >= frames
    while fortress.watched.num_fds() > 50:  # the attackers' connections end with them
        fortress.round()
    return took


@pytest.mark.parametrize(
    ("held", "sieges"), [(300, 60 * SIEGES), pytest.param(HALF_OPEN + 200, SIEGES, marks=pytest.mark.soak)]
)
def test_a_siege_of_the_port(fortress: Fortress, held: int, sieges: int) -> None:
    """Half-open connections that are held, and junk besides; in a soak more of them than descriptors, and more junk."""
    took = besieged(fortress, JUNK // sieges, held)
    quiet = fortress.rounds(len(took))
    assert took[len(took) // 2] < 3 * quiet[len(quiet) // 2] + 0.005
    assert took[-1 - len(took) // 100] < 3 * quiet[-1] + 0.5
    assert fortress.said == [], "b never lost contact"
    assert fortress.end() < 50


@pytest.mark.soak
@pytest.mark.speed
def test_the_slowest_round_of_a_siege(fortress: Fortress, capsys: pytest.CaptureFixture[str]) -> None:
    """The slowest round under siege beside the slowest of as many rounds alone, again and again by turns.

    Compared is what the parties themselves take. What they wait for a core, the kernel tells, and it is left out: it
    is the work of whatever else runs on this machine, the attackers too.
    """
    sieges, alone = [], []
    with fortress.timed_on_its_cores():
        for _ in range(SIEGES):
            sieges.append((besieged(fortress, JUNK // SIEGES), max(fortress.own)))
            alone.append((fortress.rounds(len(sieges[-1][0])), max(fortress.own)))
    with capsys.disabled():
        print(f"\n  {JUNK} junk frames, {HALF_OPEN} half-open connections, in {SIEGES} sieges; alone by turns:")
        for (under, slowest), (without, quiet) in zip(sieges, alone, strict=True):
            print(f"  {len(under)}: {summary(under)}, {slowest * 1000:.2f} ms without waiting for a core; ", end="")
            print(f"alone {summary(without)}, {quiet * 1000:.2f} ms without")
    assert median(own for _, own in sieges) < 3 * median(own for _, own in alone)
    assert fortress.said == [], "b never lost contact"
    assert fortress.end() < 50


def test_strangers_cannot_use_up_the_descriptors(fortress: Fortress) -> None:
    """Far more of them than there are descriptors: some are kept back, and who belongs there gets in at once."""
    with attack("hold", fortress.port, str(DESCRIPTORS + 500)) as holder:
        assert line(holder) == "held"
        seen, end = [], time.monotonic() + 1.0
        while time.monotonic() < end:
            fortress.round()
            seen.append(fortress.watched.num_fds())
        # The first wave may take all, for as long as it takes this party to look.
        assert max(seen) > DESCRIPTORS // 2 and median(seen) < DESCRIPTORS - 32
        assert min(fortress.newcomer() for _ in range(3)) < 2.0
    assert fortress.end() < 50


def test_a_crowd_of_strangers_with_keys(fortress: Fortress) -> None:
    """Each makes a key of its own and shakes hands properly: none gets in, and the session goes on."""
    with zmq.Context() as context:
        crowd = []
        for _ in range(200):
            stranger = context.socket(zmq.DEALER)
            stranger.linger = 0
            stranger.curve_publickey, stranger.curve_secretkey = zmq.curve_keypair()
            stranger.curve_serverkey = fortress.a.public
            stranger.connect(fortress.endpoint)
            for _ in range(20):
                stranger.send(b"j" * 500)
            crowd.append(stranger)
        fortress.rounds(FEW)
        assert fortress.newcomer() < GETS_IN_WITHIN
        assert not any(stranger.poll(0) for stranger in crowd)
        for stranger in crowd:
            stranger.close()
    assert fortress.end() < 50


def test_a_hundred_processes_of_a_key_take_two_connections() -> None:
    """The first is heard. Of the others the last one stays, and takes the place of the first when that has gone."""
    a, b = new_identity(), new_identity()
    listener = Transport(a, {"b": b.public}, ANYWHERE)
    processes = []
    descriptors = psutil.Process().num_fds

    def heard(number: int) -> bool:
        """Whether the process was heard as b, and not as a newcomer."""
        processes.append(Transport(b, {"a": a.public}, None))
        processes[-1].dial("a", str(listener.endpoint))
        processes[-1].send("a", Frame(b"h" * HEADER_BYTES, b"%d" % number))
        while not isinstance(event := listener.poll(10), Came):
            assert event in (Connected("b"), Disconnected("b")) or isinstance(event, Unshaken)
        assert bytes(event.body) == b"%d" % number
        return not event.newcomer

    try:
        assert heard(0)
        before = descriptors()
        for number in range(1, 100):
            assert not heard(number)
            if number > 1:  # turned out, or it would dial again
                processes.pop(1).close(0)
        while listener.poll(0.1) is not None:
            pass
        assert descriptors() < before + 20
        processes[0].close(0)
        while listener.poll(10) != Connected("b"):
            pass
        listener.send("b", Frame(b"h" * HEADER_BYTES, b"welcome"))
        while not isinstance(event := processes[-1].poll(10), Came):
            assert event == Connected("a")
        assert bytes(event.body) == b"welcome"
    finally:
        for transport in [*processes, listener]:
            transport.close(0)
