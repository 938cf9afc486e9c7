"""What a live run's trace tells its listener, and when."""

from __future__ import annotations

from mpc.runtime.trace import Trace


def test_every_stage_and_step_is_told_at_once_and_in_order() -> None:
    told: list[tuple[str, int, int]] = []
    trace = Trace(lambda *stage: told.append(stage))
    stages = [("training", 0, 2), ("training", 1, 2), ("range check", 0, 4), ("search", 0, 3), ("done", 0, 0)]
    for count, stage in enumerate(stages, 1):
        trace.stage(*stage)
        assert told == stages[:count] and trace.at == stage[0]
    assert list(trace.began) == ["training", "range check", "search", "done"]
