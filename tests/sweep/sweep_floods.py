"""Floods of a listed peer at full speed, for ten seconds each: memory is bounded, and an honest pair's rounds go on."""

from __future__ import annotations

from contextlib import ExitStack
from time import sleep

import pytest

from tests.links.hostile.floods import FLOODS, in_the_background, pour
from tests.links.hostile.listed import ENDINGS, Peer, begin, check_bounds, new_keys, processes, scene
from tests.tiers import SWEEP, Tell

pytestmark = pytest.mark.sweep

SECONDS = 10.0
QUIET = 3.0
SERIES = "floods at full speed"
RATIO = SWEEP.in_time(3.0, patient=100.0)
LIMITS = (60.0, 60.0, 60.0)  # whoever is slow under a flood is not to end for it


@pytest.mark.parametrize("name", SWEEP.chosen("floods of a pair", [n for n in FLOODS if FLOODS[n].scene == "pair"]))
def test_rounds_under_a_flood(name: str, tell: Tell) -> None:
    """The flood goes to a, whose rounds with b, a process of its own, stay within three times their usual time."""
    with processes(2) as (first, second), ExitStack() as held:
        keys = new_keys("pair")
        shared = {"attacker": "m", "target": "a", "limits": LIMITS}
        began = begin(first, "pair", keys, **shared, inside="b")
        endpoint = began["endpoints"]["a"]
        begin(second, "pair", keys, **shared, inside=endpoint)
        sleep(QUIET)
        second.ask("mark")
        peer = Peer("m", keys["m"], "a", keys["a"].public, endpoint, list)
        sent: list[int] = []
        with in_the_background(lambda: sent.append(pour(FLOODS[name], peer, held, seconds=SECONDS))):
            sleep(SECONDS)
        second.ask("mark")
        other = second.tell("end")
        answer = {**began, **first.tell("end")}
    check_bounds(answer)
    counts = {"messages": sent[0], "most_memory_in_MB": float((answer["peak"] - answer["before"]) >> 20)}
    if "error" in answer["ends"]["a"]:  # a listed peer can end a run, but not without being named
        error = answer["ends"]["a"]["error"]
        assert error["code"] in ENDINGS and error["party"] == "m", error
        tell(SERIES, tried=1, ended_the_run_by_name=1, **counts)
        return
    quiet, flooded, *_ = other["ends"]["b"]["value"]["took"]
    tell(SERIES, tried=1, **counts, slowest_rounds_in_times_the_usual=flooded / quiet)
    assert flooded < RATIO * quiet, f"a round takes {flooded * 1000:.2f} ms instead of {quiet * 1000:.2f} ms"


@pytest.mark.parametrize("name", SWEEP.chosen("floods of a sum", [n for n in FLOODS if FLOODS[n].scene == "sum"]))
def test_a_sum_under_a_flood(name: str, tell: Tell) -> None:
    flood = FLOODS[name]
    limits = (SECONDS + 4, SECONDS + 4, 0.3)  # m never joins, or never answers the second stage
    sent: list[int] = []
    with (
        processes(1) as (honest,),
        ExitStack() as held,
        scene(honest, "sum", "m", "server", inside="m", limits=limits) as (peer, began),
    ):
        if flood.begin is not None:
            honest.ask("go")
        with in_the_background(lambda: sent.append(pour(flood, peer, held, seconds=SECONDS))):
            pass
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)
    tell(SERIES, tried=1, messages=sent[0], most_memory_in_MB=float((answer["peak"] - answer["before"]) >> 20))
    assert "error" not in answer["ends"]["server"], answer["ends"]
