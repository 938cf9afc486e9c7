"""One of our parties: the training of a scenario by the code that `mpc run` runs, or a single operation.

As the peers' programs it follows an order and leaves a report; the last of three parties is the helper.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from common import Order, Report, read_order

from parties.processes.child import one_blas_thread

one_blas_thread()  # before numpy's library is loaded by what follows

from benchmarks.jobs import PARTIES  # noqa: E402
from benchmarks.plain import PlainTransport  # noqa: E402
from mpc.links.channel import Channel, Limits  # noqa: E402
from mpc.links.meeting.handshake import meet  # noqa: E402
from mpc.links.meeting.offer import Offer, Table  # noqa: E402
from mpc.links.meeting.play import leave, play_helper, play_owner  # noqa: E402
from mpc.links.zmq.curve import Identity  # noqa: E402
from mpc.links.zmq.transport import Transport  # noqa: E402
from mpc.randomness.streams import os_entropy  # noqa: E402
from mpc.ring.fixed_point import encode  # noqa: E402
from mpc.ring.rings import B8  # noqa: E402
from mpc.runtime.party import Party  # noqa: E402
from mpc.runtime.plan import make_plan  # noqa: E402
from mpc.runtime.trace import Trace  # noqa: E402
from mpc.sharing.share import Share  # noqa: E402
from parties.base.cores import keep_to_a_core  # noqa: E402
from parties.base.reporter import Reporter  # noqa: E402
from parties.base.version import VERSION  # noqa: E402
from parties.session import take_part  # noqa: E402
from parties.tasks.registry import load_scenario  # noqa: E402
from protocols.core.beaver import matmul, multiply  # noqa: E402
from protocols.core.comparison import less_than  # noqa: E402
from protocols.core.truncation import truncate  # noqa: E402
from protocols.functions.sigmoid import sigmoid  # noqa: E402
from protocols.functions.sigmoid_fits import fit_for  # noqa: E402

_SCALE = 20
_SIGMOID_RANGE = 30.0
_SIGMOID_SCALE = 64 - (fit_for(_SIGMOID_RANGE).period.bit_length() - 1)  # its period fills the ring
_STAGES = {"running": "connected", "training": "steps", "range check": "done"}


def place_of(order: Order) -> take_part.Place:
    """Each party listens for those after it and dials those before it, as under the launcher."""
    me, keys = order.rank, order.options["keys"]
    peers = {name: keys[rank][0].encode() for rank, name in enumerate(PARTIES) if rank != me}
    listen = f"tcp://{order.addresses[me]}" if me < len(PARTIES) - 1 else None
    dial = {PARTIES[rank]: f"tcp://{order.addresses[rank]}" for rank in range(me)}
    return take_part.Place(Identity(*(key.encode() for key in keys[me])), peers, listen, lambda _: dial, local=True)


def train(order: Order, report: Report) -> Any:
    """The scenario's training: "done" is when the checks of its result begin."""

    def listen(event: Mapping[str, Any]) -> None:
        if event.get("stage") in _STAGES:
            report.mark(_STAGES[event["stage"]])

    if order.options.get("plain"):
        take_part.Transport = PlainTransport  # type: ignore[attr-defined]
    scenario, log = load_scenario(Path(order.options["scenario"])), logging.getLogger("bench")
    result = take_part.take_part(scenario, PARTIES[order.rank], place_of(order), Reporter(listen), log)
    model = result["model"]
    return None if model is None else [*model["weights"], model["intercept"]]


async def operate(p: Party, name: str, x: Share, y: Share) -> Share:
    """One operation; products are brought back to their scale, as the peers' are."""
    match name:
        case "multiply":
            return await truncate(p, await multiply(p, x, y), _SCALE)
        case "less_than":
            return await less_than(p, x, y)
        case "sigmoid":
            return await sigmoid(p, x, fit_for(_SIGMOID_RANGE), 1.0, 32)
    return await truncate(p, await matmul(p, x, y), _SCALE)


async def program(p: Party, order: Order, report: Report | None) -> Any:
    """Share the inputs, run the operation again and again, and reveal the last result."""
    arrays, scale = order.arrays(), _SIGMOID_SCALE if order.operation == "sigmoid" else _SCALE
    shares = []
    for owner, value in zip(p.owners, (arrays["x"], arrays["y"]), strict=True):
        mine = None if p.dry or owner != p.name else encode(value, scale, what="an input")
        shares.append(p.input(owner, mine, value.shape, scale))
    z = shares[0]
    for _ in range(order.repeats):
        z = await operate(p, order.operation, shares[0], shares[1])
    if report is not None:
        report.mark("done")
    (opened,) = await p.reveal(z, what="result", why="to see the error", label="result")
    if p.dry:
        return None
    return opened.value & 1 if opened.ring == B8 else opened.real()


def micro(order: Order, report: Report) -> Any:
    """One operation between three processes, by the real handshake, channel and dealing."""
    place, table, me = place_of(order), Table(PARTIES[:2], PARTIES[2]), PARTIES[order.rank]
    owner = me in table.owners
    if owner:
        keep_to_a_core(order.rank, 2)
    make = PlainTransport if order.options.get("plain") else Transport
    transport = make(place.identity, place.peers, place.listen)
    trace = Trace(lambda name, done, total: None)
    peers = [name for name in PARTIES if name != me]
    channel = Channel(me, peers, transport, Limits(60.0, 300.0, 30.0), trace, lambda text: None)
    for peer, where in place.find(None).items():
        transport.dial(peer, where)
    plan = make_plan(lambda p: program(p, order, None), table.owners, table.helper)
    offer = Offer(VERSION, {}, (1, 0) if owner else None, ("x",) if owner else None)
    agreement = meet(channel, table, offer, lambda rows, columns: plan, os_entropy, 60.0)
    report.mark("connected")
    result = None
    if owner:
        result = play_owner(channel, table, agreement, trace, partial(program, order=order, report=report))
    else:
        play_helper(channel, table, agreement, trace)
        report.mark("done")
    leave(channel, table, patient=not owner)
    transport.close(1.0)
    return result


def main() -> None:
    """Follow the order."""
    order = read_order()
    report = Report(order)
    report.write((train if order.task == "train" else micro)(order, report))


if __name__ == "__main__":
    main()
