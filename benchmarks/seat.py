"""What the benchmarks' own parties share: a place at the launcher's table, with or without encryption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.plain import PlainTransport
from mpc.curve import Identity
from mpc.errors import InternalError
from mpc.memory import keep_freed_memory
from mpc.transport import Transport
from parties.cores import keep_to_a_core
from parties.supervisor import Lifeline, Reporter, die_with_parent

OWNERS = 2  # the first parties of every benchmark are its owners, who run as in a run


@dataclass(frozen=True)
class Seat:
    """A started party: its order, its transport (dialling or listening), and where it reports."""

    name: str
    order: Mapping[str, Any]
    transport: Transport
    reporter: Reporter


def take_seat(members: Callable[[Mapping[str, Any]], tuple[str, ...]]) -> Seat:
    """Follow the launcher until all parties know each other.

    Args:
        members: the order -> all parties in order; each listens for those after it and dials those before it.
    """
    die_with_parent()
    keep_freed_memory()
    reporter = Reporter.to_launcher()
    lifeline = Lifeline()
    order = lifeline.order()
    names = members(order)
    me, keys = order["name"], order["keys"]
    place = names.index(me)
    if place < OWNERS:
        keep_to_a_core(place, OWNERS)
    make = PlainTransport if order["plain"] else Transport
    transport = make(
        Identity(keys["public"].encode(), keys["secret"].encode()),
        {name: key.encode() for name, key in keys["peers"].items()},
        "tcp://127.0.0.1:*" if place < len(names) - 1 else None,
    )
    reporter.listening(transport.endpoint)
    endpoints = lifeline.peers()
    for peer in names[:place]:
        where = endpoints[peer]
        if where is None:
            raise InternalError(f"{peer} does not listen")
        transport.dial(peer, where)
    return Seat(me, order, transport, reporter)
