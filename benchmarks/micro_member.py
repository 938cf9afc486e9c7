"""One of our parties in a microbenchmark, started by the launcher: the real handshake, channel and dealing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.micro_programs import micro_of, plan_of, program
from benchmarks.seat import Seat, take_seat
from mpc.channel import Channel, Limits
from mpc.handshake import Agreement, Offer, Table, meet
from mpc.play import part, play_helper, play_owner
from mpc.prg import os_entropy
from mpc.trace import Trace
from parties.version import VERSION

OWNERS = ("hospital_a", "hospital_b")
HELPER = "helper"
_LIMITS = Limits(60.0, 300.0, 30.0)


def main() -> None:
    """Take part, and report the times."""
    table = Table(OWNERS, HELPER)
    seat = take_seat(lambda order: table.everyone)
    micro = micro_of(seat.order["micro"])
    trace = Trace(lambda name, done, total: None)
    peers = [name for name in table.everyone if name != seat.name]
    channel = Channel(seat.name, peers, seat.transport, _LIMITS, trace, lambda text: None)
    plan, repeats = plan_of(micro, OWNERS, HELPER)
    owner = seat.name in OWNERS
    offer = Offer(VERSION, {}, (1, 0) if owner else None, ("x",) if owner else None)
    agreement = meet(channel, table, offer, lambda rows, columns: plan, os_entropy, 60.0)
    trace.restart_counts()
    result = _play(seat, channel, table, agreement, trace, repeats)
    counted = {"rounds": trace.rounds, "bytes": trace.bytes_sent}
    part(channel, table, patient=not owner)
    seat.reporter.done({**result, "repeats": repeats, "counted": counted})
    seat.transport.close(1.0)


def _play(
    seat: Seat, channel: Channel, table: Table, agreement: Agreement, trace: Trace, repeats: int
) -> dict[str, Any]:
    micro = micro_of(seat.order["micro"])
    if seat.name == HELPER:
        began = time.monotonic()
        play_helper(channel, table, agreement, trace)
        return {"dealing": (time.monotonic() - began) / (repeats + 1)}
    times: list[tuple[float, float]] = []
    values = play_owner(channel, table, agreement, trace, lambda p: program(p, micro, repeats, times))
    if seat.name == OWNERS[0]:
        np.save(Path(seat.order["out"]) / "values.npy", values)
    return {"times": times}


if __name__ == "__main__":
    main()
