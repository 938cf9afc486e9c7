"""Rounds side by side travel as one; each program gets its own answers, and nothing is left running."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError, ProtocolError
from mpc.ring.rings import B8
from mpc.ring.specs import Spec
from mpc.runtime.round import Blob, Deferred, Round, together
from tests.examples import steady
from tests.mpc.kit import answers

PEERS = ("b", "c")


def words(*numbers: int) -> tuple[np.ndarray, ...]:
    return tuple(np.array([n], dtype=np.uint64) for n in numbers)


def one_round(number: int, label: str = "step", peers: tuple[str, ...] = PEERS, count: int = 1) -> Round:
    specs = tuple(Spec((1,), number) for _ in range(count))
    return Round(dict.fromkeys(peers, words(*range(number, number + count))), dict.fromkeys(peers, specs), label, True)


async def steps(number: int, length: int, label: str = "step", count: int = 1) -> list[Mapping[str, Any]]:
    return [await one_round(number, f"{label}/{k}", count=count) for k in range(length)]


def echo(round_: Round) -> dict[str, tuple[str, ...]]:
    """An answer that names its peer and place: what came must reach whoever asked for it."""
    return {
        peer: tuple(f"{peer}:{spec.scale}" for spec in specs)
        for peer, specs in round_.recv.items()
        if not isinstance(specs, Blob)
    }


def finish(program: Coroutine[Any, Any, Any]) -> tuple[list[Round], Any]:
    asked, answer = [], None
    while True:
        try:
            asked.append(program.send(answer))
        except StopIteration as end:
            return asked, end.value
        answer = echo(asked[-1])


def test_a_round_is_handed_over_as_it_is_and_answered() -> None:
    mine = one_round(3)

    async def program() -> Mapping[str, Any]:
        return await mine

    (asked,), result = answers(program(), [{"b": words(1)}])
    assert asked is mine and result["b"][0].tolist() == [1]


@steady(100)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=5))
def test_as_many_rounds_as_the_longest_answers_in_place(programs: list[tuple[int, int]]) -> None:
    asked, results = finish(
        together(*(steps(100 + i, length, f"p{i}", count) for i, (length, count) in enumerate(programs)))
    )
    assert len(asked) == max((length for length, _ in programs), default=0)
    assert len(results) == len(programs)
    for i, (length, count) in enumerate(programs):
        assert results[i] == [{p: (f"{p}:{100 + i}",) * count for p in PEERS}] * length
    for k, merged in enumerate(asked):
        running = [(i, count) for i, (length, count) in enumerate(programs) if length > k]
        assert merged.label == " + ".join(f"p{i}/{k}" for i, _ in running)
        assert merged.everyone
        for peer in PEERS:
            sent = [int(cast(Any, a)[0]) for a in merged.send[peer]]
            assert sent == [100 + i + j for i, count in running for j in range(count)]


def test_labels_are_named_once() -> None:
    asked, _ = finish(together(steps(1, 1, "open"), steps(2, 1, "open"), steps(3, 1, "cut"), steps(4, 1, "open")))
    assert [one.label for one in asked] == ["open/0 + cut/0"]


def test_programs_that_talk_to_other_peers() -> None:
    async def to(peers: tuple[str, ...], number: int) -> Mapping[str, Any]:
        return await one_round(number, f"to {number}", peers)

    asked, results = finish(together(to(("b",), 1), to(("c",), 2), to(("b", "c"), 3), to((), 4)))
    assert len(asked) == 1
    assert {peer: [int(cast(Any, a)[0]) for a in arrays] for peer, arrays in asked[0].send.items()} == {
        "b": [1, 3],
        "c": [2, 3],
    }
    assert results == [{"b": ("b:1",)}, {"c": ("c:2",)}, {"b": ("b:3",), "c": ("c:3",)}, {}]


def test_a_round_that_is_not_everyones_makes_the_merged_one_so() -> None:
    async def private() -> Any:
        return await Round({"b": words(9)}, {"b": (Spec((1,)),)}, "private")

    asked, _ = finish(together(steps(1, 1), private()))
    assert not asked[0].everyone


def test_together_within_together() -> None:
    asked, results = finish(together(together(steps(1, 2), steps(2, 1)), steps(3, 3)))
    assert len(asked) == 3
    assert [len(one.send["b"]) for one in asked] == [3, 2, 1]
    assert results == [
        [[{p: (f"{p}:1",) for p in PEERS}] * 2, [{p: (f"{p}:2",) for p in PEERS}]],
        [{p: (f"{p}:3",) for p in PEERS}] * 3,
    ]


def test_programs_without_rounds_and_no_programs() -> None:
    async def at_once(value: int) -> int:
        return value

    assert finish(together(at_once(1), at_once(2))) == ([], [1, 2])
    assert finish(together()) == ([], [])


def test_a_failure_closes_the_others_and_comes_through() -> None:
    closed: list[str] = []

    async def careful(name: str) -> None:
        try:
            await one_round(1)
            await one_round(2)
        finally:
            closed.append(name)

    async def fails() -> None:
        await one_round(3)
        raise ProtocolError("the sum is wrong")

    programs = [careful("x"), fails(), careful("y")]  # held here, so that it is not the garbage collector who closes
    program = together(*programs)
    first = program.send(None)
    with pytest.raises(ProtocolError, match="the sum is wrong"):
        program.send(echo(first))
    assert closed == ["x", "y"]


def test_an_abandoned_run_closes_its_programs() -> None:
    closed: list[int] = []

    async def careful() -> None:
        try:
            await one_round(1)
        finally:
            closed.append(1)

    programs = [careful(), careful()]
    program = together(*programs)
    program.send(None)
    program.close()
    assert closed == [1, 1]


def test_handshakes_run_alone() -> None:
    async def hello(send: Any, recv: Any) -> Any:
        return await Round({"b": send}, {"b": recv}, "hello")

    (alone,), _ = answers(together(hello(b"x", Blob(10))), [])
    assert alone.recv["b"] == Blob(10) and alone.send["b"] == b"x"
    for send, recv in ((b"x", (Spec((1,)),)), (words(1), Blob(10))):
        with pytest.raises(InternalError, match="handshake"):
            finish(together(hello(send, recv), steps(1, 1)))


def test_rings_of_the_specs_are_kept() -> None:
    async def bits() -> Any:
        return await Round({"b": (np.zeros(3, np.uint8),)}, {"b": (Spec((3,), 0, B8),)}, "bits")

    asked, _ = finish(together(bits(), steps(1, 1)))
    assert asked[0].recv["b"] == (Spec((3,), 0, B8), Spec((1,), 1))


# Work for while the messages travel


def test_what_is_left_for_later_is_worked_out_once() -> None:
    calls = []

    def work() -> int:
        calls.append("work")
        return 7

    later = Deferred(work)
    assert not calls
    assert [later(), later()] == [7, 7]
    assert calls == ["work"]


def test_what_is_left_for_later_may_fail_when_asked_for() -> None:
    later = Deferred(lambda: 1 // 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            later()


def test_rounds_side_by_side_bring_all_their_work() -> None:
    first, second = Deferred(lambda: 1), Deferred(lambda: 2)

    async def program(later: Deferred[int]) -> None:
        await Round({"b": words(9)}, {"b": (Spec((1,)),)}, "work", True, (later,))

    (asked,), _ = finish(together(program(first), program(second)))
    assert asked.meanwhile == (first, second)
