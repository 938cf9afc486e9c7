"""A fixed count of what once used up a party's memory: it grows by less than 64 MB."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.links.hostile.floods import FLOODS, pour
from tests.links.hostile.listed import IN_TURN, Honest, Inside, carry_out_inside, check_bounds, scene
from tests.links.over_zmq import HELPER


def settled(honest: Honest) -> None:
    """Wait until the process has made of what came whatever it makes of it: its memory stays as it is, or nearly."""
    before, end = 0, time.monotonic() + 2
    while abs((held := honest.tell("held")["now"]) - before) > 1 << 20 and time.monotonic() < end:
        before = held
        time.sleep(0.1)


@pytest.mark.parametrize("name", FLOODS)
def test_memory_under_a_flood(honest: Honest, name: str) -> None:
    flood = FLOODS[name]
    with scene(honest, flood.scene, "m", flood.target, inside="m") as (peer, began), ExitStack() as held:
        if flood.begin is not None:
            honest.ask("go")
        pour(flood, peer, held, messages=flood.enough)
        settled(honest)
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)


@pytest.mark.parametrize("who, message", [(HELPER, 10), ("b", 40)])
def test_memory_under_valid_frames_without_an_end(honest: Honest, who: str, message: int) -> None:
    """In their turn and under the right key, after a party's last: nobody waits for them."""
    check_bounds(carry_out_inside(honest, Inside(who, message, IN_TURN, 250_000, 600)))
