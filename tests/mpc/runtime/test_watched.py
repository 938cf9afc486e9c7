"""A program that is watched runs as it would by itself, and each of its rounds is seen."""

from __future__ import annotations

from typing import Any

import pytest

from mpc.errors import DataError
from mpc.runtime.round import Program, Round
from mpc.runtime.watched import Watched

ONE, TWO = Round({}, {}, "one"), Round({}, {}, "two")


async def two_rounds() -> list[Any]:
    return [await ONE, await TWO]


def watching(program: Program, seen: list[Any]) -> Program:
    async def outer() -> Any:
        return await Watched(program, seen.append)

    return outer()


def test_rounds_pass_in_both_directions_and_are_seen() -> None:
    seen: list[Any] = []
    program = watching(two_rounds(), seen)
    assert program.send(None) is ONE  # type: ignore[arg-type]  # None starts it
    assert program.send({"a": ()}) is TWO
    with pytest.raises(StopIteration) as end:
        program.send({"b": ()})
    assert end.value.value == [{"a": ()}, {"b": ()}]
    assert seen == [ONE, TWO]


def test_what_it_raises_passes_with_its_own_frames() -> None:
    async def fails() -> None:
        await ONE
        raise DataError("no such row")

    program = watching(fails(), [])
    program.send(None)  # type: ignore[arg-type]
    with pytest.raises(DataError) as caught:
        program.send({})
    assert caught.traceback[-1].name == "fails"


def test_an_error_in_a_rounds_place_and_the_end_reach_it() -> None:
    """As they reach a program that nobody watches: it may answer an error, and its `finally` is run."""
    ended: list[str] = []

    async def stays() -> str:
        try:
            await ONE
        except DataError as problem:
            ended.append(problem.message)
        try:
            await TWO
        finally:
            ended.append("closed")
        return "done"

    program = watching(stays(), [])
    program.send(None)  # type: ignore[arg-type]
    assert program.throw(DataError("lost")) is TWO
    program.close()
    assert ended == ["lost", "closed"]
