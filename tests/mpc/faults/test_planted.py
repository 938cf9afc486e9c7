"""When a fault strikes: by message, round, link, stage or a seeded draw; the same over sockets and in virtual time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mpc.errors import PeerLostError
from mpc.faults.fault import Fault, read_fault, write_fault
from mpc.faults.planted import Planted
from mpc.faults.wires import Sent, Strikes
from mpc.links.session import Frame
from mpc.links.wire import DATA, SIGN, label_code
from mpc.runtime.inputs import reals
from mpc.runtime.party import Party
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.speed import LinkSpeed
from mpc.sharing.share import Share
from mpc.star.lockstep import StarMessage, tap_of
from mpc.testing.cases.programs import same_results, taken_case
from mpc.testing.faults.check import play
from mpc.testing.faults.virtual import End, Smooth, VirtualNetwork
from protocols.core.beaver import multiply

X, Y = reals((4,), scale=14, largest=4), reals((4,), scale=14, largest=4)
CASE = taken_case(multiply, [X, Y], 3, {}, "planted")
ROUND = CASE.plan.rounds[0].label


def frame(sequence: int, label: str = "step", kind: int = DATA) -> Frame:
    """A header with a type, a label and a number; its tag is nobody's here."""
    head = bytearray(HEADER_BYTES)
    head[3] = kind
    head[4:8] = label_code(label).to_bytes(4, "little")
    head[8:16] = sequence.to_bytes(8, "little")
    return Frame(bytes(head), b"")


def struck(planted: Planted, *frames: tuple[str, str, Frame]) -> list[int]:
    """At which of the frames something strikes."""
    return [
        number
        for number, (sender, receiver, one) in enumerate(frames)
        if planted.due(Sent(number, sender, receiver, one)) is not None
    ]


def run(*faults: Fault, seed: int = 0, horizon: float = 60.0) -> tuple[Mapping[str, End], VirtualNetwork, Planted]:
    planted = Planted(faults, seed)
    ends, net = play(CASE, planted, CASE.entropy(1), horizon=horizon)
    return ends, net, planted


@pytest.fixture(scope="module")
def smooth() -> tuple[Mapping[str, End], float]:
    ends, net = play(CASE, Smooth(), CASE.entropy(1))
    return ends, net.time


def recovered(ends: Mapping[str, End], smooth: Mapping[str, End]) -> bool:
    return all(
        end.error is None and not end.died and same_results(end.value.result, smooth[name].value.result)
        for name, end in ends.items()
    )


def test_a_number_counts_the_messages_of_one_link_with_the_label() -> None:
    planted = Planted([Fault("drop", "a", label="step", number=2)])
    sent = [
        *(("a", "b", frame(0, "hello")), ("a", "b", frame(1)), ("a", "c", frame(0)), ("b", "a", frame(0))),
        *(("b", "a", frame(1)), ("a", "b", frame(2)), ("a", "c", frame(1)), ("a", "b", frame(3))),
    ]
    assert struck(planted, *sent) == [5], "once, at the link that comes first"


def test_what_is_sent_again_or_is_no_message_does_not_count() -> None:
    planted = Planted([Fault("drop", "a", number=3)])
    sent = [frame(0), frame(0, kind=SIGN), frame(1), frame(0), frame(1), frame(5, kind=SIGN), frame(2)]
    assert struck(planted, *(("a", "b", one) for one in sent)) == [6]


def test_a_probability_is_drawn_by_seed_link_and_message() -> None:
    def hits(seed: int, sender: str = "a") -> list[int]:
        return struck(Planted([Fault("drop", probability=0.2)], seed), *((sender, "b", frame(k)) for k in range(1000)))

    assert hits(1) == hits(1)
    assert 150 < len(hits(1)) < 250
    assert hits(1) != hits(2) and hits(1) != hits(1, "c")
    assert hits(-3)


def test_faults_travel_as_they_are() -> None:
    for fault in (Fault("stop", "a", stage="training", step=3, seconds=2.0), Fault("drop", "a", "b", probability=0.5)):
        assert read_fault(write_fault(fault)) == fault


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (Fault("kill", "a", label="step", number=3), "a is killed at message 3 in 'step'"),
        (Fault("stop", "a", stage="training", step=2, seconds=1.5), "a stops for 1.5 s in 'training', step 2"),
        (Fault("delay", "a", "b", seconds=2.0), "a message of a to b comes 2 s late at message 1"),
        (Fault("drop", "a", probability=0.1), "a message of a is lost with its connection, for 0.5 s at each message "),
        (Fault("drop", "a", "b", at=3.0), "the connection of a and b is lost for 0.5 s after 3 s"),
        (Fault("restart", "a", at=3.0), "a is killed and started again after 3 s"),
    ],
)
def test_a_fault_in_words(fault: Fault, text: str) -> None:
    assert str(fault).startswith(text)


def test_a_late_message_makes_the_run_so_much_longer(smooth: tuple[Mapping[str, End], float]) -> None:
    ends, net, planted = run(Fault("delay", "owner1", "owner0", label=ROUND, seconds=2.0))
    assert recovered(ends, smooth[0])
    assert net.time == pytest.approx(smooth[1] + 2.0, abs=0.1)
    assert [sent.receiver for _, sent in planted.hit] == ["owner0"]


def test_a_lost_connection_is_lived_through(smooth: tuple[Mapping[str, End], float]) -> None:
    ends, net, planted = run(Fault("drop", "owner1", "owner0", label=ROUND, seconds=0.75))
    assert recovered(ends, smooth[0])
    assert smooth[1] + 0.7 < net.time < smooth[1] + 1.0
    assert len(planted.hit) == 1, "the message that is sent again is not lost again"


def test_a_party_that_stops_is_waited_for(smooth: tuple[Mapping[str, End], float]) -> None:
    ends, net, _ = run(Fault("stop", "owner1", label=ROUND, seconds=1.5))
    assert recovered(ends, smooth[0])
    assert net.time == pytest.approx(smooth[1] + 1.5, abs=0.1)


def test_a_party_that_stops_for_too_long_is_named() -> None:
    ends, _, _ = run(Fault("stop", "owner1", label=ROUND, seconds=40.0))
    error = ends["owner0"].error
    assert isinstance(error, PeerLostError) and error.party == "owner1"


@pytest.mark.parametrize("fault", [Fault("kill", "owner1", label=ROUND), Fault("kill", "owner1", stage="running")])
def test_a_party_that_is_killed_is_named(fault: Fault) -> None:
    ends, _, _ = run(fault)
    assert ends["owner1"].died
    for name in ("owner0", "owner2", "helper"):
        error = ends[name].error
        assert isinstance(error, PeerLostError) and error.party == "owner1"


def test_many_lost_connections_are_lived_through(smooth: tuple[Mapping[str, End], float]) -> None:
    ends, _, planted = run(Fault("drop", probability=0.2, seconds=0.25), seed=3)
    assert len(planted.hit) > 5
    assert recovered(ends, smooth[0])
    assert [str(hit) for hit in run(Fault("drop", probability=0.2, seconds=0.25), seed=3)[2].hit] == [
        str(hit) for hit in planted.hit
    ]


class Clock(Planted):
    """No faults; when each party came to each stage."""

    def __init__(self) -> None:
        super().__init__(())
        self.at: dict[tuple[str, str], float] = {}

    def enters(self, name: str, stage: str, step: int, net: Strikes) -> None:
        assert isinstance(net, VirtualNetwork)
        self.at[name, stage] = net.time


SLOW, THIN = frozenset(("owner0", "owner2")), frozenset(("owner2", "helper"))


@pytest.mark.parametrize(("latency", "rate"), [(0.2, 1e7), (0.01, 2e4), (0.01, 1e7)], ids=["slow", "thin", "even"])
def test_a_virtual_run_takes_as_long_as_planned(latency: float, rate: float) -> None:
    """Nothing is computed in virtual time, so what the plan says of the wire is all."""

    async def rounds(p: Party, x: Share, y: Share) -> Share:
        for _ in range(6):
            x = await multiply(p, x, y)
        return x

    def speed(one: str, other: str) -> LinkSpeed:
        pair = frozenset((one, other))
        return LinkSpeed(latency if pair == SLOW else 0.01, rate if pair == THIN else 1e7)

    many = reals((500,), scale=4, largest=4)
    case, clock = taken_case(rounds, [many, many], 3, {}, "speeds"), Clock()
    ends, _ = play(case, clock, case.entropy(1), horizon=600.0, speed=speed)
    assert all(end.error is None for end in ends.values())
    began, done = (max(clock.at[name, stage] for name in case.owners) for stage in ("running", "done"))
    planned = case.plan.seconds_over(speed)
    assert abs(done - began - planned) < 0.02 + latency / 2
    assert (planned > 10 * case.plan.seconds(0.02, 1e7)) == (latency > 0.1 or rate < 1e5)


@pytest.mark.parametrize("stage", ("keys", "shares", "masked", "unmask"))
def test_clients_of_a_sum_in_lockstep(stage: str) -> None:
    """Who vanishes, or is later than the deadline, drops out where it is due; who is late for less does not."""
    faults = {1: Fault("vanish", stage=stage), 2: Fault("delay", stage=stage, seconds=9.0)}
    faults[3] = Fault("delay", stage=stage, seconds=1.0)
    tap, seen = tap_of(faults, deadline=5.0), {}
    for label in ("keys", "shares", "masked", "unmask"):
        seen[label] = [i for i in range(5) if tap(StarMessage(i, True, label, b"x")) is None]
    due = False
    for label, gone in seen.items():
        due = due or label == stage
        assert gone == ([1, 2] if label == stage else [1] if due else [])
    assert tap(StarMessage(1, False, stage, b"x")) is None, "nothing reaches it any more"
