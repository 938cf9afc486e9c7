"""A recorded run in Chrome's trace event format, which Perfetto and chrome://tracing open.

"Trace Event Format", Google 2016: complete events (`X`) with times in microseconds, a process for the run, a thread a
party, and flows (`s`, `f`) from a message's sender to its receiver.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from parties.trace.lanes import Lane, RoundSeen
from parties.trace.totals import times, where


def chrome_trace(lanes: Sequence[Lane]) -> str:
    """The whole file."""
    numbers = {lane.party: number for number, lane in enumerate(lanes, 1)}
    zero = min(lane.began for lane in lanes)
    events: list[dict[str, Any]] = []
    for lane in lanes:
        events.append(_event("M", "thread_name", numbers[lane.party], 0, args={"name": lane.party}))
        events += [
            _event("I", name, numbers[lane.party], time - zero, s="t", cat="stage") for time, name in lane.stages
        ]
        events += _rounds(lane, numbers[lane.party], zero)
    events += _flows(lanes, numbers, zero)
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, separators=(",", ":"))


def _event(kind: str, name: str, thread: int, time: int, **more: Any) -> dict[str, Any]:
    return {"ph": kind, "name": name, "pid": 1, "tid": thread, "ts": time, **more}


def _rounds(lane: Lane, thread: int, zero: int) -> Iterator[dict[str, Any]]:
    def piece(kind: str, name: str, began: int, ended: int, **args: Any) -> dict[str, Any]:
        return _event("X", name, thread, began - zero, dur=max(0, ended - began), cat=kind, args=args)

    for one in lane.rounds:
        handed, ready, ended = times(one, lane.last)
        about = {
            "label": one.label,
            "round": None if one.number is None else one.number + 1,
            "at": where(one),
            "sent": dict(one.sent),
            "received": {peer: size for peer, (size, _) in one.came.items()},
            "drawn": dict(one.draws),
        }
        yield piece("round", one.label, one.began, ended, **about)
        yield piece("computing", "computing", one.began, one.asked)
        yield piece("sending", "sending", one.asked, handed)
        if ready > handed:
            yield piece("computing", "computing beside the messages", handed, ready)
        yield piece("waiting", "waiting", ready, ended, last=one.last)
    for push in lane.pushes:
        yield piece("message", f"make '{push.label}'", push.began, push.asked)
        yield piece("sending", f"send '{push.label}'", push.asked, push.handed, to=push.peer, bytes=push.size)
    for pull in lane.pulls:
        yield piece("waiting", f"wait for '{pull.label}'", pull.asked, pull.ended or lane.last, of=pull.peer)


def _flows(lanes: Sequence[Lane], numbers: dict[str, int], zero: int) -> Iterator[dict[str, Any]]:
    """A flow from each message's sender to its receiver, of rounds that both recorded."""
    by_number: dict[tuple[str, int], RoundSeen] = {
        (lane.party, one.number): one for lane in lanes for one in lane.rounds if one.number is not None
    }
    flow = 0
    for lane in lanes:
        for one in lane.protocol:
            for peer, (_, at) in one.came.items():
                sent = by_number.get((peer, one.number or 0))
                if sent is None or sent.label != one.label:
                    continue
                flow += 1
                yield _event("s", one.label, numbers[peer], sent.asked - zero, id=flow, cat="message")
                yield _event("f", one.label, numbers[lane.party], at - zero, id=flow, cat="message", bp="e")
