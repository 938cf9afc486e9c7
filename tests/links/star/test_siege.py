"""Secure sums' links over real sockets, with a client or a server that floods the other end: in bounded memory."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest
import zmq

from mpc.links.session import Frame
from mpc.links.zmq.curve import curve_socket, new_identity
from mpc.links.zmq.messages import PIECE, messages_of
from mpc.runtime.round import HEADER_BYTES
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost, Hosted
from mpc.star.wire import AGAIN, DOWN, INSTANCE_BYTES, JOIN, PING, START, UP, VERSION, frame
from tests.links.raw import ANY_MS, Raw
from tests.links.star.siege import DIGEST, FIRST, LONG, SECOND, word_and_answer
from tests.run.command import ROOT

BOUND: Final = 64_000_000  # bytes by which a process may grow
OWN = b"m" * INSTANCE_BYTES


def played(role: str, *words: bytes | str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.links.star.siege", role]
    command += [word if isinstance(word, str) else word.decode() for word in words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=120)
    found: dict[str, Any] = json.loads(out)
    return found


def up(label: str, instance: bytes = OWN) -> Frame:
    return frame(UP, b"u", round=1, attempt=1, label=label, instance=instance)


def ping(label: str = "") -> Frame:
    number = 1 if label else 0
    return frame(PING, round=number, attempt=number, label=label, instance=OWN)


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], Callable[[int], Raw]]]:
    """A server's process, and what makes a connection of client c (0) or m (1)."""
    identity, clients = new_identity(), [new_identity(), new_identity()]
    process = played("server", identity.public, identity.secret, *(one.public for one in clients))
    assert process.stdout is not None
    endpoint = process.stdout.readline().strip()
    made: list[Raw] = []

    def connection(i: int) -> Raw:
        made.append(Raw(endpoint, identity.public, clients[i]))
        return made[-1]

    try:
        yield process, connection
    finally:
        for one in made:
            one.close()
        process.kill()
        process.communicate()


def in_the_second_stage(
    process: subprocess.Popen[str], connection: Callable[[int], Raw]
) -> tuple[subprocess.Popen[str], Raw, Raw]:
    """The server, and the connections of its two clients, which both answered in the first stage."""
    c, m = connection(0), connection(1)
    c.say(frame(JOIN, DIGEST, instance=b"c" * INSTANCE_BYTES))
    m.say(frame(JOIN, DIGEST, instance=OWN))
    for one, instance in ((c, b"c" * INSTANCE_BYTES), (m, OWN)):
        assert one.hear()[3] == START
        one.say(up(FIRST, instance))
    assert c.hear()[3] == DOWN
    return process, c, m


def test_a_thousand_questions_of_a_client_that_reads_nothing(
    served: tuple[subprocess.Popen[str], Callable[[int], Raw]],
) -> None:
    """48 bytes each; the answer to one is 200 kB."""
    process, c, m = in_the_second_stage(*served)
    for _ in range(1000):
        m.say(ping(FIRST), ping(SECOND), ping(), frame(JOIN, DIGEST, instance=OWN))
    m.say(up(SECOND))  # the last: all the others were met before it
    c.say(up(SECOND, b"c" * INSTANCE_BYTES))
    found = result(process)
    assert found["answered"] == [0, 1]
    assert found["said"] == []
    assert found["grown"] < 16_000_000


@pytest.mark.soak
def test_a_flood_of_every_kind_of_frame_changes_no_round(
    served: tuple[subprocess.Popen[str], Callable[[int], Raw]],
) -> None:
    """300,000 frames, as fast as they go."""
    process, c, m = in_the_second_stage(*served)
    others = [frame(kind, b"x" * 40, round=1, attempt=1, label=FIRST, instance=OWN) for kind in (START, DOWN)]
    frames = (ping(FIRST), ping(SECOND), ping(), up(FIRST), *others)
    words = [word for one in frames for word in messages_of(one)]
    for _ in range(50_000):
        for word in (*words, b"\7"):
            m.socket.send(word)
    m.say(up(SECOND))
    c.say(up(SECOND, b"c" * INSTANCE_BYTES))
    found = result(process)
    assert (found["answered"], found["said"]) == ([0, 1], [])
    assert found["grown"] < BOUND


def test_frames_that_are_longer_than_their_stage_are_not_kept(
    served: tuple[subprocess.Popen[str], Callable[[int], Raw]],
) -> None:
    process, connection = served
    c, m = connection(0), connection(1)
    c.say(frame(JOIN, DIGEST, instance=b"c" * INSTANCE_BYTES))
    m.say(frame(JOIN, DIGEST, instance=OWN))
    assert c.hear()[3] == START
    long = frame(UP, bytes(4 * PIECE), round=1, attempt=1, label=FIRST, instance=OWN)
    with _sending(m):
        m.say(*[long] * 200)
    for label in (FIRST, SECOND):
        c.say(up(label, b"c" * INSTANCE_BYTES))
        c.hear()
    found = result(process)
    assert found["answered"] == [0]
    assert found["said"] == ["m was dropped: it sent a message longer than the 256 bytes that are the most"]
    assert found["grown"] < BOUND


@contextmanager
def _sending(one: Raw) -> Iterator[None]:
    """What cannot be sent any more, for the connection was shut, is given up."""
    one.socket.sndtimeo = 0
    with suppress(zmq.Again):
        yield


class FalseServer:
    """A server's port, at which any key is let in, and one client that dials it."""

    def __init__(self, silence: float) -> None:
        identity, client = new_identity(), new_identity()
        self.context = zmq.Context()
        self.socket: Any = curve_socket(self.context, zmq.ROUTER, identity)
        self.socket.curve_server = True
        self.socket.rcvtimeo = self.socket.sndtimeo = ANY_MS
        self.socket.router_mandatory = True
        port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        endpoint = f"tcp://127.0.0.1:{port}"
        self.process = played("client", endpoint, identity.public, client.public, client.secret, str(silence))
        self.route, joined = self.socket.recv_multipart()
        assert joined[3] == JOIN

    def say(self, *parts: Any) -> None:
        self.socket.send_multipart([self.route, *parts], copy=False)

    def close(self) -> None:
        self.socket.close(0)
        self.context.term()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def false_server() -> Iterator[Callable[[float], FalseServer]]:
    made: list[FalseServer] = []

    def make(silence: float) -> FalseServer:
        made.append(FalseServer(silence))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_client_is_flooded_by_one_endless_message(false_server: Callable[[float], FalseServer]) -> None:
    """250 MB in parts: ZeroMQ would hand them over at the last, and hold them until then."""
    server = false_server(30.0)
    part = bytes(PIECE)
    server.say(*[part] * 1000)
    found = result(server.process)
    assert found["exit_code"] == 6
    assert found["failure"] == "the server sends more than is taken, and its connection was shut"
    assert found["grown"] < BOUND


def test_a_client_takes_nothing_that_is_longer_than_due(false_server: Callable[[float], FalseServer]) -> None:
    server = false_server(30.0)
    for message in messages_of(frame(START, b"s" * 32, round=1, attempt=1)):
        server.say(message)
    assert server.socket.recv_multipart()[1][3] == UP
    for message in messages_of(frame(DOWN, bytes(LONG + PIECE), round=1, attempt=1, label=FIRST)):
        server.say(message)
    found = result(server.process)
    assert (found["exit_code"], found["failure"]) == (6, "the server's message is longer than it can be")


def test_a_client_of_version_1_is_named_with_both(served: tuple[subprocess.Popen[str], Callable[[int], Raw]]) -> None:
    """Its messages have another form, too: no last byte that says what they are."""
    process, connection = served
    c, m = connection(0), connection(1)
    join = frame(JOIN, DIGEST)
    m.socket.send(join.head[:2] + b"\1" + join.head[3:] + join.body)
    c.say(frame(JOIN, DIGEST, instance=b"c" * INSTANCE_BYTES))
    for label in (FIRST, SECOND):
        c.hear()
        c.say(up(label, b"c" * INSTANCE_BYTES))
    found = result(process)
    line = f"m sends messages of version 1, and this party's are of version {VERSION}: it was refused"
    assert (found["answered"], found["said"]) == ([0], [line])


def test_a_client_that_meets_another_version_names_both(false_server: Callable[[float], FalseServer]) -> None:
    server = false_server(30.0)
    start = frame(START, b"s" * 32, round=1, attempt=1)
    for message in messages_of(Frame(start.head[:2] + bytes([VERSION + 1]) + start.head[3:], start.body)):
        server.say(message)
    found = result(server.process)
    sent = f"the server sends messages of version {VERSION + 1}, and this party's are of version {VERSION}"
    assert (found["exit_code"], found["failure"]) == (5, sent)


def test_a_client_gives_up_a_server_that_only_talks(false_server: Callable[[float], FalseServer]) -> None:
    """As fast as it can: the client looks at its clock all the same, and that is no word that takes it further."""
    server = false_server(1.0)
    frames = [frame(kind, bytes(HEADER_BYTES), round=1, attempt=1, label=FIRST) for kind in (AGAIN, UP)]
    words = [word for one in frames for word in messages_of(one)]
    end = time.monotonic() + 60
    with suppress(zmq.ZMQError):  # the client has gone
        while server.process.poll() is None and time.monotonic() < end:
            for _ in range(200):
                server.say(words[0])
                server.say(words[1])
    assert server.process.poll() is not None or time.monotonic() < end
    found = result(server.process)
    assert (found["exit_code"], found["failure"]) == (7, "the server was silent for 1 s in stage 'joining'")
    assert found["grown"] < BOUND


def test_a_flooded_client_looks_at_its_clock() -> None:
    """A socket at which there is always one more message."""
    one = new_identity()
    star = StarClient(lambda session, round_, attempt: word_and_answer(), DIGEST)
    host = ClientHost("tcp://127.0.0.1:1", one.public, {"c": (star, one)}, 1.0, 1.0, lambda *_: None)
    taken: list[bytes] = []

    class Endless:
        def recv(self, flags: int, copy: bool) -> Any:
            assert len(taken) < 10_000
            taken.extend(messages_of(frame(AGAIN)))
            return Message(taken[-1])

    class Message:
        more = False

        def __init__(self, content: bytes) -> None:
            self.buffer = memoryview(content)

        def get(self, option: int) -> int:
            return -1

    try:
        host._receive(Hosted(star, Endless()))  # type: ignore[arg-type]
        assert 0 < len(taken) < 1000
    finally:
        host.close(0)
