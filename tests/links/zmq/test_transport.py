"""Sockets under CURVE with an allow-list: who gets in, who is told what, and what a frame's sender is."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import zmq
from zmq.utils import z85

from mpc.errors import InternalError, UsageError
from mpc.links.network import Came, Connected, Disconnected, Event, Overlong, Refused, Stranger, Unanswered, Unshaken
from mpc.links.session import Frame
from mpc.links.zmq.curve import Identity, new_identity, text_begins
from mpc.links.zmq.messages import PIECE
from mpc.links.zmq.news import monitor_of
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES
from tests.links.over_zmq import ANYWHERE
from tests.links.relay import LISTENER, Relay

HEAD = b"h" * HEADER_BYTES
PATIENCE = 20.0
UNSEEDED = 0x6B8B4567  # the first number of the C library's generator, if nobody seeds it


def frame(body: bytes) -> Frame:
    return Frame(HEAD, body)


@contextmanager
def opened(*transports: Transport) -> Iterator[None]:
    try:
        yield
    finally:
        for transport in transports:
            transport.close(0)


def until(wanted: type[Event], *watched: Transport) -> tuple[Event, list[Event]]:
    """The first such event at the first transport, and what came at it before; the others are served meanwhile."""
    before: list[Event] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for other in watched[1:]:
            other.poll(0)
        event = watched[0].poll(0.02 if len(watched) > 1 else 1)
        if isinstance(event, wanted):
            return event, before
        if event is not None:
            before.append(event)
    raise AssertionError(f"no {wanted.__name__} came, but {before}")


def came(transport: Transport, *others: Transport) -> tuple[str, bytes]:
    event, _ = until(Came, transport, *others)
    assert isinstance(event, Came) and bytes(event.head) == HEAD
    return event.peer, bytes(event.body)


class Trio:
    """A listener that knows b and c, and their keys."""

    def __init__(self) -> None:
        self.a, self.b, self.c = new_identity(), new_identity(), new_identity()
        self.listener = Transport(self.a, {"b": self.b.public, "c": self.c.public}, ANYWHERE)

    def dialler(self, me: Identity, *, server: bytes | None = None, at: str | None = None) -> Transport:
        transport = Transport(me, {"a": server or self.a.public}, None)
        transport.dial("a", at or str(self.listener.endpoint))
        return transport

    def hears(self, name: str, sender: Transport, body: bytes, *served: Transport) -> None:
        """What a dialler sends comes, and in its name."""
        sender.send("a", frame(body))
        assert came(self.listener, *served) == (name, body)

    def tells(self, name: str, receiver: Transport, body: bytes, *served: Transport) -> None:
        """What is sent to a dialler comes to it."""
        self.listener.send(name, frame(body))
        assert came(receiver, *served) == ("a", body)


@pytest.fixture
def trio() -> Iterator[Trio]:
    made = Trio()
    with opened(made.listener):
        yield made


def test_without_an_allow_list_nothing_starts() -> None:
    with pytest.raises(InternalError, match="without an allow-list"):
        Transport(new_identity(), {}, ANYWHERE)


def test_a_listed_key_gets_in_and_is_the_sender(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b), c := trio.dialler(trio.c)):
        trio.hears("b", b, b"I am c")
        trio.hears("c", c, b"and I am b")
        trio.listener.send("c", frame(b"to c"))
        trio.listener.send("b", frame(b"to b"))
        assert came(c) == ("a", b"to c")
        assert came(b) == ("a", b"to b")


def test_both_sides_are_told_of_a_connection(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b)):
        assert until(Connected, b, trio.listener) == (Connected("a"), [])
        b.send("a", frame(b""))
        assert until(Connected, trio.listener) == (Connected("b"), [])


def test_what_is_sent_before_the_peer_dials_waits_for_it(trio: Trio) -> None:
    trio.listener.send("b", frame(b"one"))
    trio.listener.send("b", frame(b"two" * 50_000))
    with opened(b := trio.dialler(trio.b)):
        trio.hears("b", b, b"here I am")
        assert came(b) == ("a", b"one")
        assert came(b) == ("a", b"two" * 50_000)


def test_an_unlisted_key_is_turned_away_and_both_sides_learn_it(trio: Trio) -> None:
    unlisted = new_identity()
    with opened(stranger := trio.dialler(unlisted)):
        stranger.send("a", frame(b"let me in"))
        event, before = until(Stranger, trio.listener)
        assert event == Stranger(text_begins(z85.decode(unlisted.public)), "127.0.0.1") and before == []
        event, before = until(Refused, stranger)
        assert event == Refused("a") and before == []
        with opened(b := trio.dialler(trio.b)):
            b.send("a", frame(b"I belong here"))
            event, before = until(Came, trio.listener)
            assert isinstance(event, Came) and event.peer == "b"
            assert not any(isinstance(one, Came) for one in before)


def test_a_listener_with_another_key_is_never_taken_for_the_peer(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b, server=new_identity().public)):
        b.send("a", frame(b"a secret"))
        for _ in range(2):  # it tries again, in vain
            event, before = until(Unshaken, b)
            assert event == Unshaken("a") and before == []
            event, before = until(Unshaken, trio.listener)
            assert isinstance(event, Unshaken) and event.peer is None and event.address in ("127.0.0.1", "")
            assert before == []


@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.REQ, zmq.ROUTER])
def test_a_client_without_curve_gets_nowhere_and_disturbs_nobody(trio: Trio, kind: int) -> None:
    with zmq.Context() as context, context.socket(kind) as plain, plain.get_monitor_socket() as monitor:
        plain.linger = 0
        plain.connect(str(trio.listener.endpoint))
        if kind != zmq.ROUTER:
            plain.send(b"hello?")
        seen = 0
        end = time.monotonic() + PATIENCE
        while not seen & zmq.EVENT_DISCONNECTED and time.monotonic() < end:
            event = trio.listener.poll(0.01)
            assert event is None or isinstance(event, Unshaken)
            while monitor.poll(0):
                seen |= int.from_bytes(monitor.recv_multipart()[0][:2], "little")
        assert seen & zmq.EVENT_DISCONNECTED and not seen & zmq.EVENT_HANDSHAKE_SUCCEEDED
        with opened(b := trio.dialler(trio.b)):
            trio.hears("b", b, b"business as usual")


def test_noise_on_the_port_disturbs_nobody(trio: Trio) -> None:
    port = int(str(trio.listener.endpoint).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as noisy, opened(b := trio.dialler(trio.b)):
        noisy.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(range(256)) * 10)
        trio.hears("b", b, b"business as usual")


def test_an_endpoint_in_use_is_named(trio: Trio) -> None:
    endpoint = str(trio.listener.endpoint)
    with pytest.raises(UsageError, match=re.escape(f"cannot listen on {endpoint}: Address already in use")):
        Transport(trio.b, {"a": trio.a.public}, endpoint)


def test_that_nobody_answers_is_told(trio: Trio) -> None:
    nobody = "tcp://127.0.0.1:1"
    with opened(b := trio.dialler(trio.b, at=nobody)):
        for _ in range(2):
            event, before = until(Unanswered, b)
            assert event == Unanswered("a") and before == []


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(UsageError, match=r"cannot listen on tcp://203\.0\.113\.1:7101"):
        Transport(new_identity(), {"a": new_identity().public}, "tcp://203.0.113.1:7101")


def test_an_address_that_cannot_be_dialled_is_named(trio: Trio) -> None:
    transport = Transport(trio.b, {"a": trio.a.public}, None)
    with opened(transport), pytest.raises(UsageError, match="the address of a, tcp://nowhere"):
        transport.dial("a", "tcp://nowhere")


def test_a_dialler_that_closes_is_noticed(trio: Trio) -> None:
    b = trio.dialler(trio.b)
    with opened(b):
        trio.hears("b", b, b"bye")
    assert until(Disconnected, trio.listener) == (Disconnected("b"), [])


def test_a_listener_that_closes_is_noticed(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b)):
        until(Connected, b, trio.listener)
        trio.listener.close(0)
        assert until(Disconnected, b)[0] == Disconnected("a")


CHILD = """
import sys
from mpc.links.session import Frame
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
endpoint, server, public, secret = (text.encode() for text in sys.argv[1:])
transport = Transport(Identity(public, secret), {"a": server}, None)
transport.dial("a", endpoint.decode())
transport.send("a", Frame(b"h" * 48, b"alive"))
while True:
    transport.poll(60)
"""


def test_a_process_that_is_killed_is_noticed(trio: Trio) -> None:
    keys = [key.decode() for key in (trio.a.public, trio.b.public, trio.b.secret)]
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(trio.listener.endpoint), *keys])
    try:
        assert came(trio.listener) == ("b", b"alive")
    finally:
        child.kill()
        child.wait()
    started = time.monotonic()
    assert until(Disconnected, trio.listener)[0] == Disconnected("b")
    assert time.monotonic() - started < 5


def test_what_a_peer_sent_before_it_left_comes_before_the_news(trio: Trio) -> None:
    b = trio.dialler(trio.b)
    trio.hears("b", b, b"first")
    for number in range(50):
        b.send("a", frame(b"%d" % number))
    b.close(PATIENCE)  # returns when all is sent and the connection closed
    _, before = until(Disconnected, trio.listener)
    assert [bytes(event.body) for event in before if isinstance(event, Came)] == [b"%d" % n for n in range(50)]


def newcomer(trio: Trio, *others: Transport) -> bytes:
    """What a second connection of b's says, which is marked as such."""
    event, _ = until(Came, trio.listener, *others)
    assert isinstance(event, Came) and event.newcomer and event.peer == "b"
    return bytes(event.body)


def test_a_second_connection_takes_no_place_before_it_is_let_in(trio: Trio) -> None:
    with opened(old := trio.dialler(trio.b), new := trio.dialler(trio.b)):
        trio.hears("b", old, b"old")
        new.send("a", frame(b"new"))
        assert newcomer(trio) == b"new"
        trio.tells("b", old, b"to the first", new)
        trio.listener.turn_away("b", frame(b"not now"))
        assert came(new, old) == ("a", b"not now")
        trio.listener.adopt("b")
        assert until(Connected, trio.listener, new) == (Connected("b"), [])
        assert until(Disconnected, old, trio.listener, new)[0] == Disconnected("a")
        trio.tells("b", new, b"to the second", trio.listener)
        new.send("a", frame(b"newer"))
        event, before = until(Came, trio.listener, new)
        assert event == Came("b", event.head, event.body) and bytes(event.body) == b"newer"  # type: ignore[union-attr]
        assert before == [], "that the first connection ended is no news"
    assert until(Disconnected, trio.listener)[0] == Disconnected("b")


def test_a_newcomer_takes_the_place_of_a_connection_that_ends(trio: Trio) -> None:
    with opened(new := trio.dialler(trio.b)):
        with opened(old := trio.dialler(trio.b)):
            trio.hears("b", old, b"old")
            new.send("a", frame(b"new"))
            assert newcomer(trio) == b"new"
        assert until(Disconnected, trio.listener, new) == (Disconnected("b"), [])
        assert until(Connected, trio.listener, new) == (Connected("b"), [])
        new.send("a", frame(b"newer"))
        event, before = until(Came, trio.listener)
        assert isinstance(event, Came) and not event.newcomer and before == []


def test_a_key_has_two_connections_at_most(trio: Trio) -> None:
    """Of several newcomers the last one stays; and who says nothing is turned out."""
    with opened(first := trio.dialler(trio.b), second := trio.dialler(trio.b), third := trio.dialler(trio.b)):
        for one, said in ((first, b"1"), (second, b"2"), (third, b"3")):
            one.send("a", frame(said))
            event, _ = until(Came, trio.listener, first, second, third)
            assert isinstance(event, Came) and bytes(event.body) == said and event.newcomer is (one is not first)
        assert until(Disconnected, second, trio.listener)[0] == Disconnected("a")
        third.send("a", frame(b"still here"))
        assert newcomer(trio, first) == b"still here"


def test_nobody_whom_this_party_dials_is_heard_at_its_port(trio: Trio) -> None:
    with opened(elsewhere := Transport(trio.b, {"a": trio.a.public}, ANYWHERE), b := trio.dialler(trio.b)):
        trio.listener.dial("b", str(elsewhere.endpoint))
        b.send("a", frame(b"I dial, too"))
        assert until(Disconnected, b, trio.listener)[0] == Disconnected("a")
        trio.tells("b", elsewhere, b"hello", trio.listener)
        trio.hears("b", elsewhere, b"from where b listens", elsewhere)


def test_a_dialler_comes_back_by_itself_after_a_cut(trio: Trio) -> None:
    with Relay(str(trio.listener.endpoint)) as relay, opened(b := trio.dialler(trio.b, at=relay.dial)):
        trio.hears("b", b, b"before", b)
        relay.cut()
        assert until(Disconnected, b, trio.listener)[0] == Disconnected("a")
        assert until(Connected, b, trio.listener)[0] == Connected("a")
        b.send("a", frame(b"after"))
        event, _ = until(Came, trio.listener, b)
        assert isinstance(event, Came) and bytes(event.body) == b"after"
        trio.tells("b", b, b"answer", trio.listener)
        assert relay.connections == 2


def test_who_is_dialled_anew_is_heard_and_closing_does_not_hang(trio: Trio) -> None:
    with Relay(str(trio.listener.endpoint)) as old, Relay(str(trio.listener.endpoint)) as new:
        b = trio.dialler(trio.b, at=old.dial)
        assert until(Connected, b, trio.listener)[0] == Connected("a")
        b.dial("a", new.dial)
        trio.hears("b", b, b"hello", b)
        assert new.connections == 1
        closing = threading.Thread(target=b.close, args=(PATIENCE,), daemon=True)
        closing.start()
        closing.join(PATIENCE)
        assert not closing.is_alive()


def test_a_silent_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.links.zmq.curve._HEARTBEAT_MS", 50)
    monkeypatch.setattr("mpc.links.zmq.curve._HEARTBEAT_TIMEOUT_MS", 150)
    trio = Trio()
    with Relay(str(trio.listener.endpoint)) as relay, opened(trio.listener, b := trio.dialler(trio.b, at=relay.dial)):
        trio.hears("b", b, b"before", b)
        relay.cut(LISTENER)  # the dialler's connection stands, and nobody is behind it
        assert until(Disconnected, trio.listener)[0] == Disconnected("b")
        assert until(Disconnected, b)[0] == Disconnected("a")


def impostor(trio: Trio, me: Identity, routing_id: bytes) -> zmq.Socket[bytes]:
    dealer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    dealer.linger = 0
    dealer.curve_publickey, dealer.curve_secretkey, dealer.curve_serverkey = me.public, me.secret, trio.a.public
    if routing_id:
        dealer.routing_id = routing_id
    dealer.connect(str(trio.listener.endpoint))
    return dealer


@pytest.mark.parametrize("routing_id", [b"b", b"hospital_b"])
def test_a_routing_id_of_ones_own_choice_says_nothing(trio: Trio, routing_id: bytes) -> None:
    with impostor(trio, trio.c, routing_id) as false, opened(b := trio.dialler(trio.b)):
        false.send(HEAD + b"I am b")
        trio.hears("b", b, b"I am b indeed")
        trio.tells("b", b, b"for b only")
        assert not false.poll(50)


def routes(transport: Transport) -> dict[str, bytes]:
    """ZeroMQ's routing id of each peer's connection."""
    assert transport._listener is not None
    return {peer: connection.route for peer, connection in transport._listener._connections.current.items()}


def test_anothers_routing_id_cannot_be_taken(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b)):
        trio.hears("b", b, b"one")
        with impostor(trio, trio.c, routes(trio.listener)["b"]) as false:
            false.send(HEAD + b"I am b")
            trio.hears("b", b, b"two")
            trio.tells("b", b, b"for b only")
            assert not false.poll(50)


def test_the_routing_id_of_who_left_gives_nobody_its_name(trio: Trio) -> None:
    """A client sets the id by which another's connection went: what it says is its own; nothing for b goes there."""
    b = trio.dialler(trio.b)
    with opened(b):
        trio.hears("b", b, b"one")
        left = routes(trio.listener)["b"]
    assert until(Disconnected, trio.listener)[0] == Disconnected("b")
    with impostor(trio, trio.c, left) as false:
        false.send(HEAD + b"I am b" + b"\0")
        assert came(trio.listener) == ("c", b"I am b")
        trio.listener.send("b", frame(b"for b only"))
        assert not false.poll(50)
        with opened(again := trio.dialler(trio.b)):
            trio.hears("b", again, b"two")
            assert came(again) == ("a", b"for b only")
        assert not false.poll(50)


def test_the_ids_of_connections_cannot_be_guessed(trio: Trio) -> None:
    """libzmq counts them up from a value that is the same in every process, unless its generator is seeded."""
    others = Trio()
    seen = set()
    with opened(others.listener):
        for each in (trio, others):
            with opened(b := each.dialler(each.b)):
                b.send("a", frame(b"hello"))
                assert came(each.listener) == ("b", b"hello")
                seen.add(routes(each.listener)["b"])
    assert len(seen) == 2
    assert not any(int.from_bytes(route[1:]) in range(UNSEEDED - 2**20, UNSEEDED + 2**20) for route in seen)


def test_a_message_in_parts_ends_its_connection(trio: Trio) -> None:
    with impostor(trio, trio.c, b"") as false, opened(b := trio.dialler(trio.b)):
        false.send_multipart([HEAD, b"x", b"y"])
        assert until(Disconnected, trio.listener)[0] == Disconnected("c")
        trio.hears("b", b, b"business as usual")


def test_a_payload_longer_than_allowed_is_told_and_not_kept(trio: Trio) -> None:
    trio.listener.allow("b", PIECE)
    with opened(b := trio.dialler(trio.b)):
        trio.hears("b", b, bytes(PIECE))
        b.send("a", frame(bytes(PIECE + 1)))
        assert until(Overlong, trio.listener) == (Overlong("b"), [])
        trio.hears("b", b, b"after it")


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, 20_000_000])
def test_payloads_of_any_size_arrive_whole(trio: Trio, size: int) -> None:
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    with opened(b := trio.dialler(trio.b)):
        for each, peer in ((trio.listener, "b"), (b, "a")):
            each.allow(peer, size)
        trio.hears("b", b, body)
        trio.tells("b", b, body)


def test_the_repr_of_an_identity_keeps_the_secret() -> None:
    identity = new_identity()
    assert identity.secret.decode() not in repr(identity) and identity.public.decode() in repr(identity)


def test_poll_gives_up_in_time(trio: Trio) -> None:
    assert trio.listener.poll(0) is None
    assert trio.listener.poll(0.01) is None


@pytest.mark.parametrize("side", ["listener", "dialler"])
def test_who_sends_faster_than_this_side_takes_holds_nobody_up(
    trio: Trio, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket at which there is always one more message, of which nothing is taken."""
    taken: list[int] = []

    def one_more(*_: object) -> bool:
        taken.append(1)
        assert len(taken) < 10_000_000, "for ever"
        return True

    with opened(b := trio.dialler(trio.b)):
        trio.hears("b", b, b"hello")
        transport: Any = trio.listener if side == "listener" else b
        part, what = (transport._listener, "take") if side == "listener" else (transport._dialler, "_take")
        monkeypatch.setattr(part, what, one_more)
        socket = part._socket if side == "listener" else part._dialled["a"].socket
        monkeypatch.setattr(transport._poller, "wait", lambda seconds: [socket])
        monkeypatch.setattr(transport, "_take_message", lambda: False)
        assert transport.poll(0.01) is None
        assert taken


def test_closing_ends_though_zeromq_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    release, ended, destroy = threading.Event(), threading.Event(), zmq.Context.destroy

    def late(context: zmq.Context[zmq.Socket[bytes]], linger: int) -> None:
        release.wait()
        destroy(context, linger)
        ended.set()

    monkeypatch.setattr("zmq.Context.destroy", late)
    Transport(new_identity(), {"b": new_identity().public}, ANYWHERE).close(0.01)
    assert not ended.is_set()
    release.set()
    assert ended.wait(60)


def looked_around(transport: Transport) -> None:
    """From now on, for some hundredths of a second, the transport waits at one socket if it is told whose."""
    assert transport.poll(0) is None


def in_touch(trio: Trio, b: Transport, c: Transport) -> None:
    """Both diallers have sent a frame, and the listener one to each."""
    for name, each in (("b", b), ("c", c)):
        trio.hears(name, each, b"hello", b, c)
        trio.tells(name, each, b"hello")


def test_who_is_awaited_is_heard(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b), c := trio.dialler(trio.c)):
        in_touch(trio, b, c)
        for large in (b"1", bytes(1 << 20)):  # one message of ZeroMQ's, and one in parts
            looked_around(trio.listener)
            b.send("a", frame(large))
            event = trio.listener.poll(PATIENCE, "b")
            assert isinstance(event, Came) and (event.peer, bytes(event.body)) == ("b", large)
            looked_around(b)
            trio.listener.send("b", frame(large))
            event = b.poll(PATIENCE, "a")
            assert isinstance(event, Came) and (event.peer, bytes(event.body)) == ("a", large)


def test_who_is_awaited_in_vain_hides_nobody_else(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b), c := trio.dialler(trio.c)):
        in_touch(trio, b, c)
        looked_around(trio.listener)
        c.send("a", frame(b"2"))
        event = trio.listener.poll(PATIENCE, "b")
        assert isinstance(event, Came) and (event.peer, bytes(event.body)) == ("c", b"2")
        looked_around(trio.listener)
        assert trio.listener.poll(0.1, "b") is None


def test_an_awaited_peer_that_dials_elsewhere_hides_nobody_else() -> None:
    """A party that dials two peers awaits one, and the other sends."""
    keys = {name: new_identity() for name in "abc"}
    listeners = {name: Transport(keys[name], {"c": keys["c"].public}, ANYWHERE) for name in "ab"}
    with opened(*listeners.values(), c := Transport(keys["c"], {name: keys[name].public for name in "ab"}, None)):
        for name, each in listeners.items():
            c.dial(name, str(each.endpoint))
            c.send(name, frame(b"hello"))
            assert came(each, c) == ("c", b"hello")
        while c.poll(0.1) is not None:
            pass
        looked_around(c)
        listeners["b"].send("c", frame(b"2"))
        event = c.poll(PATIENCE, "a")
        assert isinstance(event, Came) and (event.peer, bytes(event.body)) == ("b", b"2")


def test_that_an_awaited_peer_left_is_news(trio: Trio) -> None:
    with opened(b := trio.dialler(trio.b), c := trio.dialler(trio.c)):
        in_touch(trio, b, c)
        looked_around(trio.listener)
        b.close(0)
        began = time.monotonic()
        assert isinstance(trio.listener.poll(PATIENCE, "b"), Disconnected)
        assert time.monotonic() - began < PATIENCE / 2


def test_what_makes_no_event_keeps_nobody_longer_than_it_waits(trio: Trio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer sends nonsense faster than it is taken: there is always another message, and never a frame."""
    looked_around(trio.listener)
    monkeypatch.setattr(trio.listener, "_take_message", lambda: True)
    assert trio.listener.poll(0) is None
    assert trio.listener.poll(PATIENCE, "b") is None


def test_a_monitor_has_a_name_of_its_own() -> None:
    """A new socket may get the descriptor of one that is not quite gone yet, and with it the name of its monitor."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as dialled, context.socket(zmq.PAIR) as earlier:
        earlier.bind(f"inproc://monitor.s-{dialled.FD}")  # as pyzmq names it
        with pytest.raises(zmq.ZMQError, match="Address already in use"):
            dialled.get_monitor_socket(zmq.EVENT_ALL)
        with monitor_of(dialled, zmq.EVENT_CONNECTED | zmq.EVENT_CONNECT_DELAYED) as monitor:
            dialled.linger = 0
            dialled.connect("tcp://127.0.0.1:1")
            assert monitor.poll(10_000)
