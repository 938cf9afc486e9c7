"""What the timeline draws, as its script reads it: lists of numbers, with labels, places and parties by their index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from parties.trace.lanes import Lane, RoundSeen
from parties.trace.totals import times

MOST_DRAWN: Final = 60_000
"""Rounds of all lanes that a page draws one by one; of more, the first and the last ones."""


class _Index:
    """Numbers for texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def of(self, text: str) -> int:
        """The text's number."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return self._numbers[text]


def timeline(lanes: Sequence[Lane]) -> tuple[str, int]:
    """The data of the timeline, as JSON that may stand inside a page; and how many rounds it leaves out."""
    parties = {lane.party: number for number, lane in enumerate(lanes)}
    labels, places = _Index(), _Index()
    each = MOST_DRAWN // len(lanes)
    drawn, left_out = [], 0
    for lane in lanes:
        rounds = lane.rounds
        if len(rounds) > each:
            left_out += len(rounds) - each
            rounds = rounds[: each // 2] + rounds[len(rounds) - each // 2 :]
        drawn.append(
            {
                "name": lane.party,
                "rounds": [_round(one, lane, parties, labels, places) for one in rounds],
                "pushes": [[p.label, parties.get(p.peer, -1), p.size, p.began, p.asked, p.handed] for p in lane.pushes],
                "pulls": [
                    [p.label, parties.get(p.peer, -1), p.size, p.asked, p.ended or lane.last] for p in lane.pulls
                ],
                "stages": lane.stages,
                "failed": None if lane.failed is None else lane.failed[0],
            }
        )
    starts = [lane.started for lane in lanes if lane.started is not None]
    began, ended = min(lane.began for lane in lanes), max(lane.last for lane in lanes)
    content = {
        "from": began,
        "to": max(ended, began + 1),
        "zero": min(starts, default=began),
        "end": max((lane.finished or lane.last for lane in lanes), default=ended),
        "labels": labels.texts,
        "places": places.texts,
        "lanes": drawn,
    }
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"), left_out


def _round(one: RoundSeen, lane: Lane, parties: dict[str, int], labels: _Index, places: _Index) -> list[Any]:
    calls = " → ".join(f"{file}:{line} {name}" for file, line, name in one.place)
    return [
        -1 if one.number is None else one.number,
        labels.of(one.label),
        places.of(calls) if calls else -1,
        one.began,
        one.asked,
        *times(one, lane.last),
        *one.fetched,
        [[parties.get(peer, -1), size] for peer, size in one.sent.items()],
        [[parties.get(peer, -1), size, at] for peer, (size, at) in one.came.items()],
        one.draws,
    ]
