"""Protocols between a server and clients with something wrong in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from beaverlodge.protocol import Client, Server
from mpc.errors import DataError

LARGEST = 1000


async def sizes_client(me: Client, x: np.ndarray) -> None:
    """A message whose size is its number."""
    await me.send(bytes(int(abs(x[0]))), label="text")


async def sizes_server(s: Server) -> int:
    got = await s.gather("text", most=1000, sees="as many bytes as its number says")
    return int(s.reveal(len(got), what="clients", why="agreed"))


async def raises_client(me: Client, x: np.ndarray) -> None:
    await me.send(b"", label="hello")
    if np.max(x) > LARGEST:
        raise ValueError("of the client's author")
    await me.send(b"", label="more")


async def raises_server(s: Server) -> None:
    there = await s.gather("hello", size=0, sees="that it is there")
    await s.gather("more", dict.fromkeys(there, b""), size=0, sees="that it is there", at_least=0)


async def breaks_client(me: Client, x: np.ndarray) -> None:
    await me.send(np.max(x, keepdims=True).reshape(-1), label="largest")


async def breaks_server(s: Server) -> Any:
    got = await s.gather("largest", size=8, sees="its largest number")
    largest = max(float(np.frombuffer(one)[0]) for one in got.values())
    if largest > LARGEST:
        raise KeyError("of the server's author")
    return s.reveal(largest, what="largest", why="agreed")


async def waits_client(me: Client, x: np.ndarray) -> None:
    await me.send(b"", label="hello")


async def waits_server(s: Server) -> None:
    there = await s.gather("hello", size=0, sees="that it is there")
    await s.gather("never", dict.fromkeys(there, b""), size=0, sees="nothing", at_least=0)


async def refuses_client(me: Client, x: np.ndarray) -> None:
    me.insist(np.max(x) > 0 and np.max(x) <= LARGEST, DataError("no such values"))
    await me.send(np.max(x, keepdims=True).reshape(-1), label="largest")


async def refuses_server(s: Server) -> Any:
    got = await s.gather("largest", size=8, sees="its largest number", at_least=2)
    return s.reveal(len(got), what="clients", why="agreed")


async def tells_client(me: Client, x: np.ndarray) -> tuple[float, int]:
    answer = await me.send(x, label="numbers", answer=8)
    return float(np.frombuffer(answer)[0]), me.number


async def tells_server(s: Server) -> Any:
    got = await s.gather("numbers", most=10**6, sees="its numbers", at_least=2)
    total = np.sum([np.frombuffer(one).sum() for one in got.values()])
    s.answer(dict.fromkeys(got, total.tobytes()))
    return {"total": s.reveal(total, what="sum", why="agreed"), "clients": len(got)}


def tells_reference(x: tuple[np.ndarray, ...]) -> dict[str, Any]:
    return {"total": np.sum([one.sum() for one in x]), "clients": len(x)}


async def alone_client(me: Client, x: np.ndarray) -> None:
    await me.send(b"", label="hello")


async def only_large_client(me: Client, x: np.ndarray) -> None:
    await me.send(np.max(x, keepdims=True).reshape(-1), label="largest")


async def only_large_server(s: Server) -> Any:
    got = await s.gather("largest", size=8, sees="its largest number")
    if min(float(np.frombuffer(one)[0]) for one in got.values()) < 50:
        raise ValueError("too small")
    return s.reveal(len(got), what="clients", why="agreed")
