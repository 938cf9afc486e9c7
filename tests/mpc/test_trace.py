"""What a live run's trace tells its listener, and when."""

from __future__ import annotations

from mpc.trace import Trace


def test_that_a_stage_of_steps_begins_is_told_when_there_is_time_for_it() -> None:
    told: list[tuple[str, int, int]] = []
    trace = Trace(lambda *stage: told.append(stage))
    trace.stage("sharing", 0, 0)
    trace.stage("training", 0, 2)
    assert told == [("sharing", 0, 0)] and trace.at == "training" and "training" in trace.began
    trace.tell()
    assert told[1:] == [("training", 0, 2)]
    trace.tell()
    trace.stage("training", 1, 2)
    assert told[2:] == [("training", 1, 2)]


def test_all_is_told_in_order_whoever_asks() -> None:
    told: list[tuple[str, int, int]] = []
    trace = Trace(lambda *stage: told.append(stage))
    stages = [("training", 0, 2), ("training", 1, 2), ("range check", 0, 4), ("search", 0, 3), ("done", 0, 0)]
    for stage in stages:
        trace.stage(*stage)
    assert told == stages
