"""Session after session over the same ports: `python -m tests.links.sessions COUNT` plays one owner, as its input says.

Each session is a whole run: fresh sockets, the handshake, one product with the helper's randomness, the parting.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil

from mpc.errors import BeaverlodgeError
from mpc.links.channel import Channel, Limits
from mpc.links.meeting.handshake import meet
from mpc.links.meeting.offer import Table
from mpc.links.meeting.play import leave, play_helper, play_owner
from mpc.links.zmq.curve import Identity
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import os_entropy
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory, make_plan
from mpc.runtime.trace import Trace
from protocols.core.beaver import multiply
from tests.links.over_zmq import HELPER, offer_of

OWNERS = ("a", "b")
TABLE = Table(OWNERS, HELPER)
LIMITS = Limits(connect=60, deadline=60, patience=60)
_DIALS: Mapping[str, tuple[str, ...]] = {"a": (), "b": ("a", HELPER), HELPER: ("a",)}
"""b takes part by dialling alone."""


async def product(p: Party) -> Any:
    """The squares of a's numbers times b's."""
    x = p.input("a", None if p.dry or p.name != "a" else _numbers(1), (8,), 0)
    y = p.input("b", None if p.dry or p.name != "b" else _numbers(2), (8,), 0)
    z = await multiply(p, x, y, label="product")
    (result,) = await p.reveal(z, what="product", why="a test", label="reveal")
    return result.value


def _numbers(factor: int) -> Any:
    return np.arange(8, dtype=np.uint64) * np.uint64(factor)


def session(name: str, keys: Mapping[str, Identity], endpoints: Mapping[str, str]) -> Any:
    """Take part in one session."""
    others = {peer: key.public for peer, key in keys.items() if peer != name}
    transport = Transport(keys[name], others, endpoints.get(name))
    return take_part(name, transport, {peer: endpoints[peer] for peer in _DIALS[name]}, LIMITS, product)


def take_part(
    name: str,
    transport: Transport,
    dials: Mapping[str, str],
    limits: Limits,
    program: ProgramFactory,
    say: Callable[[str], None] = lambda text: None,
    watch: Callable[[Channel], None] = lambda channel: None,
    linger: float = 5.0,
) -> Any:
    """A party's part in a session, from the handshake to the parting; the transport is closed at the end.

    Args:
        watch: is given the channel before it is used.
        linger: seconds that the last frames have to leave.
    """
    others = [peer for peer in TABLE.everyone if peer != name]
    trace = Trace(lambda *_: None)
    channel = Channel(name, others, transport, limits, trace, say)
    watch(channel)
    try:
        for peer, endpoint in dials.items():
            transport.dial(peer, endpoint)
        agreement = meet(
            channel, TABLE, offer_of(name), lambda *_: make_plan(program, OWNERS, HELPER), os_entropy, limits.connect
        )
        result = None
        if name == HELPER:
            play_helper(channel, TABLE, agreement, trace)
        else:
            result = [int(value) for value in play_owner(channel, TABLE, agreement, trace, program)]
        leave(channel, TABLE, patient=name == HELPER)
        return result
    except BeaverlodgeError as error:
        channel.abort(error, trace.at)
        raise
    finally:
        transport.close(linger)


def used() -> dict[str, int]:
    """What this process holds: open files, threads, and bytes of memory."""
    gc.collect()
    process = psutil.Process()
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": process.num_threads(),
        "kB": process.memory_info().rss // 1024,
    }


def run(count: int, names: tuple[str, ...], keys: Mapping[str, Identity], endpoints: Mapping[str, str]) -> list[Any]:
    """So many sessions of the parties that live in this process; what it held after every tenth of them."""
    held = []
    for number in range(1, count + 1):
        results: dict[str, Any] = {}
        threads = [threading.Thread(target=_keep, args=(results, name, keys, endpoints)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(results[name] == [2 * k * k for k in range(8)] for name in names if name != HELPER), results
        if number % max(1, count // 10) == 0:
            held.append(used())
    return held


def _keep(results: dict[str, Any], name: str, *rest: Any) -> None:
    play: Callable[..., Any] = session
    try:
        results[name] = play(name, *rest)
    except Exception as error:
        results[name] = repr(error)


def main() -> None:
    """Play b, with the keys and endpoints that the input says; print what was held."""
    order = json.loads(sys.stdin.readline())
    keys = {name: Identity(*(text.encode() for text in pair)) for name, pair in order["keys"].items()}
    print(json.dumps(run(int(sys.argv[1]), ("b",), keys, order["endpoints"])))


if __name__ == "__main__":
    main()
