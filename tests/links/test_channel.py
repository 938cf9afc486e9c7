"""Rounds over real links: order, deadlines, lost and regained contact, and what peers are told when one gives up."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from mpc.channel import Channel, Limits
from mpc.correlation import Spec
from mpc.errors import DataError, DisagreementError, InternalError, InterruptedRun, PeerLostError, ProtocolError
from mpc.prg import derive
from mpc.ring import B8, wide
from mpc.round import Blob, Program, Round
from mpc.session import Frame
from mpc.trace import Trace
from mpc.transport import Transport, new_identity
from mpc.wire import HEADER_BYTES
from tests.links.over_zmq import ANYWHERE, LIMITS, LONG, Sent, Site, at_once, sites, values
from tests.links.relay import DIALLER, LISTENER, Relay

KEY = bytes(range(32))
ONE_WORD = (Spec((1,)),)


def word(value: int) -> tuple[np.ndarray, ...]:
    return (np.array([value], dtype=np.uint64),)


def swap(peer: str, value: int, label: str = "swap") -> Round:
    """Both send one word and wait for the other's."""
    return Round({peer: word(value)}, {peer: ONE_WORD}, label)


def greet(site: Site) -> None:
    """What stands for the handshake: a hello each way, then the session's key."""
    for peer in site.channel._links:
        site.channel.exchange(Round({peer: b"hello"}, {peer: Blob(100)}, "hello"))
        site.channel.rekey(peer, KEY)
    site.trace.restart_counts()


def both(
    parties: dict[str, Site], job: Callable[[Site, str], Any], trouble: Callable[[], Any] = lambda: None
) -> dict[str, Any]:
    """The same for a and b, at once: job(site, the other's name). Who is done stays until all are."""
    busy = {"a", "b", "trouble"}

    def stay(name: str, peer: str) -> Any:
        try:
            return job(parties[name], peer)
        finally:
            busy.discard(name)
            while busy:
                parties[name].channel._step(time.monotonic() + 0.01)

    def disturb() -> None:
        try:
            trouble()
        finally:
            busy.discard("trouble")

    got = values(at_once({"a": lambda: stay("a", "b"), "b": lambda: stay("b", "a"), "trouble": disturb}))
    return {name: got[name] for name in parties}


@pytest.fixture
def pair() -> Iterator[dict[str, Site]]:
    with sites("a", "b") as parties:
        both(parties, lambda site, _: greet(site))
        yield parties


def fails(parties: dict[str, Site], name: str, job: Callable[[], Any], kind: type[Exception], words: str) -> Any:
    with pytest.raises(kind, match=words) as caught:
        job()
    return caught.value


def hasty(limits: Limits) -> Any:
    return sites("a", "b", limits=limits)


# Rounds


def test_a_round_brings_each_peers_arrays() -> None:
    specs = (Spec((2, 3), 4), Spec((5,), 0, B8), Spec((0,)), Spec((2,), 0, wide(128)))

    def arrays(seed: int) -> tuple[np.ndarray, ...]:
        stream = [derive(bytes([seed]), "arrays")] * 4
        return tuple(
            spec.ring.from_bytes(memoryview((part * 4)[: spec.nbytes]), spec.shape)
            for spec, part in zip(specs, stream, strict=True)
        )

    names = ("a", "b", "c")

    def job(site: Site) -> dict[str, Any]:
        greet(site)
        peers = [name for name in names if name != site.name]
        mine = tuple(s.ring.words(a) for s, a in zip(specs, arrays(names.index(site.name)), strict=True))
        return site.channel.exchange(Round(dict.fromkeys(peers, mine), dict.fromkeys(peers, specs), "all"))

    with sites(*names) as parties:
        got = values(at_once({name: lambda site=site: job(site) for name, site in parties.items()}))  # type: ignore[misc]
        for name in names:
            assert set(got[name]) == set(names) - {name}
            for peer, received in got[name].items():
                for mine, theirs in zip(received, arrays(names.index(peer)), strict=True):
                    assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)
            trace, size = parties[name].trace, sum(spec.nbytes for spec in specs) + HEADER_BYTES
            assert (trace.rounds, trace.messages) == (1, 2)
            assert trace.bytes_sent == trace.bytes_received == 2 * size
            assert trace.labels == {"all": 1}


def test_a_faster_peers_messages_wait_for_their_round(pair: dict[str, Site]) -> None:
    def job(site: Site, peer: str) -> list[int]:
        if site.name == "a":
            for number in range(20):
                site.channel.push(peer, f"round {number}", np.array([number], dtype=np.uint64).tobytes())
            return []
        return [
            int(site.channel.exchange(Round({}, {peer: ONE_WORD}, f"round {number}"))[peer][0][0])
            for number in range(20)
        ]

    assert both(pair, job)["b"] == list(range(20))


def test_a_program_is_driven_to_its_result(pair: dict[str, Site]) -> None:
    async def program(peer: str, start: int) -> int:
        value = start
        for number in range(10):
            got = await swap(peer, value, f"step {number}")
            value += int(got[peer][0][0])
        return value

    got = both(pair, lambda site, peer: site.channel.drive(program(peer, len(peer) + ord(site.name))))
    assert got["a"] == got["b"] == (1 + 97 + 1 + 98) * 2**9


def test_a_program_is_closed_when_its_round_fails() -> None:
    closed = []

    async def program() -> None:
        try:
            await Round({}, {"b": ONE_WORD}, "waiting")
        finally:
            closed.append(True)

    started: Program = program()
    with hasty(Limits(LONG, 0.05, LONG)) as parties, pytest.raises(PeerLostError):
        parties["a"].channel.drive(started)
    assert closed == [True]


def test_pushed_messages_come_in_order_and_are_counted(pair: dict[str, Site]) -> None:
    def job(site: Site, peer: str) -> list[bytes]:
        if site.name == "a":
            for number in range(5):
                site.channel.push(peer, "window", bytes([number]) * 10)
            return [bytes(site.channel.pull(peer, "thanks"))]
        got = [bytes(site.channel.pull(peer, "window")) for _ in range(5)]
        site.channel.push(peer, "thanks", b"")
        return got

    got = both(pair, job)
    assert got == {"a": [b""], "b": [bytes([number]) * 10 for number in range(5)]}
    a, b = pair["a"].trace, pair["b"].trace
    assert a.bytes_sent == b.bytes_received == 5 * (HEADER_BYTES + 10)
    assert b.bytes_sent == a.bytes_received == HEADER_BYTES
    assert (a.rounds, a.messages, b.rounds, b.messages) == (0, 5, 0, 1)


def test_each_answer_is_looked_at_when_it_comes() -> None:
    """So that a peer's mistake is found even where another peer never answers."""

    def look(peer: str, answer: bytes) -> bytes:
        if answer != b"hello":
            raise ProtocolError(f"{peer} is rude", party=peer)
        return answer + b", looked at"

    with sites("a", "b", "c") as parties:
        parties["b"].channel.push("a", "hello", b"hey!")
        one = Round({}, {"b": Blob(100), "c": Blob(100)}, "hello")
        with pytest.raises(ProtocolError, match="b is rude"):
            parties["a"].channel.exchange(one, None, look)
        parties["c"].channel.push("b", "hello", b"hello")
        assert parties["b"].channel.exchange(Round({}, {"c": Blob(100)}, "hello"), None, look) == {
            "c": b"hello, looked at"
        }


# What is refused


def test_a_message_of_another_round_is_refused(pair: dict[str, Site]) -> None:
    pair["b"].channel.push("a", "another", bytes(8))
    error = fails(
        pair, "a", lambda: pair["a"].channel.exchange(swap("b", 1)), ProtocolError, "a waits for b in 'swap', which is"
    )
    assert error.party == "b"
    pair["b"].channel.push("a", "another", bytes(8))
    fails(pair, "a", lambda: pair["a"].channel.pull("b", "deal"), ProtocolError, "a waits for b in 'deal', which is in")


@pytest.mark.parametrize("length", [0, 7, 9, 16])
def test_a_message_of_another_length_is_refused(pair: dict[str, Site], length: int) -> None:
    pair["b"].channel.push("a", "swap", bytes(length))
    error = fails(
        pair,
        "a",
        lambda: pair["a"].channel.exchange(swap("b", 1)),
        ProtocolError,
        f"a message from b in 'swap' has {length} bytes instead of 8",
    )
    assert error.party == "b"


def test_a_message_longer_than_allowed_is_refused(pair: dict[str, Site]) -> None:
    pair["b"].channel.push("a", "text", bytes(101))
    fails(
        pair,
        "a",
        lambda: pair["a"].channel.exchange(Round({}, {"b": Blob(100)}, "text")),
        ProtocolError,
        "b sent 101 bytes in 'text': too many",
    )


@pytest.mark.parametrize("place", [0, 5, 8, 20, HEADER_BYTES - 1])
def test_an_altered_frame_is_refused(pair: dict[str, Site], place: int) -> None:
    def alter(sent: Sent) -> Frame:
        return Frame(sent.head[:place] + bytes([sent.head[place] ^ 4]) + sent.head[place + 1 :], sent.body)

    pair["b"].transport.wire = alter
    pair["b"].channel.push("a", "swap", bytes(8))
    fails(pair, "a", lambda: pair["a"].channel.exchange(swap("b", 1)), ProtocolError, "^b sent a frame")


def test_a_refused_key_is_told_at_once_naming_both() -> None:
    a, b = new_identity(), new_identity()
    listener = Transport(a, {"b": new_identity().public}, ANYWHERE)
    dialler = Transport(b, {"a": a.public}, None)
    try:
        dialler.dial("a", str(listener.endpoint))
        said: list[str] = []
        waiting = Channel("a", ["b"], listener, LIMITS, Trace(lambda *_: None), said.append)
        refused = Channel("b", ["a"], dialler, LIMITS, Trace(lambda *_: None), said.append)
        ends = at_once(
            {
                "b": lambda: refused.exchange(swap("a", 1)),
                "a": lambda: waiting.exchange(swap("b", 1), 0.6),
            }
        )
    finally:
        dialler.close(0)
        listener.close(0)
    error = ends["b"].error
    assert isinstance(error, DisagreementError) and error.party == "a"
    assert "a refuses this party's key" in error.message and "the public keys of b and a" in error.hint
    assert isinstance(ends["a"].error, PeerLostError)
    assert said == [f"turned away a connection with the unlisted key {b.public.decode()}"], "once, however often"


# Deadlines


def test_who_never_connected_is_named() -> None:
    with hasty(Limits(LONG, LONG, LONG)) as parties:
        error = fails(
            parties,
            "a",
            lambda: parties["a"].channel.exchange(swap("b", 1), 0.05),
            PeerLostError,
            "^b did not connect in time",
        )
        assert error.party == "b" and "addresses" in error.hint


def test_who_does_not_answer_in_time_is_named_with_the_round(pair: dict[str, Site]) -> None:
    error = fails(
        pair,
        "a",
        lambda: pair["a"].channel.exchange(swap("b", 1, "matmul"), 0.05),
        PeerLostError,
        "^b did not answer in 'matmul' in time",
    )
    assert error.party == "b"


def test_a_rounds_deadline_is_the_limits_one_where_none_is_given() -> None:
    with hasty(Limits(LONG, 0.05, LONG)) as parties:
        fails(parties, "a", lambda: parties["a"].channel.exchange(swap("b", 1)), PeerLostError, "did not connect")


def test_a_late_answer_within_the_deadline_is_taken(pair: dict[str, Site]) -> None:
    answered = threading.Event()

    def job(site: Site, peer: str) -> int:
        if site.name == "b":
            assert answered.wait(LONG)
        else:
            timer = threading.Timer(0.3, answered.set)
            timer.start()
        return int(site.channel.exchange(swap(peer, ord(site.name)))[peer][0][0])

    assert both(pair, job) == {"a": ord("b"), "b": ord("a")}


# Giving up


def aborted(pair: dict[str, Site], error: Any, stage: str) -> tuple[Any, dict[str, Any]]:
    """What a is told when b gives up, and the bytes that say it."""
    frames: list[Sent] = []

    def watch(sent: Sent) -> Frame:
        frames.append(sent)
        return Frame(sent.head, sent.body)

    pair["b"].transport.wire = watch
    pair["b"].channel.abort(error, stage)
    with pytest.raises(type(error)) as caught:
        pair["a"].channel.exchange(swap("b", 1))
    (frame,) = [f for f in frames if f.head[3] == 3]
    return caught.value, json.loads(frame.body)


def test_an_abort_tells_code_party_and_stage_only(pair: dict[str, Site]) -> None:
    secret = DataError("row 17 of patients.csv holds 'Smith, 1961'", "look into /data/patients.csv", party="b")
    told, fields = aborted(pair, secret, "data")
    assert fields == {"code": "data", "stage": "data", "origin": "b"}
    assert told.exit_code == secret.exit_code and told.party == "b" and told.told_by == "b"
    assert told.message == "b stopped the run in stage 'data' (data)" and told.hint == "the log of b says why"


def test_an_abort_about_another_party_names_that_one(pair: dict[str, Site]) -> None:
    _, fields = aborted(pair, PeerLostError("lost contact with c", party="c"), "training")
    assert fields == {"code": "peer-lost", "stage": "training", "origin": "c"}


def test_an_abort_that_was_told_keeps_its_origin(pair: dict[str, Site]) -> None:
    told = DataError("c stopped the run", party="c", told_by="c")
    _, fields = aborted(pair, told, "training")
    assert fields == {"code": "data", "stage": "training", "origin": "c"}


def test_an_error_about_a_peer_that_was_found_here_comes_from_here(pair: dict[str, Site]) -> None:
    _, fields = aborted(pair, ProtocolError("a sent nonsense", party="a"), "training")
    assert fields == {"code": "protocol", "stage": "training", "origin": "b"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b"[1, 2]", ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b'{"code": "data"}', ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b"[" * 100_000, ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b'{"code": "x", "stage": "s", "origin": "b"}', InternalError, "b stopped the run in stage 's' (internal)"),
        (b'{"code": "data", "stage": "s", "origin": "all"}', DataError, "b stopped the run in stage 's' (data)"),
        (b'{"code": "data", "stage": "s", "origin": "a"}', DataError, "a stopped the run in stage 's' (data)"),
        (
            b'{"code": "data", "stage": "a\\nFAKE LINE", "origin": "b"}',
            DataError,
            "b stopped the run in stage 'unknown' (data)",
        ),
        (
            json.dumps({"code": "data", "stage": "s" * 1000, "origin": "b"}).encode(),
            DataError,
            f"b stopped the run in stage '{'s' * 64}' (data)",
        ),
    ],
)
def test_nothing_of_an_aborts_text_is_trusted(
    pair: dict[str, Site], body: bytes, kind: type[Exception], words: str
) -> None:
    pair["b"].transport.send("a", pair["b"].channel._links["a"].abort(body))
    error = fails(pair, "a", lambda: pair["a"].channel.exchange(swap("b", 1)), kind, "stopped the run")
    assert error.message == words


def test_an_abort_before_the_session_key_reaches_peers_with_and_without_it() -> None:
    """b gives up while it waits for a third party: a has its key with b already, c has none yet."""
    with sites("a", "c", "b") as parties:
        for peer in ("a", "c"):
            parties["b"].channel.push(peer, "hello", b"hello")
            assert bytes(parties[peer].channel.pull("b", "hello", LONG)) == b"hello"
        parties["a"].channel.rekey("b", KEY)
        parties["b"].channel.abort(DataError("no such file", party="b"), "data")
        for peer in ("a", "c"):
            fails(
                parties,
                peer,
                lambda peer=peer: parties[peer].channel.exchange(swap("b", 1)),  # type: ignore[misc]
                DataError,
                "b stopped the run in stage 'data'",
            )


def test_who_only_just_connects_hears_that_another_gave_up() -> None:
    """a gives up before b is connected, and nobody but a itself can let b in."""
    with sites("a", "b") as parties:
        ends = at_once(
            {
                "a": lambda: parties["a"].channel.abort(DataError("no such file", party="a"), "data"),
                "b": lambda: parties["b"].channel.exchange(swap("a", 1)),
            }
        )
    assert ends["a"].error is None
    error = ends["b"].error
    assert isinstance(error, DataError) and error.told_by == "a"


@pytest.mark.parametrize("error", [PeerLostError("b did not connect", party="b"), InterruptedRun("stopped", party="a")])
def test_nobody_waits_for_peers_after_an_interrupt_or_in_vain(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.channel._FAREWELL_SECONDS", 2 * LONG)
    with sites("a", "b") as parties:
        values(at_once({"a": lambda: parties["a"].channel.abort(error, "connecting")}))


# Lost contact


class Cut:
    """a listens, b dials it through a relay."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.relay: Any = None
        self._sites = sites("a", "b", limits=limits, through={("b", "a"): self._through})

    def _through(self, endpoint: str) -> str:
        self.relay = Relay(endpoint)
        return str(self.relay.dial)

    def __enter__(self) -> Cut:
        self.parties = self._sites.__enter__()
        both(self.parties, lambda site, _: greet(site))
        return self

    def __exit__(self, *details: Any) -> None:
        self._sites.__exit__(*details)
        self.relay.__exit__(*details)


COUNT, BATCH, SIZE = 120, 4, 20_000


def spoken(who: str, number: int) -> bytes:
    return derive(who.encode(), str(number)) * (SIZE // 32)


def pour(site: Site, peer: str, relay: Relay, sides: tuple[str, ...]) -> list[bytes]:
    """Send all messages, a batch ahead of what the other has sent; in turn, each side spoils the connection."""
    got: list[bytes] = []

    def take(batch: range) -> None:
        got.extend(bytes(site.channel.pull(peer, f"message {number}", LONG)) for number in batch)

    for start in range(0, COUNT, BATCH):
        spoil = start % 40 == (20 if site.name == "a" else 0) and start > 0
        if spoil:
            relay.swallow()
        for number in range(start, start + BATCH):
            site.channel.push(peer, f"message {number}", spoken(site.name, number))
        if spoil:
            assert relay.swallowed.wait(LONG)
            relay.cut(*sides)
        if start > 0:
            take(range(start - BATCH, start))
    take(range(COUNT - BATCH, COUNT))
    return got


@pytest.mark.parametrize("noticed_by", ["both", "the dialler", "the listener"])
def test_whatever_a_cut_loses_comes_once_and_in_order(noticed_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both pour messages at each other; the relay loses what is under way and breaks the connection, several times."""
    monkeypatch.setattr("mpc.transport._HEARTBEAT_MS", 50)  # the side whose connection stands notices by these
    monkeypatch.setattr("mpc.transport._HEARTBEAT_TIMEOUT_MS", 200)
    sides = {"both": (), "the dialler": (DIALLER,), "the listener": (LISTENER,)}[noticed_by]
    with Cut() as cut:
        got = both(cut.parties, lambda site, peer: pour(site, peer, cut.relay, sides))
        assert got["a"] == [spoken("b", number) for number in range(COUNT)]
        assert got["b"] == [spoken("a", number) for number in range(COUNT)]
        size = HEADER_BYTES + len(spoken("a", 0))
        for site in cut.parties.values():
            assert site.trace.messages == COUNT
            assert site.trace.bytes_sent == site.trace.bytes_received == COUNT * size
            assert site.trace.resent > 0
        assert cut.relay.connections >= 5


@pytest.mark.parametrize("lost_by", ["a", "b"])
@pytest.mark.parametrize("sides", [(), (DIALLER,)], ids=["both notice", "only the dialler notices"])
def test_one_lost_frame_is_sent_again(lost_by: str, sides: tuple[str, ...]) -> None:
    with Cut() as cut:
        cut.relay.swallow()
        cut.parties[lost_by].channel.push("b" if lost_by == "a" else "a", "swap", word(ord(lost_by))[0].tobytes())
        assert cut.relay.swallowed.wait(LONG)
        cut.relay.cut(*sides)

        def job(site: Site, peer: str) -> int:
            send = {} if site.name == lost_by else {peer: word(ord(site.name))}
            return int(site.channel.exchange(Round(send, {peer: ONE_WORD}, "swap"))[peer][0][0])

        assert both(cut.parties, job) == {"a": ord("b"), "b": ord("a")}
        assert cut.parties[lost_by].trace.resent >= 1
        assert [site.trace.messages for site in cut.parties.values()] == [1, 1]
        assert cut.relay.connections == 2


@pytest.mark.parametrize("speaker", ["a", "b"])
def test_what_is_sent_while_contact_is_lost_comes_when_it_is_back(speaker: str) -> None:
    with Cut() as cut:
        site, peer = cut.parties[speaker], "b" if speaker == "a" else "a"
        cut.relay.pause()
        cut.relay.cut()
        end = time.monotonic() + LONG
        while peer not in site.channel._down and time.monotonic() < end:
            site.channel._step(time.monotonic() + 0.05)
        for number in range(10):
            site.channel.push(peer, "message", bytes([number]))
        cut.relay.resume()

        def job(site: Site, peer: str) -> list[int]:
            if site.name == speaker:
                return [site.channel.pull(peer, "thanks", LONG)[0]]
            got = [site.channel.pull(peer, "message", LONG)[0] for _ in range(10)]
            site.channel.push(peer, "thanks", b"!")
            return got

        ends = both(cut.parties, job)
        assert ends[peer] == list(range(10)) and ends[speaker] == [ord("!")]
        assert site.trace.messages == 10 and site.trace.bytes_sent == 10 * (HEADER_BYTES + 1)
        assert any("lost contact" in line for line in site.said) and f"in contact with {peer} again" in site.said


def test_a_cut_before_the_first_hello_arrives_does_no_harm() -> None:
    relays = []

    def lossy(endpoint: str) -> str:
        relays.append(Relay(endpoint))
        return relays[0].dial

    with sites("a", "b", through={("b", "a"): lossy}) as parties:

        def trouble() -> None:
            for number in range(4):
                relays[0].await_connections(number + 1, passed=300 * (number + 1))
                relays[0].cut()

        both(parties, lambda site, _: greet(site), trouble)
        assert both(parties, lambda site, peer: int(site.channel.exchange(swap(peer, 3))[peer][0][0])) == {
            "a": 3,
            "b": 3,
        }
    relays[0].__exit__(None, None, None)


@pytest.mark.parametrize("waiting", ["a", "b"])
def test_lost_for_longer_than_the_patience(waiting: str) -> None:
    with Cut(Limits(LONG, LONG, 0.2)) as cut:
        peer = "b" if waiting == "a" else "a"
        cut.relay.shut()
        error = fails(
            cut.parties,
            waiting,
            lambda: cut.parties[waiting].channel.exchange(swap(peer, 1, "matmul")),
            PeerLostError,
            f"lost contact with {peer} for more than 0.2 s, in 'matmul'",
        )
        assert error.party == peer


def test_a_peer_that_left_after_its_last_frame_is_lost_all_the_same() -> None:
    """Its last frame and the news of its end are there together: the frame must not count as a sign of life."""
    with hasty(Limits(LONG, LONG, 0.2)) as parties:
        both(parties, lambda site, _: greet(site))
        a, b = parties["a"], parties["b"]
        b.channel.push("a", "swap", bytes(8))
        b.transport.close(LONG)
        assert int(a.channel.exchange(swap("b", 1))["b"][0][0]) == 0
        fails(parties, "a", lambda: a.channel.exchange(swap("b", 2)), PeerLostError, "lost contact with b for more")


def test_waiting_for_one_peer_another_that_is_lost_is_noticed() -> None:
    with sites("a", "b", "c", limits=Limits(LONG, LONG, 0.2)) as parties:
        values(at_once({name: lambda site=site: greet(site) for name, site in parties.items()}))  # type: ignore[misc]
        parties["c"].transport.close(0)
        fails(
            parties, "a", lambda: parties["a"].channel.exchange(swap("b", 1)), PeerLostError, "lost contact with c for"
        )


def test_that_a_dismissed_peer_leaves_is_no_loss() -> None:
    with sites("a", "b", "c", limits=Limits(LONG, LONG, 0.1)) as parties:
        values(at_once({name: lambda site=site: greet(site) for name, site in parties.items()}))  # type: ignore[misc]
        a = parties["a"]
        a.channel.dismiss("c")
        parties["c"].transport.close(0)
        fails(parties, "a", lambda: a.channel.exchange(swap("b", 1), 0.5), PeerLostError, "b did not answer in 'swap'")
        assert a.said == []
