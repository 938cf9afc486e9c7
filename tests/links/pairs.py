"""Two parties with a link between them, and small rounds for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc.ring.specs import Spec
from mpc.runtime.round import Blob, Round
from tests.links.over_zmq import Site, at_once, values

KEY = bytes(range(32))
ONE_WORD = (Spec((1,)),)


def word(value: int) -> tuple[np.ndarray, ...]:
    return (np.array([value], dtype=np.uint64),)


def swap(peer: str, value: int, label: str = "swap") -> Round:
    """Both send one word and wait for the other's."""
    return Round({peer: word(value)}, {peer: ONE_WORD}, label)


def greet(site: Site) -> None:
    """What stands for the handshake: a hello each way, then the session's key."""
    for peer in site.channel._links:
        site.channel.exchange(Round({peer: b"hello"}, {peer: Blob(100)}, "hello"))
        site.channel.rekey(peer, KEY)
    site.trace.restart_counts()


def both(
    parties: dict[str, Site], job: Callable[[Site, str], Any], trouble: Callable[[], Any] = lambda: None
) -> dict[str, Any]:
    """The same for a and b, at once: job(site, the other's name). Who is done stays until all are."""
    busy = {"a", "b", "trouble"}

    def stay(name: str, peer: str) -> Any:
        try:
            return job(parties[name], peer)
        finally:
            busy.discard(name)
            while busy:
                parties[name].channel._step(time.monotonic() + 0.01)

    def disturb() -> None:
        try:
            trouble()
        finally:
            busy.discard("trouble")

    got = values(at_once({"a": lambda: stay("a", "b"), "b": lambda: stay("b", "a"), "trouble": disturb}))
    return {name: got[name] for name in parties}


def fails(job: Callable[[], Any], kind: type[Exception], words: str) -> Any:
    """The error that the job ends with."""
    with pytest.raises(kind, match=words) as caught:
        job()
    return caught.value
