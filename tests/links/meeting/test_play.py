"""Whole runs over sockets: the same bits as in one thread, and exactly the traffic of the plan."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, InternalError, PeerLostError, ProtocolError
from mpc.links.session import Frame
from mpc.randomness.correlation import Uniform
from mpc.randomness.dealing import WINDOWS_AHEAD
from mpc.randomness.streams import os_entropy
from mpc.ring.rings import Z64
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan
from mpc.runtime.round import HEADER_BYTES
from protocols.core.beaver import matmul, multiply
from protocols.linalg.held import hold
from tests.links.over_zmq import HELPER, LIMITS, Played, Run, Sent, over_zmq
from tests.links.relay import Relays
from tests.mpc.kit import elements, entropy, owners
from tests.protocols.training.test_stop_test import turns

M, D = 6, 3
NOT_COUNTED = ("", "hello", "shapes", "columns", "agree", "seeds", "done", "bye")


def own(p: Party, owner: str, shape: tuple[int, ...], seed: int) -> np.ndarray | None:
    """Small numbers that only their owner gives."""
    if p.dry or p.name != owner:
        return None
    return elements(Z64, shape, seed) >> np.uint64(48)


async def small(p: Party) -> Any:
    """Inputs, a held matrix, two kinds of products, reveals: everything that goes over a link."""
    first, second, last = p.owners[0], p.owners[1], p.owners[-1]
    x = p.input(first, own(p, first, (M, D), 1), (M, D), 4)
    w = p.input(second, own(p, second, (D,), 2), (D,), 8)
    y = p.input(last, own(p, last, (M,), 3), (M,), 4)
    held = await hold(p, x)
    z = await matmul(p, x, w, label="scores")
    squares = await multiply(p, y, y, label="squares")
    scores, sums = await p.reveal(z, squares.sum(), what="scores and squares", why="a test", label="reveal")
    return scores.value, sums.value, squares.value, held.opened.value


def many(count: int, side: int) -> Callable[[Party], Any]:
    """Matrix products, one after the other, each with a correction of side * side words."""

    async def program(p: Party) -> Any:
        a = p.input(p.owners[0], own(p, p.owners[0], (side, side), 1), (side, side), 0)
        b = p.input(p.owners[1], own(p, p.owners[1], (side, side), 2), (side, side), 0)
        for number in range(count):
            a = await matmul(p, a, b, label=f"product {number}")
        (result,) = await p.reveal(a, what="power", why="a test", label="reveal")
        return result.value

    return program


def run(program: Callable[[Party], Any], n: int, **rest: Any) -> Run:
    return over_zmq(dict.fromkeys(owners(n), program), entropy(n), **rest)


def bits(result: Any) -> list[bytes]:
    return [part.tobytes() for part in (result if isinstance(result, tuple) else (result,))]


def check_traffic(done: Run, plan: Plan) -> None:
    """Measured rounds, messages and bytes are the plan's, at every party; and the frames add up to them."""
    played = done.played
    for name, one in played.items():
        assert one.agreement.plan.on(one.trace.ways) == plan
        assert one.rounds == (0 if name == HELPER else len(plan.rounds))
        assert one.messages == plan.messages_sent[name]
        assert one.bytes_sent == plan.bytes_sent[name]
        assert one.resent == 0
    assert sum(one.bytes_received for one in played.values()) == sum(plan.bytes_sent.values())
    for name in played:
        frames = [sent for sent in done.frames if sent.sender == name and sent.label not in NOT_COUNTED]
        assert len(frames) == plan.messages_sent[name]
        assert sum(len(sent.head) + len(sent.body) for sent in frames) == plan.bytes_sent[name]


def test_who_opened_more_than_its_plan_fails_at_its_end() -> None:
    async def program(p: Party) -> Any:
        x = p.input(p.owners[0], own(p, p.owners[0], (3,), 1), (3,), 0)
        masks = [a for _ in range(2) for a in p.correlation(Uniform((Spec((3,)),)))]
        await p.open(*(x - a for a in masks[: 1 if p.dry else 2]), label="one")

    errors = [end.error for end in run(program, 2).ends.values()]
    assert all(isinstance(error, InternalError) for error in errors), "whoever fails first tells the others"
    assert any("opened 2 values in 'one', where its plan has 1" in str(error) for error in errors)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_over_sockets_the_bits_are_those_of_one_thread(n: int) -> None:
    done = run(small, n)
    alone = run_lockstep(dict.fromkeys(owners(n), small), entropy=entropy(n))
    for name in owners(n):
        assert bits(done.played[name].result) == bits(alone.results[name])
        assert tuple(done.played[name].trace.reveals) == alone.plan.reveals
    assert done.played[HELPER].result is None and done.played[HELPER].trace.reveals == []
    check_traffic(done, alone.plan)


def test_every_payload_is_the_one_of_the_run_in_a_thread() -> None:
    sent_alone: list[tuple[str, str, str, bytes]] = []

    def tap(message: Any) -> bytes:
        sent_alone.append((message.sender, message.receiver, message.label, message.body))
        return bytes(message.body)

    run_lockstep(dict.fromkeys(owners(3), small), entropy=entropy(3), tap=tap)
    done = run(small, 3)
    labels = {label for _, _, label, _ in sent_alone}
    over = [(f.sender, f.receiver, f.label, f.body) for f in done.frames if f.label in labels]
    assert sorted(over) == sorted(sent_alone)


def test_only_frames_of_the_rounds_travel_and_none_to_the_helper() -> None:
    done = run(small, 3)
    to_helper = {f.label for f in done.frames if f.receiver == HELPER}
    from_helper = {f.label for f in done.frames if f.sender == HELPER}
    rounds = {"hello", "shapes", "agree", "seeds", "done", "bye", ""}  # the last stands for what is not data
    assert (to_helper, from_helper) == ({*rounds, "columns"}, {*rounds, "deal"})
    assert {f.receiver for f in done.frames if f.label == "deal"} == {owners(3)[-1]}


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 12])
def test_windows_and_credits(n: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 4 * 4 * 8)
    program = many(count, 4)
    done = run(program, n)
    alone = run_lockstep(dict.fromkeys(owners(n), program), entropy=entropy(n))
    assert alone.plan.windows == (128,) * count
    assert alone.plan.credits == max(0, count - WINDOWS_AHEAD)
    for name in owners(n):
        assert bits(done.played[name].result) == bits(alone.results[name])
    check_traffic(done, alone.plan)
    credits = [f for f in done.frames if f.label == "credit"]
    assert [(f.sender, f.receiver, len(f.body)) for f in credits] == [(owners(n)[-1], HELPER, 0)] * alone.plan.credits


def test_the_helper_is_no_further_ahead_than_windows_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1)
    done = run(many(20, 2), 2)
    dealt = credited = 0
    for frame in done.frames:
        dealt += frame.label == "deal"
        credited += frame.label == "credit"
        assert dealt - credited <= WINDOWS_AHEAD
    assert (dealt, credited) == (20, 16)
    assert done.played


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize(("after", "size"), [(0, 1), (1, 1), (1, 4 << 20), (9, 1)])
def test_nothing_is_dealt_for_the_way_not_taken_at_a_fork(
    n: int, after: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", size)
    program = turns(after, WINDOWS_AHEAD + 2)
    done = run(program, n)
    alone = run_lockstep(dict.fromkeys(owners(n), program), entropy=entropy(n))
    for name in owners(n):
        assert done.played[name].result.tolist() == alone.results[name].tolist()
    check_traffic(done, alone.plan)
    told = [f for f in done.frames if f.label == "way"]
    forks = min(3, after + 1)
    assert [(f.sender, f.receiver, f.body) for f in told] == [
        (owners(n)[-1], HELPER, bytes([number == after])) for number in range(forks)
    ]
    assert done.played[HELPER].trace.ways == [number == after for number in range(forks)]
    dealt = [len(f.body) for f in done.frames if f.label == "deal"]
    assert dealt == list(alone.plan.windows)


@pytest.mark.parametrize("said", [b"\x02", b"\xff"])
def test_a_way_that_is_none_of_the_two_ends_the_run(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mpc.links.meeting.play._Fetch.tell", lambda fetch, way: fetch._channel.push(HELPER, "way", said)
    )
    error = run(turns(1, 2), 2).ends[HELPER].error
    assert isinstance(error, ProtocolError) and error.party == owners(2)[-1]
    assert "said neither of two ways" in str(error)


async def opened_first(p: Party) -> Any:
    """A round that needs nothing of the helper, then products that need its corrections."""
    x = p.input(p.owners[0], own(p, p.owners[0], (M, D), 1), (M, D), 4)
    w = p.input(p.owners[1], own(p, p.owners[1], (D,), 2), (D,), 8)
    await hold(p, x)
    scores = [await matmul(p, x, w, label="scores") for _ in range(WINDOWS_AHEAD + 1)]
    (told,) = await p.reveal(scores[-1], what="scores", why="a test", label="reveal")
    return told.value


def opened_and_dealt(monkeypatch: pytest.MonkeyPatch, waits_for: Callable[[int], str]) -> list[str]:
    """The order of the last owner's messages and all windows, one for each product.

    Args:
        waits_for: by a window's number: what the last owner must have sent before the window comes.
    """
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1)
    sent = {label: threading.Event() for label in ("hold", "scores", "reveal")}
    number = itertools.count()

    def wire(frame: Sent) -> Frame:
        if frame.label in sent and frame.sender == owners(2)[-1]:
            sent[frame.label].set()
        elif frame.label == "deal":
            before = waits_for(next(number))
            assert sent[before].wait(LIMITS.connect), f"the last owner waits for the helper before '{before}'"
        return Frame(frame.head, frame.body)

    done = run(opened_first, 2, wire=wire)
    alone = run_lockstep(dict.fromkeys(owners(2), opened_first), entropy=entropy(2))
    for name in owners(2):
        assert bits(done.played[name].result) == bits(alone.results[name])
    check_traffic(done, alone.plan)
    return [f.label for f in done.frames if f.label == "deal" or (f.label in sent and f.sender == owners(2)[-1])]


WINDOWS = ["deal"] * (WINDOWS_AHEAD + 1)


def test_a_small_job_is_dealt_in_the_first_round_that_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = opened_and_dealt(monkeypatch, lambda number: "hold")
    order.remove("hold")
    assert order == [*WINDOWS, *(["scores"] * len(WINDOWS)), "reveal"]


def test_the_last_owner_begins_while_the_helper_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.SMALL_BYTES", 0)
    opened_and_dealt(monkeypatch, lambda number: "scores" if number else "hold")


async def outer(p: Party) -> Any:
    """Six outer products, each with a correction that is longer than a window."""
    side = 700
    a = p.input(p.owners[0], own(p, p.owners[0], (side, 1), 1), (side, 1), 0)
    b = p.input(p.owners[1], own(p, p.owners[1], (1, side), 2), (1, side), 0)
    sums = [(await matmul(p, a, b, label=f"product {number}")).sum(0) for number in range(6)]
    got = await p.reveal(*sums, what="sums", why="a test", label="reveal")
    return tuple(one.value for one in got)


def test_more_corrections_than_the_windows_ahead_hold() -> None:
    done = run(outer, 2)
    alone = run_lockstep(dict.fromkeys(owners(2), outer), entropy=entropy(2))
    plan = alone.plan
    assert sum(plan.windows) > 16 << 20 and plan.credits == 2
    for name in owners(2):
        assert bits(done.played[name].result) == bits(alone.results[name])
    check_traffic(done, plan)
    assert plan.bytes_sent[HELPER] == 6 * (HEADER_BYTES + 700 * 700 * 8)


def secrets(played: Played) -> set[bytes]:
    agreed = played.agreement
    return {agreed.session, agreed.context, *agreed.pair_seeds.values(), *agreed.dealing_seeds.values()}


def test_two_runs_share_no_seed_session_or_opening() -> None:
    names = (*owners(2), HELPER)
    runs = [over_zmq(dict.fromkeys(owners(2), small), dict.fromkeys(names, os_entropy)) for _ in range(2)]
    first, second = (set().union(*(secrets(one) for one in done.played.values())) for done in runs)
    assert not first & second
    opened = [
        {f.body for f in done.frames if f.label in ("hold", "scores", "squares", "reveal", "deal")} for done in runs
    ]
    assert all(opened) and not opened[0] & opened[1]
    results = [bits(done.played[owners(2)[0]].result)[:2] for done in runs]
    assert results[0] == results[1], "the agreed outputs are the same"


def test_a_run_that_is_cut_goes_on_and_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1)
    program = many(12, 4)
    a, b = owners(2)
    ours, helpers = (b, a), (HELPER, b)
    cuts = {("product 3", a): ours, ("product 6", b): ours, ("credit", b): helpers, ("deal", HELPER): helpers}

    def trouble(sent: Sent) -> Frame | None:
        which = cuts.pop((sent.label, sent.sender), None)
        if which is None:
            return Frame(sent.head, sent.body)
        relays.between[which].cut()
        return None  # this message is lost with the connection

    with Relays([ours, helpers]) as relays:
        done = run(program, 2, wire=trouble, through=relays.through)
    alone = run_lockstep(dict.fromkeys(owners(2), program), entropy=entropy(2))
    for name in owners(2):
        assert bits(done.played[name].result) == bits(alone.results[name])
    for name, one in done.played.items():
        assert one.bytes_sent == alone.plan.bytes_sent[name] and one.messages == alone.plan.messages_sent[name]
        assert one.resent > 0
    assert [relay.connections for relay in relays.between.values()] == [3, 3]


def test_an_owner_that_fails_in_its_program_is_named_by_all() -> None:
    def failing(p: Party) -> Any:
        async def program() -> None:
            share = p.input(p.owners[0], own(p, p.owners[0], (2,), 1), (2,), 0)
            if not p.dry and p.name == owners(3)[1]:
                raise DataError("row 3 of patients.csv is odd", party=p.name)
            await p.reveal(share, what="x", why="a test", label="reveal")

        return program()

    ends = run(failing, 3).ends
    for name, end in ends.items():
        assert isinstance(end.error, DataError) and end.error.party == owners(3)[1]
        if name != owners(3)[1]:
            assert "patients" not in str(end.error) and end.error.told_by is not None


def test_a_party_that_never_comes_is_named_by_all() -> None:
    ends = run(small, 2, absent={owners(2)[0]}, limits=replace(LIMITS, connect=0.4)).ends
    for end in ends.values():
        assert isinstance(end.error, PeerLostError) and end.error.party == owners(2)[0]


def test_leaving_after_the_end_disturbs_nobody() -> None:
    for _ in range(5):
        done = run(small, 5)
        assert done.played and not any(done.said.values())
