"""Where the time of a recorded run went: by party, by label, and beside the plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from parties.trace.lanes import DEAL, Lane, RoundSeen

_MOST_SLOW: Final = 15


@dataclass(frozen=True)
class Spent:
    """Microseconds of one party's protocol: they add up to its whole time.

    `dealing` is, at the helper, the making of its windows, and at the last owner the wait for them.
    """

    computing: int
    sending: int
    waiting: int
    dealing: int
    waited_for: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All of it."""
        return self.computing + self.sending + self.waiting + self.dealing


@dataclass
class OfLabel:
    """All rounds of one label: counts and bytes of one party's, and microseconds, the mean over the parties."""

    label: str
    rounds: int = 0
    sent: int = 0
    computing: float = 0.0
    sending: float = 0.0
    waiting: float = 0.0
    dealing: float = 0.0
    draws: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)


def spent(lane: Lane) -> Spent:
    """Where a party's time went, from the beginning of the protocol to its end, or to where the record ends."""
    began = lane.started if lane.started is not None else lane.began
    total = (lane.finished or lane.last) - began
    sending = waiting = dealing = 0
    waited_for: Counter[str] = Counter()
    for one in lane.protocol:
        handed, ready, ended = times(one, lane.last)
        sending += handed - one.asked
        waiting += ended - ready
        waited_for[one.last or "nobody"] += ended - ready
        dealing += sum(one.fetched)
    for push in lane.pushes:
        if push.label == DEAL:
            dealing += push.asked - push.began
            sending += push.handed - push.asked
    for pull in lane.pulls:
        if pull.label != DEAL and pull.asked >= began:
            waiting += (pull.ended or lane.last) - pull.asked
            waited_for[pull.peer] += (pull.ended or lane.last) - pull.asked
    computing = max(0, total - sending - waiting - dealing)
    return Spent(computing, sending, waiting, dealing, waited_for)


def times(one: RoundSeen, last: int) -> tuple[int, int, int]:
    """When a round had handed over, was ready and ended; where it did not, when the record ends."""
    handed = one.handed if one.handed is not None else last
    ready = one.ready if one.ready is not None else max(handed, last)
    return handed, ready, one.ended if one.ended is not None else max(ready, last)


def by_label(lanes: Sequence[Lane]) -> list[OfLabel]:
    """The labels, the one that takes most first."""
    found: dict[str, OfLabel] = {}
    parties: dict[str, set[str]] = {}
    for lane in lanes:
        counts: Counter[str] = Counter()
        for one in lane.protocol:
            row = found.setdefault(one.label, OfLabel(one.label))
            parties.setdefault(one.label, set()).add(lane.party)
            counts[one.label] += 1
            handed, ready, ended = times(one, lane.last)
            row.computing += one.asked - one.began + ready - handed - sum(one.fetched)
            row.sending += handed - one.asked
            row.waiting += ended - ready
            row.dealing += sum(one.fetched)
            row.sent += sum(one.sent.values())
            row.draws.update(one.draws)
            row.places[where(one)] += 1
        for label, (count, computing, sending, waiting, sent, _) in lane.dropped.items():
            row = found.setdefault(label, OfLabel(label))
            parties.setdefault(label, set()).add(lane.party)
            counts[label] += count
            row.computing += computing
            row.sending += sending
            row.waiting += waiting
            row.sent += sent
        for label, count in counts.items():
            found[label].rounds = max(found[label].rounds, count)
    for label, row in found.items():
        n = len(parties[label])
        row.computing, row.sending, row.waiting, row.dealing = (
            time / n for time in (row.computing, row.sending, row.waiting, row.dealing)
        )
        row.sent //= n
        row.draws = Counter({kind: count // n or 1 for kind, count in row.draws.items()})
    return sorted(found.values(), key=lambda row: -(row.computing + row.sending + row.waiting + row.dealing))


def where(one: RoundSeen) -> str:
    """The line that awaited a round: the innermost one that is not the runtime's; before it, the author's own."""
    if not one.place:
        return ""
    own = [(file, line) for file, line, _ in one.place if "/" not in file]  # of no file of this project
    last = one.place[-1][:2]
    return " → ".join(f"{file}:{line}" for file, line in dict.fromkeys((*own[-1:], last)))


def placed(one: RoundSeen) -> str:
    """A round's label, and the line that awaited it."""
    return ", ".join(text for text in (f"'{one.label}'", where(one)) if text)


def slowest(lanes: Iterable[Lane]) -> list[tuple[Lane, RoundSeen, int]]:
    """The rounds that took longest at some party, and how long."""
    found = [(lane, one, times(one, lane.last)[2] - one.began) for lane in lanes for one in lane.protocol]
    return sorted(found, key=lambda each: -each[2])[:_MOST_SLOW]
