"""The network in virtual time: order, loss, breaks, deaths and hangs, and the same on every run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from mpc.faults.wires import Sent
from mpc.links.network import Came, Connected, Disconnected, Event, Overlong
from mpc.links.session import Frame
from mpc.testing.faults.virtual import LATENCY, End, Smooth, Trouble, VirtualNetwork, VirtualWires

HORIZON = 100.0
Doing = Callable[[Sent, VirtualWires], bool]


def frame(k: int) -> Frame:
    return Frame(bytes([k]) * 48, b"")


class Doer:
    def __init__(self, doing: Doing) -> None:
        self.doing = doing

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        return self.doing(sent, net)


def log(net: VirtualNetwork, name: str, seconds: float) -> list[tuple[float, str]]:
    """All that happens to a party for so long."""
    end, seen = net.end_of(name), []
    while (left := seconds - end.now()) > 0:
        event = end.poll(left)
        if event is not None:
            seen.append((round(end.now(), 6), _said(event)))
    return seen


def _said(event: Event) -> str:
    match event:
        case Came(_, head, _):
            return str(head[0])
        case Connected():
            return "up"
        case Disconnected():
            return "down"
        case Overlong():
            return "too long"
    return "?"


def run(trouble: Trouble, sends: int = 4, pause: float = 0.0, seconds: float = 5.0) -> tuple[dict[str, End], Any]:
    """a sends b some frames, once they are connected; both then watch."""
    net = VirtualNetwork(("a", "b"), trouble, HORIZON)

    def a() -> Any:
        end = net.end_of("a")
        assert isinstance(end.poll(1), Connected)
        for k in range(sends):
            end.send("b", frame(k))
            if pause:
                end.poll(pause)
        return log(net, "a", seconds)

    return net.run({"a": a, "b": lambda: log(net, "b", seconds)}), net


def texts(end: End) -> list[str]:
    return [text for _, text in end.value]


def test_frames_come_in_order_after_the_latency() -> None:
    ends, net = run(Smooth())
    assert ends["b"].value == [(LATENCY, "up"), *((2 * LATENCY, str(k)) for k in range(4))]
    assert net.time == pytest.approx(5.0)
    assert [sent.number for sent in net.sent] == [0, 1, 2, 3]


def test_the_same_on_every_run() -> None:
    def odd(sent: Sent, net: VirtualWires) -> bool:
        if sent.number == 1:
            net.cut("a", "b", 0.25)
        return sent.number == 1

    assert len({str(run(Doer(odd), pause=0.1)[0]) for _ in range(5)}) == 1


def test_a_late_frame_holds_up_those_behind_it() -> None:
    def late(sent: Sent, net: VirtualWires) -> bool:
        if sent.number == 1:
            net.carry(sent, later=1.0)
        return sent.number == 1

    ends, _ = run(Doer(late))
    assert [at for at, _ in ends["b"].value[1:]] == pytest.approx([0.002, 1.002, 1.002, 1.002])
    assert texts(ends["b"]) == ["up", "0", "1", "2", "3"]


def test_a_frame_that_is_overtaken() -> None:
    def held(number: int) -> Doing:
        def doing(sent: Sent, net: VirtualWires) -> bool:
            if sent.number == number:
                net.overtake(sent, 0.5)
            return sent.number == number

        return doing

    assert texts(run(Doer(held(1)))[0]["b"]) == ["up", "0", "2", "1", "3"]
    last, _ = run(Doer(held(3)))
    assert last["b"].value[-1] == (pytest.approx(0.502), "3")  # nobody overtook it


def test_a_payload_longer_than_allowed_is_told_and_not_kept() -> None:
    net = VirtualNetwork(("a", "b"), Smooth(), HORIZON)
    net.end_of("b").allow("a", 7)

    def a() -> None:
        end = net.end_of("a")
        end.poll(1)
        for k, length in enumerate((7, 8, 0)):
            end.send("b", Frame(bytes([k]) * 48, bytes(length)))
        end.poll(1)

    ends = net.run({"a": a, "b": lambda: log(net, "b", 0.5)})
    assert texts(ends["b"]) == ["up", "0", "too long", "2"]


@pytest.mark.parametrize("unnoticed", [None, "a"])
def test_a_break_loses_frames_under_way_and_the_listeners(unnoticed: str | None) -> None:
    def cut(sent: Sent, net: VirtualWires) -> bool:
        if sent.number == 2:
            net.cut("a", "b", 1.0, unnoticed_by=unnoticed)
        return sent.number == 2

    ends, _ = run(Doer(cut))  # b dials a: a's frame 3 goes into a listener without a connection
    assert texts(ends["b"]) == ["up", "down", "up"]
    assert texts(ends["a"]) == (["up"] if unnoticed else ["down", "up"])


def test_an_unnoticed_break_is_learnt_when_no_peer_comes_back() -> None:
    def cut(sent: Sent, net: VirtualWires) -> bool:
        net.cut("a", "b", 1.0, unnoticed_by="a")
        return True

    net = VirtualNetwork(("a", "b"), Doer(cut), HORIZON)

    def a() -> Any:
        end = net.end_of("a")
        end.poll(1)
        end.send("b", frame(0))
        return log(net, "a", 3)

    ends = net.run({"a": a, "b": lambda: log(net, "b", 0.5)})
    assert texts(ends["b"]) == ["up", "down"]
    assert ends["a"].value == [(pytest.approx(1.001, abs=0.01), "down")]


def test_the_dialling_side_keeps_its_frames_unconnected() -> None:
    def cut(sent: Sent, net: VirtualWires) -> bool:
        if sent.number == 0:
            net.cut("a", "b", 1.0)
        return sent.number == 0

    net = VirtualNetwork(("b", "a"), Doer(cut), HORIZON)  # now a dials b

    def a() -> Any:
        end = net.end_of("a")
        end.poll(1)
        for k in range(3):
            end.send("b", frame(k))
        return log(net, "a", 5)

    ends = net.run({"a": a, "b": lambda: log(net, "b", 5)})
    assert texts(ends["b"]) == ["up", "down", "up", "1", "2"]


def test_a_death_is_seen_after_what_was_sent_before() -> None:
    def die(sent: Sent, net: VirtualWires) -> bool:
        if sent.number == 2:
            net.die(sent.sender)
        return False

    ends, net = run(Doer(die))
    assert ends["a"].died and ends["a"].error is None and not ends["b"].died
    assert texts(ends["b"]) == ["up", "0", "1", "down"]
    assert net.hanging == []


def test_who_leaves_is_seen_to_leave_and_errors_are_kept() -> None:
    net = VirtualNetwork(("a", "b"), Smooth(), HORIZON)

    def a() -> Any:
        net.end_of("a").poll(1)
        raise ValueError("gone")

    ends = net.run({"a": a, "b": lambda: log(net, "b", 3)})
    assert str(ends["a"].error) == "gone" and not ends["a"].died
    assert texts(ends["b"]) == ["up", "down"]


def test_who_waits_beyond_the_horizon_hangs() -> None:
    net = VirtualNetwork(("a", "b", "c"), Smooth(), HORIZON)

    def forever(name: str) -> Callable[[], None]:
        def wait() -> None:
            while True:
                net.end_of(name).poll(7)

        return wait

    before = threading.active_count()
    ends = net.run({"a": forever("a"), "b": lambda: "done", "c": forever("c")})
    assert net.hanging == ["a", "c"]
    assert ends["b"].value == "done" and not ends["a"].died
    assert threading.active_count() <= before + 1  # unwound, all but perhaps the one that is just ending


def test_polling_without_waiting_takes_time_too() -> None:
    net = VirtualNetwork(("a", "b"), Smooth(), 1e-3)

    def busy() -> None:
        while True:
            net.end_of("a").poll(0)

    net.run({"a": busy, "b": lambda: None})
    assert net.hanging == ["a"]
