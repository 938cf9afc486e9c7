"""The first difference of two recorded runs: a party, a round, its label, line, bytes or correlations; and values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from parties.show.blocks import count_text, join_words
from parties.trace.lanes import Lane, RoundSeen
from parties.trace.totals import where
from parties.trace.value_tables import numbers_text
from parties.trace.values import Value, values_of


def first_difference(one: Sequence[Lane], other: Sequence[Lane]) -> str:
    """Where two runs part, in a sentence; or that they do not.

    Times are no difference. Values are compared where both runs were under a test seed.
    """
    names = [lane.party for lane in one]
    others = {lane.party: lane for lane in other}
    if set(names) != set(others):
        return f"other parties: {join_words(sorted(names))}, and {join_words(sorted(others))}"
    both = all(lane.values for lane in (*one, *other))
    clear = _in_clear(values_of(one, {}), values_of(other, {})) if both else None
    if clear:
        return clear
    words = both and clear is None
    found = [place for lane in one for place in _differences(lane, others[lane.party], words=words)]
    if found:
        return min(found)[2]
    rounds = max(len(lane.protocol) for lane in one)
    values = "values, too" if both else "values were not recorded"
    values = "values in clear, too, of other randomness" if clear == "" else values
    return f"no difference in {count_text(rounds)} rounds of {count_text(len(names))} parties ({values})"


def _in_clear(one: Sequence[Value], other: Sequence[Value]) -> str | None:
    """The first difference in clear of runs that share the same inputs in other shares; "" if none, None of others.

    Seeds cover the plan: an edit that changes the plan changes every share, which would not tell where it is.
    """
    mine, theirs = ({(v.label, v.to): v for v in values if v.what == "input"} for values in (one, other))
    again = [key for key in mine if key in theirs and mine[key].digests != theirs[key].digests]
    if not again or any(_parted(mine[key], theirs[key]) for key in again):
        return None
    pairs = zip(*([v for v in values if v.what != "opened"] for values in (one, other)), strict=False)
    for a, b in pairs:
        at = f"round {a.number + 1} ({a.at}): " if a.at else f"after round {a.number}: "
        if (a.what, a.label, a.to, a.shape, a.scale) != (b.what, b.label, b.to, b.shape, b.scale):
            return f"{at}{_named(a)} in one run, {_named(b)} in the other"
        if _parted(a, b):
            return f"{at}{_named(a)} differs in clear: {numbers_text(a.total)} and {numbers_text(b.total)}"
    return ""


def _parted(a: Value, b: Value) -> bool:
    if a.total is None or b.total is None:
        return False
    return a.differs(b.total)


def _named(value: Value) -> str:
    to = f" to {value.to}" if value.to else ""
    return f"{value.what} '{value.label}'{to} of shape {value.shape} at scale {value.scale}"


def _differences(one: Lane, other: Lane, *, words: bool) -> Iterator[tuple[int, int, str]]:
    """The first difference of a party in its values, and in its rounds: the round's number, a place, a sentence."""
    if words:
        for k, (ours, theirs) in enumerate(zip_longest(one.told, other.told)):
            if ours is None or theirs is None:
                what, label, number, _ = ours or theirs
                yield number, k, f"round {number + 1}: {one.party} has {what} '{label}' in one run alone"
                break
            if ours[:3] != theirs[:3]:
                both = " and ".join(f"{what} '{label}'" for what, label, *_ in (ours, theirs))
                yield ours[2], k, f"round {ours[2] + 1}: {one.party} has {both}"
                break
            key = next((key for key in _COMPARED if ours[3].get(key) != theirs[3].get(key)), None)
            if key is not None:
                what, label, number, _ = ours
                how = "its words" if key == "digest" else f"{key} {ours[3].get(key)} and {theirs[3].get(key)}"
                yield number, k, f"round {number + 1}: {one.party}'s {what} '{label}' differs: {how}"
                break
    for number, (a, b) in enumerate(zip_longest(one.protocol, other.protocol)):
        said = _of_round(a, b)
        if said:
            yield number, _LATER, f"round {number + 1}: {one.party} {said}"
            break
    for number, (a, b) in enumerate(zip(one.protocol, other.protocol, strict=False)):
        if where(a) != where(b):  # of an edited file, every line may be another: so it is said if there is nothing else
            at = f"awaits '{a.label}' at {where(a)} and at {where(b)}"
            yield _LATER + number, 0, f"round {number + 1}: {one.party} {at}"
            break


_LATER = 1 << 60  # after a round's values
_COMPARED = ("shape", "scale", "bits", "xor", "digest", "digest of mask", "of", "added")


def _of_round(a: RoundSeen | None, b: RoundSeen | None) -> str:
    if a is None or b is None:
        present = a or b
        assert present is not None
        return f"has '{present.label}' ({where(present)}) in one run alone"
    if a.label != b.label:
        return f"has '{a.label}' ({where(a)}) and '{b.label}' ({where(b)})"
    if dict(a.sent) != dict(b.sent):
        peer = next(peer for peer in {**a.sent, **b.sent} if a.sent.get(peer) != b.sent.get(peer))
        return f"sends {peer} {a.sent.get(peer, 0)} and {b.sent.get(peer, 0)} bytes in '{a.label}'"
    if dict(a.draws) != dict(b.draws):
        return f"draws {_drawn(a)} and {_drawn(b)} before '{a.label}'"
    if (a.ended is None) != (b.ended is None):
        return f"comes to the end of '{a.label}' in one run alone"
    return ""


def _drawn(one: RoundSeen) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in one.draws.items()) or "nothing"
