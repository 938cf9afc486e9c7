"""One link's state, without sockets: order, acknowledgements, resends, and what is refused."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DisagreementError, PeerLostError, ProtocolError
from mpc.links.session import (
    FRAME_BYTES,
    HANDSHAKE,
    HELLO_KEY,
    Aborted,
    Backlog,
    Delivered,
    Frame,
    Ignored,
    Incoming,
    Link,
    Resend,
    link_key,
)
from mpc.links.wire import DATA, RESUME, peek_sequence, seal
from mpc.randomness.streams import session_id
from mpc.runtime.round import HEADER_BYTES
from tests.examples import steady

KEY = bytes(range(32))
OTHER_KEY = bytes(32)


def pair() -> tuple[Link, Link]:
    return Link("a", "b"), Link("b", "a")


def keyed() -> tuple[Link, Link]:
    """Two ends that said hello to each other and use the session's key."""
    a, b = pair()
    hello_a, hello_b = a.data(0, b"hello of a"), b.data(0, b"hello of b")
    assert texts(take(b, hello_a)) == [b"hello of a"]
    assert texts(take(a, hello_b)) == [b"hello of b"]
    assert a.rekey(KEY) == b.rekey(KEY) == []
    a.used(memoryview(hello_b.body))
    b.used(memoryview(hello_a.body))
    return a, b


def take(link: Link, frame: Frame) -> list[Incoming]:
    return link.receive(memoryview(frame.head), memoryview(frame.body))


def texts(items: list[Incoming]) -> list[bytes]:
    assert all(isinstance(item, Delivered) for item in items)
    return [bytes(item.body) for item in items if isinstance(item, Delivered)]


def resent(items: list[Incoming]) -> tuple[Frame, ...]:
    (item,) = items
    assert isinstance(item, Resend)
    return item.frames


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_frames_arrive_in_order_with_their_labels() -> None:
    a, b = keyed()
    (first,) = take(b, a.data(7, b"one"))
    (second,) = take(b, a.data(8, b""))
    assert isinstance(first, Delivered) and isinstance(second, Delivered)
    assert (first.label, bytes(first.body)) == (7, b"one")
    assert (second.label, bytes(second.body)) == (8, b"")


def test_a_frames_size_is_its_header_and_its_payload() -> None:
    a, _ = keyed()
    assert a.data(1, b"12345").size == HEADER_BYTES + 5


def test_a_repeat_is_dropped() -> None:
    a, b = keyed()
    frame = a.data(1, b"one")
    assert texts(take(b, frame)) == [b"one"]
    assert take(b, frame) == [Ignored()]
    assert texts(take(b, a.data(1, b"two"))) == [b"two"]


def test_what_follows_a_gap_waits_for_the_resend() -> None:
    a, b = keyed()
    a.data(1, b"lost")
    assert take(b, a.data(1, b"early")) == [Ignored()]
    again = resent(take(a, b.resume()))
    assert [texts(take(b, frame)) for frame in again] == [[b"lost"], [b"early"]]


def test_only_what_was_not_acknowledged_is_sent_again() -> None:
    a, b = keyed()
    take(b, a.data(1, b"one"))
    take(a, b.data(1, b"this acknowledges one"))
    a.data(1, b"two")
    assert [frame.body for frame in resent(take(a, b.resume()))] == [b"two"]
    assert [frame.body for frame in resent(take(a, b.resume()))] == [b"two"], "until it is acknowledged"
    take(b, a.unacknowledged()[0])
    assert resent(take(a, b.resume())) == ()


def test_who_asks_without_end_is_answered_once_a_connection() -> None:
    a, b = keyed()
    a.data(1, bytes(1000))
    answers = [resent(take(a, b.resume())) for _ in range(1000)]
    assert [len(frames) for frames in answers] == [1, 1, *[0] * 998]
    assert [frame.body for frame in a.connected()] == [bytes(1000)], "it may be a new connection that it asked on last"
    assert a.connected() == ()
    assert len(resent(take(a, b.resume()))) == 1


# What is kept


def test_what_comes_before_the_key_is_bounded() -> None:
    a, b = pair()
    b.data(0, b"hello")
    b.rekey(KEY)
    longest = bytes(HANDSHAKE.longest)
    assert take(a, b.data(1, longest)) == []
    with pytest.raises(ProtocolError, match="b sends more than a can have use for yet") as caught:
        take(a, b.data(1, longest))
    assert caught.value.party == "b"
    a, b = pair()
    b.data(0, b"hello")
    b.rekey(KEY)
    empty = b.data(1, b"")
    for _ in range(HANDSHAKE.nbytes // FRAME_BYTES):
        take(a, empty)
    with pytest.raises(ProtocolError, match="b sends more than a can have use for yet"):  # its objects take memory, too
        take(a, empty)
    a.resume()
    assert take(a, empty) == [], "what came over an earlier connection is kept no more"


def test_what_is_not_used_yet_is_bounded() -> None:
    a, b = keyed()
    a.bound(Backlog(100, 2 * (100 + FRAME_BYTES)), Backlog(0, 0))
    for _ in range(5):
        items = [*take(a, b.data(1, bytes(100))), *take(a, b.data(2, bytes(100)))]
        for item in items:
            assert isinstance(item, Delivered)
            a.used(item.body)
    take(a, b.data(1, bytes(100)))
    take(a, b.data(2, bytes(100)))
    with pytest.raises(ProtocolError, match="b sends more than a can have use for yet"):
        take(a, b.data(3, b""))


def test_a_repeat_takes_no_memory() -> None:
    a, b = keyed()
    a.bound(Backlog(100, 100 + FRAME_BYTES), Backlog(0, 0))
    frame = b.data(1, bytes(100))
    assert texts(take(a, frame)) == [bytes(100)]
    assert [take(a, frame) for _ in range(10)] == [[Ignored()]] * 10


def test_who_acknowledges_nothing_is_sent_a_bounded_amount() -> None:
    a, b = keyed()
    take(a, b.data(1, b"this acknowledges the hello"))
    a.bound(HANDSHAKE, Backlog(100, 2 * (100 + FRAME_BYTES)))
    for _ in range(3):  # an honest one does
        take(b, a.data(1, bytes(100)))
        take(b, a.data(2, bytes(100)))
        take(a, b.data(1, b""))
    a.data(1, bytes(100))
    a.data(2, bytes(100))
    with pytest.raises(ProtocolError, match="b does not acknowledge messages that it has used") as caught:
        a.data(3, b"")
    assert caught.value.party == "b"


def test_late_news_of_a_connection_repeats_nothing_on_its_way() -> None:
    a, b = keyed()
    take(b, a.data(1, b"it came before the news"))
    a.data(1, b"it is on its way")
    assert resent(take(a, b.resume(first=True))) == ()
    assert [frame.body for frame in resent(take(a, b.resume()))] == [b"it is on its way"], "the next may follow a loss"


def test_who_has_nothing_yet_is_sent_all_on_the_first_connection() -> None:
    a, b = pair()
    a.data(1, b"hello of a")
    assert [frame.body for frame in resent(take(a, b.resume(first=True)))] == [b"hello of a"]


def test_a_resume_acknowledges_too() -> None:
    a, b = keyed()
    take(b, a.data(1, b"one"))
    assert resent(take(a, b.resume())) == ()


def test_a_resent_frame_carries_the_newest_acknowledgement() -> None:
    a, b = keyed()
    a.data(1, b"lost")
    take(a, b.data(1, b"from b"))
    (again,) = resent(take(a, b.resume()))
    take(b, again)
    assert resent(take(b, a.resume())) == ()


def test_keyed_frames_that_come_before_the_key_wait_for_it() -> None:
    a, b = pair()
    hello = a.data(0, b"hello")
    a.rekey(KEY)
    second, third = a.data(1, b"second"), a.data(1, b"third")
    assert texts(take(b, hello)) == [b"hello"]
    assert [take(b, frame) for frame in (second, third)] == [[], []]
    assert texts(b.rekey(KEY)) == [b"second", b"third"]


def test_an_early_frame_is_checked_under_the_key_all_the_same() -> None:
    a, b = pair()
    a.data(0, b"hello")
    a.rekey(OTHER_KEY)
    assert take(b, a.data(1, b"second")) == []
    with pytest.raises(ProtocolError, match="a sent a frame whose tag is wrong"):
        b.rekey(KEY)


@pytest.mark.parametrize("receiver_has_key", [False, True])
def test_an_abort_before_the_senders_key_is_read_at_once(receiver_has_key: bool) -> None:
    a, b = pair()
    take(b, a.data(0, b"hello"))
    if receiver_has_key:
        b.rekey(KEY)
    assert take(b, a.abort(b"why")) == [Aborted(b"why")]


@pytest.mark.parametrize("receiver_has_key", [False, True])
def test_who_has_not_shown_its_key_reads_an_abort_at_once(receiver_has_key: bool) -> None:
    a, b = pair()
    take(b, a.data(0, b"hello of a"))
    take(a, b.data(0, b"hello of b"))
    a.rekey(KEY)
    assert take(b, a.data(1, b"second")) == []
    if receiver_has_key:
        assert texts(b.rekey(KEY)) == [b"second"]
    assert take(b, a.abort(b"why")) == [Aborted(b"why")]


def test_an_abort_is_under_the_key_that_the_peer_showed() -> None:
    a, b = keyed()
    assert take(a, b.resume()) == [Resend(())]
    why = a.abort(b"why")
    assert peek_sequence(memoryview(why.head)) > 0
    assert take(b, why) == [Aborted(b"why")]


@pytest.mark.parametrize("receiver_has_key", [False, True])
def test_a_resume_before_the_senders_key_brings_the_hello_again(receiver_has_key: bool) -> None:
    a, b = pair()
    take(b, a.data(0, b"hello of a"))
    b.data(0, b"hello of b")  # lost
    if receiver_has_key:
        b.rekey(KEY)
    assert [texts(take(a, frame)) for frame in resent(take(b, a.resume()))] == [[b"hello of b"]]


def test_a_hello_is_sent_again_under_its_own_key() -> None:
    a, b = pair()
    a.data(0, b"hello")  # lost
    a.rekey(KEY)
    a.data(1, b"second")  # lost
    hello, second = resent(take(a, b.resume()))
    assert texts(take(b, hello)) == [b"hello"]
    assert take(b, second) == []
    assert texts(b.rekey(KEY)) == [b"second"]


@pytest.mark.parametrize("place", range(HEADER_BYTES))
def test_a_change_of_any_byte_of_the_header_is_refused(place: int) -> None:
    a, b = keyed()
    frame = a.data(1, b"payload")
    kind, words = (DisagreementError, "^a speaks version 6") if place == 2 else (ProtocolError, "^a sent a frame")
    with pytest.raises(kind, match=words) as caught:
        take(b, Frame(flipped(frame.head, place), frame.body))
    assert caught.value.party == "a"
    assert texts(take(b, frame)) == [b"payload"], "the altered one has left no trace"


@pytest.mark.parametrize("body", [b"paylpad", b"payload!", b"payloa", b""])
def test_another_payload_is_refused(body: bytes) -> None:
    a, b = keyed()
    frame = a.data(1, b"payload")
    with pytest.raises(ProtocolError, match=r"^a sent a frame"):
        take(b, Frame(frame.head, body))


@pytest.mark.parametrize("head", [b"", b"BL", bytes(HEADER_BYTES - 1), bytes(HEADER_BYTES + 1)])
@pytest.mark.parametrize("with_key", [False, True])
def test_a_header_of_another_length_is_refused(head: bytes, with_key: bool) -> None:
    b = keyed()[1] if with_key else pair()[1]
    with pytest.raises(ProtocolError, match="a sent a frame with a header of"):
        take(b, Frame(head, b""))


def test_a_frame_cannot_be_turned_back_on_its_sender() -> None:
    a, b = keyed()
    take(b, a.data(1, b"one"))
    with pytest.raises(ProtocolError, match="tag is wrong"):
        take(a, a.data(1, b"two"))


def test_a_frame_of_another_peer_or_session_is_refused() -> None:
    a, b = keyed()
    stranger = Link("c", "b")
    stranger.data(0, b"hello")
    stranger.rekey(KEY)
    with pytest.raises(ProtocolError, match="tag is wrong"):
        take(b, stranger.data(1, b"as if from a"))
    other_session = Link("a", "b")
    other_session.data(0, b"hello")
    other_session.rekey(OTHER_KEY)
    with pytest.raises(ProtocolError, match="tag is wrong"):
        take(b, other_session.data(1, b"replayed"))
    assert texts(take(b, a.data(1, b"genuine"))) == [b"genuine"]


def test_a_frame_under_the_public_key_is_no_data_of_the_session() -> None:
    _, b = keyed()
    with pytest.raises(ProtocolError, match="tag is wrong"):
        take(b, Frame(seal(DATA, 1, 1, 0, b"forged", HELLO_KEY), b"forged"))
    with pytest.raises(PeerLostError, match="started again"):  # the hello is over
        take(b, Frame(seal(DATA, 1, 0, 0, b"forged", HELLO_KEY), b"forged"))


@pytest.mark.parametrize("kind", [DATA, RESUME])
def test_acknowledging_what_was_never_sent_is_refused(kind: int) -> None:
    _, b = pair()
    b.data(0, b"hello")
    with pytest.raises(ProtocolError, match="a acknowledges frames that were never sent"):
        take(b, Frame(seal(kind, 1, 0, 2, b"", HELLO_KEY), b""))


def test_the_session_depends_on_every_name_and_nonce() -> None:
    nonces = {"a": b"1" * 32, "b": b"2" * 32}
    known = session_id(nonces)
    assert session_id(dict(reversed(nonces.items()))) == known
    assert session_id({"a": nonces["b"], "b": nonces["a"]}) != known
    assert session_id({**nonces, "c": b"3" * 32}) != known
    assert session_id({"a": nonces["a"], "c": nonces["b"]}) != known
    assert session_id({"a": b"bc"}) != session_id({"ab": b"c"})


def test_a_links_key_needs_both_parts_and_the_session() -> None:
    parts = {"a": b"1" * 32, "b": b"2" * 32}
    known = link_key(b"session", parts)
    assert link_key(b"session", dict(reversed(parts.items()))) == known
    assert link_key(b"another", parts) != known
    assert link_key(b"session", {**parts, "b": b"3" * 32}) != known
    assert link_key(b"session", {"a": parts["a"], "c": parts["b"]}) != known


class LossyPair:
    """Two ends over a connection that keeps the order, and at each cut loses the newest of what is under way.

    Each connection is news at each end, in its turn, though perhaps later than frames that came over it, and then that
    end says what it expects next.
    """

    def __init__(self) -> None:
        self.links = dict(zip("ab", pair(), strict=True))
        self.on_the_way: dict[str, deque[Frame]] = {"a": deque(), "b": deque()}  # by receiver
        self.sent: dict[str, list[bytes]] = {"a": [], "b": []}
        self.got: dict[str, list[bytes]] = {"a": [], "b": []}
        self.rekeyed = {"a": False, "b": False}
        self.news = {"a": 1, "b": 1}
        self.greeted = {"a": False, "b": False}

    def send(self, who: str) -> None:
        body = f"{who}{len(self.sent[who])}".encode()
        if self.sent[who] and not self.rekeyed[who]:
            return  # before the session's key there is nothing but the hello
        self.sent[who].append(body)
        self.on_the_way[other(who)].append(self.links[who].data(len(self.sent[who]), body))
        self._agree(who)

    def receive(self, who: str) -> None:
        if self.on_the_way[who]:
            self._handle(who, take(self.links[who], self.on_the_way[who].popleft()))

    def hear(self, who: str) -> None:
        """The next connection is news to one side, which says what it expects next."""
        if self.news[who]:
            self.news[who] -= 1
            self.on_the_way[other(who)].append(self.links[who].resume(first=not self.greeted[who]))
            self.on_the_way[other(who)].extend(self.links[who].connected())
            self.greeted[who] = True

    def cut(self, kept_a: int, kept_b: int) -> None:
        """All but so many frames to each side are lost; then there is a new connection."""
        for who, kept in (("a", kept_a), ("b", kept_b)):
            while len(self.on_the_way[who]) > kept:
                self.on_the_way[who].pop()
            self.news[who] += 1

    def settle(self) -> None:
        while any(self.on_the_way.values()) or any(self.news.values()):
            for who in "ab":
                self.receive(who)
                self.hear(who)

    def _handle(self, who: str, items: list[Incoming]) -> None:
        for item in items:
            if isinstance(item, Delivered):
                assert item.label == len(self.got[who]) + 1
                self.got[who].append(bytes(item.body))
            elif isinstance(item, Resend):
                self.on_the_way[other(who)].extend(item.frames)
        self._agree(who)

    def _agree(self, who: str) -> None:
        if self.got[who] and self.sent[who] and not self.rekeyed[who]:
            self.rekeyed[who] = True
            self._handle(who, self.links[who].rekey(KEY))


def other(who: str) -> str:
    return "b" if who == "a" else "a"


SIDES = st.sampled_from("ab")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), SIDES),
        st.tuples(st.just("receive"), SIDES),
        st.tuples(st.just("hear"), SIDES),
        st.tuples(st.just("cut"), st.integers(0, 4), st.integers(0, 4)),
    ),
    max_size=80,
)


@steady(150)
@given(STEPS)
def test_after_cuts_every_message_comes_once_and_in_order(steps: list[tuple]) -> None:
    net = LossyPair()
    for name, *rest in steps:
        match name:
            case "send":
                net.send(*rest)
            case "receive":
                net.receive(*rest)
            case "hear":
                net.hear(*rest)
            case _:
                net.cut(*rest)
    net.cut(0, 0)
    net.settle()
    for who in "ab":
        if not net.sent[who]:
            net.send(who)
    net.settle()
    for _ in range(2):
        net.send("a")
        net.send("b")
    net.settle()
    assert net.got["b"] == net.sent["a"]
    assert net.got["a"] == net.sent["b"]
    assert len(net.got["a"]) >= 3 and len(net.got["b"]) >= 3
