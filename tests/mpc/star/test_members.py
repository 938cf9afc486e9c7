"""The ends that an author's server and clients have: what they refuse, and what goes where, in one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.errors import ProtocolError, TooFewError, UsageError
from mpc.ring.array import Array
from mpc.runtime.round import HEADER_BYTES
from mpc.star.members import Client, Server, listed, read_listed
from mpc.star.play import Function, Played, run_clients

INPUTS = [[np.array([float(i), 1.0])] for i in range(4)]


async def total_client(me: Client, x: Array) -> float:
    await me.send(b"", label="hello")
    return float(np.frombuffer(await me.send(x, label="numbers", answer=8))[0])


async def total_server(s: Server) -> Any:
    there = await s.gather("hello", size=0, sees="that it is there", at_least=2)
    got = await s.gather("numbers", dict.fromkeys(there, b""), size=16, sees="its numbers", at_least=2)
    total = s.reveal(sum(np.frombuffer(one).sum() for one in got.values()), what="sum", why="agreed")
    s.answer(dict.fromkeys(got, np.float64(total).tobytes()))
    return total


def run(client: Function = total_client, server: Function = total_server, **more: Any) -> Played:
    return run_clients(client, server, INPUTS, **more)


def test_what_is_gathered_answered_and_returned() -> None:
    done = run()
    assert done.result == 10.0
    assert done.gave == dict.fromkeys(range(4), 10.0)
    assert [(one.label, one.answered, one.received, one.sent, one.waited) for one in done.stages] == [
        ("hello", (0, 1, 2, 3), 0, 0, 4),
        ("numbers", (0, 1, 2, 3), 64, 0, 4),
    ]
    assert done.learnt[0].clients == (0, 1, 2, 3)
    assert (done.sent, done.received) == (8 * HEADER_BYTES + 4 * 8, 8 * HEADER_BYTES + 64)
    assert sum(done.up.values()) == done.received and sum(done.down.values()) == done.sent


def test_who_vanishes_is_missing_from_then_on() -> None:
    done = run(vanish={1: "hello", 3: "numbers"})
    assert done.result == 4.0 and done.learnt[0].clients == (0, 2)
    assert [one.answered for one in done.stages] == [(0, 2, 3), (0, 2)]
    assert set(done.gave) == {0, 2}
    with pytest.raises(TooFewError, match="1 clients answered in stage 'numbers', and 2 are needed"):
        run(vanish={0: "numbers", 1: "hello", 3: "numbers"})


def test_by_default_all_are_needed() -> None:
    async def server(s: Server) -> None:
        there = await s.gather("hello", size=0, sees="that it is there")
        await s.gather("numbers", dict.fromkeys(there, b""), size=16, sees="its numbers")

    with pytest.raises(TooFewError, match="3 clients answered in stage 'hello', and 4 are needed") as caught:
        run(server=server, vanish={2: "hello"})
    assert "at_least=" in caught.value.hint


def test_a_message_of_another_size_drops_its_client() -> None:
    async def longer(me: Client, x: Array) -> None:
        await me.send(b"", label="hello")
        await me.send(x if me.number else x[:1], label="numbers", answer=8)

    with pytest.raises(UsageError, match=r"3 of 4 clients answered in stage 'numbers': client 0 sent 8 bytes"):
        run(longer)
    done = run(longer, vanish={3: "hello"})
    assert [one.answered for one in done.stages] == [(0, 1, 2), (1, 2)]
    assert "and not 16" in done.outcome.refused[0].message


async def _hello(me: Client, x: Array) -> None:
    await me.send(b"", label="hello")


async def _twice(me: Client, x: Array) -> None:
    me.secret("key")
    me.secret("key")


async def _one_label(me: Client, x: Array) -> None:
    await me.send(b"", label="hello")
    await me.send(b"", label="hello")


def server_that(then: Callable[[Server, dict[int, bytes]], Any]) -> Function:
    """A server whose first stage is 'hello'."""

    async def server(s: Server) -> Any:
        got = await s.gather("hello", size=0, sees="that it is there", at_least=0)
        found = then(s, got)
        return await found if hasattr(found, "__await__") else found

    return server


@pytest.mark.parametrize(
    "then, message",
    [
        (lambda s, got: s.gather("more", size=0, sees="x"), "stage 'more' answers nobody"),
        (lambda s, got: s.gather("hello", got, size=0, sees="x"), "two stages are called 'hello'"),
        (lambda s, got: s.gather("more", got, sees="x"), "stage 'more' says neither the size"),
        (lambda s, got: s.gather("more", got, size=0, most=1, sees="x"), "or both"),
        (lambda s, got: s.gather("more", {9: b""}, size=0, sees="x"), "answers client 9, which sent nothing in"),
        (lambda s, got: s.answer({7: b""}), "answers client 7, which sent nothing in stage 'hello'"),
        (lambda s, got: 5, "the server returns what it did not declare"),
    ],
)
def test_a_server_that_misuses_its_end_is_told(then: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(_hello, server_that(then))


def test_a_client_that_misuses_its_end_is_told() -> None:
    for client, message in ((_twice, "secret 'key' is drawn twice"), (_one_label, "two stages are called 'hello'")):
        done = run(client, server_that(lambda s, got: None), vanish={0: "later"})
        assert message in done.outcome.failed[0].message
        with pytest.raises(UsageError, match=message):
            run(client, server_that(lambda s, got: None))


def test_a_server_without_a_stage_is_told() -> None:
    async def nothing(s: Server) -> None:
        return None

    async def answers(s: Server) -> None:
        s.answer({})

    for server, message in ((nothing, "gathered nothing"), (answers, "said nothing yet")):
        with pytest.raises(UsageError, match=message):
            run(_hello, server)


def test_a_client_takes_no_longer_answer_than_it_said() -> None:
    async def server(s: Server) -> None:
        got = await s.gather("hello", size=0, sees="that it is there")
        s.answer(dict.fromkeys(got, b"123456789"))

    with pytest.raises(ProtocolError, match="9 bytes where 0 are the most"):
        run(_hello, server)


def test_lists_of_messages_are_read_as_they_were_written() -> None:
    messages = {7: b"ab", 0: b"cd", 300: b"ef"}
    assert read_listed(listed(messages), 2) == messages
    assert read_listed(b"", 2) == {}
    for body in (listed(messages)[:-1], listed(messages) + listed({7: b"zz"})):
        with pytest.raises(ProtocolError, match="list of messages is malformed"):
            read_listed(body, 2)


def test_secrets_are_fresh_in_each_run() -> None:
    drawn = []

    async def client(me: Client, x: Array) -> None:
        drawn.append(me.secret("key"))
        await me.send(b"", label="hello")

    for _ in range(2):
        run(client, server_that(lambda s, got: None))
    assert len(set(drawn)) == 8
