"""A party's doctor at a channel that waits: it is answered, takes nobody's place, and the party is still waited for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mpc.links.channel import Channel, Limits
from mpc.links.network import Came, Connected
from mpc.links.probe import (
    ANSWERS_A_SECOND,
    BYTES_A_SECOND,
    DOCTOR,
    MOST_BYTES,
    TOTAL_BYTES,
    TRANSFER_BYTES,
    Answered,
    Answerer,
    a_number,
    is_probe,
    probe,
    read_probe,
)
from mpc.links.session import HELLO_KEY, Frame
from mpc.links.wire import DATA, PROBE, seal
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import Blob, Round
from mpc.runtime.trace import Trace
from tests.links.over_zmq import ANYWHERE, LONG, at_once, values
from tests.links.pairs import KEY

LIMITS = Limits(LONG, LONG, LONG)
ABOUT = {"version": "1", "facts": {"x": 2}}


def told(frame: Frame) -> dict[str, Any]:
    return read_probe(memoryview(frame.head), memoryview(frame.body))


class Site:
    """One of the two parties, or its doctor."""

    def __init__(self, name: str, me: Identity, other: Identity, *, doctor: bool, listen: str | None) -> None:
        self.peer = "b" if name == "a" else "a"
        self.transport = Transport(me, {self.peer: other.public}, listen, doctor=doctor)
        self.said: list[str] = []
        self.channel = Channel(name, [self.peer], self.transport, LIMITS, Trace(lambda *_: None), self.said.append)
        self.channel.introduce(ABOUT)

    def meet(self) -> Any:
        """The first round with the peer, and the session's key."""
        answer = self.swap("hello")
        self.channel.rekey(self.peer, KEY)
        return answer

    def swap(self, label: str) -> Any:
        """One round with the peer."""
        one = Round({self.peer: label.encode()}, {self.peer: Blob(100)}, label)
        return self.channel.exchange(one)[self.peer]

    def came(self) -> Came:
        """The next frame, at a doctor."""
        while True:
            event = self.transport.poll(LONG)
            assert event is not None
            if isinstance(event, Came):
                return event

    def ask(self, *questions: Frame, answers: int = 1) -> list[dict[str, Any]]:
        """What a doctor is answered."""
        for question in questions:
            self.transport.send(self.peer, question)
        found: list[dict[str, Any]] = []
        while len(found) < answers:
            event = self.came()
            if is_probe(event.head):
                found.append(read_probe(event.head, event.body))
        return found


class Pair:
    """The keys of `a` and `b`: whoever is started listens, or dials."""

    def __init__(self) -> None:
        self.keys = {"a": new_identity(), "b": new_identity()}

    @contextmanager
    def start(
        self, name: str, *, dial: str | None = None, listen: str = ANYWHERE, doctor: bool = False
    ) -> Iterator[Site]:
        other = "b" if name == "a" else "a"
        where = None if dial else listen
        site = Site(name, self.keys[name], self.keys[other], doctor=doctor, listen=where)
        try:
            if dial:
                site.transport.dial(other, dial)
            yield site
        finally:
            site.transport.close(1 if not doctor else 0)


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_who_listens_answers_a_doctor_and_then_meets_the_party(pair: Pair) -> None:
    with pair.start("a") as a:
        at = str(a.transport.endpoint)

        def visit() -> tuple[list[dict[str, Any]], Any]:
            with pair.start("b", dial=at, doctor=True) as doctor:
                answers = doctor.ask(probe({"is": "about?"}))
                answers += doctor.ask(probe({"is": "echo?", "n": 7}))
                answers += doctor.ask(probe({"is": "take?", "n": 8}, TRANSFER_BYTES))
                doctor.transport.send("a", probe({"is": "send?", "n": 9}))
                sent = doctor.came()
                answers += [{**read_probe(sent.head, sent.body), "filler": len(sent.body)}]
            with pair.start("b", dial=at) as b:
                return answers, b.swap("hello")

        ends = values(at_once({"a": lambda: a.swap("hello"), "b": visit}))
    assert ends["a"] == ends["b"][1] == b"hello"
    about, echo, took, sent = ends["b"][0]
    assert about == {"is": "about", "doing": "waiting", **ABOUT}
    assert echo == {"is": "echo", "n": 7}
    assert took == {"is": "took", "n": 8}
    assert sent.pop("filler") > TRANSFER_BYTES and sent == {"is": "sent", "n": 9}
    assert a.said == ["b looks at its links with `mpc doctor`, and is answered"]


def test_who_dials_answers_a_doctor_and_then_meets_the_party(pair: Pair) -> None:
    with pair.start("a", doctor=True) as doctor:
        at = str(doctor.transport.endpoint)

        def visited() -> tuple[dict[str, Any], Any]:
            while not isinstance(event := doctor.transport.poll(LONG), Connected):
                assert event is not None
            (about,) = doctor.ask(probe({"is": "about?"}))
            doctor.transport.close(0)
            with pair.start("a", listen=at) as a:
                return about, (a.meet(), a.swap("next"))

        with pair.start("b", dial=at) as b:
            ends = values(at_once({"a": visited, "b": lambda: (b.meet(), b.swap("next"))}))
    assert ends["b"] == ends["a"][1] == (b"hello", b"next")
    assert ends["a"][0]["doing"] == "waiting"


def test_a_doctor_takes_nothing_from_a_session_that_runs(pair: Pair) -> None:
    with pair.start("a") as a, pair.start("b", dial=(at := str(a.transport.endpoint))) as b:
        swaps = {"a": a.meet, "b": b.meet}
        assert values(at_once(swaps)) == {"a": b"hello", "b": b"hello"}

        def look() -> Any:
            with pair.start("b", dial=at, doctor=True) as doctor:
                # The echo is not answered, nor is the transfer: what the party computes comes first.
                questions = probe({"is": "echo?", "n": 1}), probe({"is": "send?", "n": 1}), probe({"is": "about?"})
                (about,) = doctor.ask(*questions)
                doctor.transport.send("a", Frame(seal(DATA, 0, 1, 1, b"", HELLO_KEY), b""))
            return about, b.swap("next")

        ends = values(at_once({"a": lambda: a.swap("next"), "b": look}))
    assert ends["a"] == ends["b"][1] == b"next"
    assert ends["b"][0]["doing"] == "running"
    assert not any("lost" in line for line in a.said)


def test_what_is_no_probe_is_not_taken_for_one() -> None:
    good = probe({"is": "echo?", "n": 1}, filler=3)
    assert is_probe(memoryview(good.head)) and told(good) == {"is": "echo?", "n": 1}
    assert told(Frame(good.head, good.body[:-1] + b"x")) == {}
    for body in (b"", b"no JSON\0", b"[1]\0", b"[" * 100_000):
        assert told(Frame(seal(PROBE, 0, 0, 0, body, HELLO_KEY), body)) == {}
    assert not is_probe(memoryview(seal(DATA, 0, 0, 0, b"", HELLO_KEY))) and not is_probe(memoryview(b"\4\4\4\4"))


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"is": "echo?"},
        {"is": "echo?", "n": "1"},
        {"is": "send?", "n": None},
        {"is": "take?"},
        {"is": "sent", "n": 1},
    ],
)
def test_questions_that_make_no_sense_are_not_answered(question: dict[str, Any]) -> None:
    assert Answerer(ABOUT, Answered()).answer(question, 0.0) is None


def answered(answerer: Answerer, question: dict[str, Any], count: int, now: float) -> list[Frame]:
    """What so many questions in one moment are answered."""
    answers = [answerer.answer(question, now) for _ in range(count)]
    return [answer for answer in answers if answer is not None]


def test_what_is_answered_in_a_second_is_bounded() -> None:
    answerer = Answerer(ABOUT, Answered())
    for second in range(3):
        assert len(answered(answerer, {"is": "echo?", "n": 1}, 4 * ANSWERS_A_SECOND, 10.0 + second)) == ANSWERS_A_SECOND
        assert answered(answerer, {"is": "about?"}, 1, 10.9 + second) == []
    sent = answered(answerer, {"is": "send?", "n": 1}, 40, 20.0)
    assert len(sent) == 2 and sum(one.size for one in sent) <= BYTES_A_SECOND
    assert len(answered(answerer, {"is": "echo?", "n": 1}, 40, 20.0)) == 40, "small answers have room besides"


def test_an_answer_larger_than_a_seconds_bytes_is_given_alone() -> None:
    answerer = Answerer({"facts": "x" * BYTES_A_SECOND}, Answered())
    assert len(answered(answerer, {"is": "about?"}, 5, 1.0)) == 1


def test_a_bound_is_kept_of_a_peer_that_does_not_read() -> None:
    """1,850 bytes of questions once made a server queue 660 MB."""
    answerer = Answerer(ABOUT, Answered())
    size = sum(one.size for now in range(600) for one in answered(answerer, {"is": "send?", "n": 1}, 9, float(now)))
    assert MOST_BYTES - 2 * TRANSFER_BYTES < size <= MOST_BYTES
    answerer.begin_again()
    assert len(answered(answerer, {"is": "send?", "n": 1}, 9, 700.0)) == 2


def test_a_bound_is_kept_of_many_peers_that_do_not_read() -> None:
    """A server's thousand clients: 8 MB of each were 8 GB."""
    total = Answered()
    peers = [Answerer(ABOUT, total) for _ in range(100)]
    size = sum(
        one.size
        for now in range(20)
        for peer in peers
        for one in answered(peer, {"is": "send?", "n": 1}, 9, float(now))
    )
    assert TOTAL_BYTES - 2 * TRANSFER_BYTES < size <= TOTAL_BYTES
    for peer in peers:
        peer.begin_again()
    assert total.bytes == 0
    assert len(answered(peers[0], {"is": "send?", "n": 1}, 9, 700.0)) == 2


def test_answers_are_bounded_and_the_next_doctor_gets_one(pair: Pair) -> None:
    with pair.start("a") as a:
        at = str(a.transport.endpoint)

        def visit() -> tuple[int, Any]:
            with pair.start("b", dial=at, doctor=True) as doctor:
                for _ in range(100):
                    doctor.transport.send("a", probe({"is": "send?", "n": 1}))
                doctor.transport.send("a", probe({"is": "about?"}))
                sent, one = 0, doctor.came()
                while read_probe(one.head, one.body).get("is") != "about":
                    sent, one = sent + len(one.body), doctor.came()
            with pair.start("b", dial=at, doctor=True) as doctor:
                doctor.ask(probe({"is": "about?"}))
            with pair.start("b", dial=at) as b:
                return sent, b.swap("hello")

        ends = values(at_once({"a": lambda: a.swap("hello"), "b": visit}))
    sent, hello = ends["b"]
    assert 2 * TRANSFER_BYTES < sent <= MOST_BYTES and hello == b"hello"


def test_numbers_from_a_peer_are_checked() -> None:
    assert a_number(2) == 2.0 and a_number(0.5) == 0.5
    assert [a_number(value) for value in (-1, float("nan"), float("inf"), "1", True, None)] == [None] * 6


def test_a_doctors_name_can_be_no_partys() -> None:
    assert "/" in DOCTOR
