"""What a party may have to keep of its peers' messages: as the plan says, and no more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

import mpc.randomness.dealing
from mpc.errors import ProtocolError
from mpc.faults.wires import Sent
from mpc.links.meeting.backlog import _SMALL, backlog, kept
from mpc.links.session import FRAME_BYTES, HANDSHAKE, Link
from mpc.links.wire import DATA, label_code
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import reals
from mpc.testing.cases.inputs import complete
from mpc.testing.cases.programs import Case, taken_case
from mpc.testing.faults.check import play
from mpc.testing.faults.virtual import End, Smooth, VirtualWires
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from tests.testing.cases.registry import CASES

FIRST, LAST = "owner0", "owner1"
SMALL = reals((64,), scale=14, largest=1.0)


async def many(p: Party, x: Share, y: Share) -> Share:
    for _ in range(12):
        x = await truncate(p, await multiply(p, x, y), 14)
    return x


def case_of(protocol: Any, inputs: Any, owners: int) -> Case:
    return taken_case(protocol, inputs, owners, complete(inputs, None, 2), "backlog")


def most_kept(case: Case, monkeypatch: pytest.MonkeyPatch, trouble: Any) -> dict[tuple[str, str], int]:
    """(receiver, sender) -> the most that was kept in a run, from the plan on."""
    most: dict[tuple[str, str], int] = defaultdict(int)
    plain = Link._keep

    def keep(link: Link, body: memoryview) -> None:
        plain(link, body)
        if link._own_limit is not None:
            most[link.me, link.peer] = max(most[link.me, link.peer], link._kept)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "_keep", keep)
        ends, net = play(case, trouble, case.entropy(1))
    assert not net.hanging and all(end.error is None for end in ends.values()), ends
    return most


class Slow:
    """All that comes to one party comes late."""

    def __init__(self, receiver: str, sender: str | None = None) -> None:
        self.receiver, self.sender = receiver, sender

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if sent.receiver == self.receiver and sent.sender != self.sender:
            net.carry(sent, later=0.2)
            return True
        return False


@pytest.mark.parametrize("window", [8, 2000, 1 << 22])
@pytest.mark.parametrize(
    ("protocol", "inputs", "owners"),
    [
        (many, [SMALL, SMALL], 2),
        (many, [SMALL, SMALL], 3),
        (CASES["stop test"].protocol, CASES["stop test"].inputs, 2),
    ],
    ids=["two owners", "three owners", "forks"],
)
def test_no_honest_party_is_further_ahead_than_planned(
    window: int, protocol: Any, inputs: Any, owners: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpc.randomness.dealing, "WINDOW_BYTES", window)
    case = case_of(protocol, inputs, owners)
    plan, last = case.plan, case.owners[-1]
    most: dict[tuple[str, str], int] = defaultdict(int)
    for trouble in (Smooth(), *(Slow(name) for name in (*case.owners, "helper")), Slow(last, sender="helper")):
        for link, nbytes in most_kept(case, monkeypatch, trouble).items():
            most[link] = max(most[link], nbytes)
    for (receiver, sender), nbytes in most.items():
        assert nbytes <= backlog(plan, sender, receiver).nbytes - _SMALL + 3 * FRAME_BYTES, (receiver, sender)
    if not plan.forks and owners == 2:  # and the plan says no more than there can be
        assert most[last, "helper"] >= (backlog(plan, "helper", last).nbytes - _SMALL) * 0.95
    if owners == 3:
        assert max(nbytes for (receiver, _), nbytes in most.items() if receiver == FIRST) > max(
            one.payload for one in plan.rounds
        )


@pytest.mark.parametrize("stop", [0, 1])
def test_no_way_that_a_program_can_take_has_more_to_keep(stop: int) -> None:
    case = case_of(CASES["stop test"].protocol, CASES["stop test"].inputs, 2)
    other = case.plan.on([False] * stop + [True])
    for receiver, nbytes in kept(other).items():
        assert nbytes <= kept(case.plan)[receiver] + len(case.plan.forks) * FRAME_BYTES


class Flood:
    """One party sends much more, at one moment, than anybody asked it for."""

    def __init__(self, sender: str, receiver: str, when: Callable[[Sent], bool], size: int) -> None:
        self.sender, self.receiver, self.when, self.size = sender, receiver, when, size
        self.began = False
        self.links: dict[tuple[str, str], Link] = {}

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if not self.began and (sent.sender, sent.receiver) == (self.sender, self.receiver) and self.when(sent):
            self.began = True
            net.carry(sent)
            link = self.links[self.sender, self.receiver]
            for _ in range(1000 if self.size else 6000):
                label = int.from_bytes(sent.frame.head[4:8], "little")
                frame = link._frame(DATA, label, link._next_out, bytes(self.size))
                net.carry(Sent(sent.number, self.sender, self.receiver, frame))
                link._next_out += 1
            return True
        return False


def flooded(case: Case, flood: Flood, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, End], int]:
    """How all end, and the most that one link kept."""
    most = 0
    plain, make = Link._keep, Link.__init__

    def init(link: Link, me: str, peer: str) -> None:
        make(link, me, peer)
        flood.links[me, peer] = link

    def keep(link: Link, body: memoryview) -> None:
        nonlocal most
        plain(link, body)
        most = max(most, link._kept)

    with monkeypatch.context() as patch:
        patch.setattr(Link, "__init__", init)
        patch.setattr(Link, "_keep", keep)
        ends, net = play(case, flood, case.entropy(1))
    assert not net.hanging and flood.began
    return ends, most


def of(label: str) -> Callable[[Sent], bool]:
    return lambda sent: sent.frame.head[3] == DATA and sent.frame.head[4:8] == label_code(label).to_bytes(4, "little")


@pytest.mark.parametrize("size", [0, 30_000])
@pytest.mark.parametrize(
    ("sender", "receiver", "label"),
    [
        ("helper", LAST, "deal"),
        ("helper", FIRST, "seeds"),
        (LAST, "helper", "credit"),
        (FIRST, "helper", "seeds"),
        (FIRST, LAST, "multiply"),
        (LAST, FIRST, "shapes"),
        (LAST, "helper", "hello"),
    ],
)
def test_who_sends_more_than_is_of_use_is_named(
    sender: str, receiver: str, label: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpc.randomness.dealing, "WINDOW_BYTES", 8)
    case = case_of(many, [SMALL, SMALL], 2)
    ends, most = flooded(case, Flood(sender, receiver, of(label), size), monkeypatch)
    error = ends[receiver].error
    assert isinstance(error, ProtocolError) and error.party == sender
    more = f"{sender} sends more than {receiver} can have use for yet"
    assert error.message == more or label in ("deal", "credit", "hello"), error  # found wrong before, one by one
    assert most <= max(HANDSHAKE.nbytes, backlog(case.plan, sender, receiver).nbytes)


def test_a_payload_longer_than_any_of_the_plan_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    case = case_of(many, [SMALL, SMALL], 2)
    size = backlog(case.plan, FIRST, LAST).longest + 1
    ends, _ = flooded(case, Flood(FIRST, LAST, of("multiply"), size), monkeypatch)
    error = ends[LAST].error
    assert isinstance(error, ProtocolError) and error.party == FIRST
    assert error.message == f"{FIRST} sends a message that is longer than any that is due from it"
