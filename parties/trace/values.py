"""Under a test seed: what the parties' shares of each value add up to, its masks, and what it was meant to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np

from mpc.errors import ProtocolError, UsageError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.ring.rings import Ring
from parties.show.blocks import entries, table
from parties.trace.lanes import Lane
from parties.trace.totals import placed

OWN_ROWS: Final = "OwnMasks"
"""The kind of masks of which each owner has one of its own rows: they add up to nothing."""

Numbers = tuple[int, str, int, str, str]


@dataclass
class Value:
    """One value of a run, at all its parties.

    Attributes:
        what: "input", "share" or "watch", of which the parties have shares; "masked"; "opened" or "told", in clear.
        number: of its round, or of the round that comes after it.
        parts: party -> its words, the first of `size`.
        masks: party -> its share of the mask, where one is known.
        of: the mask's correlation, its kind and its part; None where no correlation gave it.
        total: the shares' sum (of what is masked, with the mask taken off; in clear, the value), as real numbers.
        opened: what the masked shares add up to.
        wanted: what the plaintext reference says.
        at: the label and the line of its round.
        notes: what is amiss.
    """

    what: str
    label: str
    number: int
    to: str
    shape: tuple[int, ...]
    scale: int
    ring: Ring
    parts: dict[str, Array] = field(default_factory=dict)
    masks: dict[str, Array] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    of: tuple[int, str, int] | None = None
    added: bool = False
    total: Array | None = None
    opened: Array | None = None
    wanted: Array | None = None
    at: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many words it has; of long ones, the first are kept."""
        return prod(self.shape)

    @property
    def leaves(self) -> bool:
        """Whether it is not what the reference says, by more than half of its fractional bits."""
        return self.wanted is not None and self.total is not None and self.differs(self.wanted)

    def differs(self, wanted: Array) -> bool:
        """Whether it is not this in clear, by more than half of its fractional bits."""
        assert self.total is not None
        if wanted.shape != self.total.shape:
            return True
        bound = 2.0 ** -(self.scale / 2) if self.scale > 0 else 0.5
        return bool((np.abs(self.total - wanted) > bound * np.maximum(1.0, np.abs(wanted))).any())


def values_of(lanes: Sequence[Lane], record: Mapping[str, Any]) -> list[Value]:
    """The values of a run under a test seed, in the order of their rounds; none of another run.

    Args:
        record: of the run, with what the reference watched.

    Raises:
        UsageError: a record was damaged.
    """
    found: dict[tuple[str, str, str, int], Value] = {}
    for lane in lanes:
        counts: Counter[tuple[str, str, str]] = Counter()
        for what, label, number, content in lane.told:
            key = (what, label, str(content.get("to", "")))
            try:
                _take(found, (*key, counts[key]), number, lane.party, content)
            except (ValueError, TypeError, KeyError, ProtocolError):
                raise UsageError(f"the values of {lane.party} are damaged", "run it again") from None
            counts[key] += 1
    owners = {lane.party for lane in lanes if lane.told}
    rounds = next((lane.protocol for lane in lanes if lane.told), [])
    for value in found.values():
        value.at = placed(rounds[value.number]) if value.number < len(rounds) else ""
        _add_up(value, owners if len(lanes) > 1 else set())
    _check_masks(list(found.values()))
    _refer(list(found.values()), table(record.get("comparison")))
    _check_recipients(list(found.values()), record)
    order = {"input": 0, "watch": 1, "share": 2, "masked": 3, "opened": 4, "told": 5}
    return sorted(found.values(), key=lambda value: (value.number, order.get(value.what, 9)))


def _take(
    found: dict[tuple[str, str, str, int], Value],
    key: tuple[str, str, str, int],
    number: int,
    party: str,
    content: Mapping[str, Any],
) -> None:
    ring = Ring(int(content["bits"]), bool(content["xor"]))
    value = found.get(key)
    if value is None:
        shape = tuple(int(size) for size in content["shape"])
        value = found[key] = Value(key[0], key[1], number, key[2], shape, int(content["scale"]), ring)
    value.parts[party] = _words(content["words"], ring)
    value.digests[party] = str(content["digest"])
    if "mask" in content:
        value.masks[party] = _words(content["mask"], ring)
        value.digests[f"{party}/mask"] = str(content["digest of mask"])
        correlation, kind, part = content["of"]
        value.of = int(correlation), str(kind), int(part)
    value.added = bool(content.get("added"))
    if content.get("public"):
        value.opened = value.parts[party]


def _words(text: str, ring: Ring) -> Array:
    data = bytes.fromhex(text)
    return ring.from_bytes(data, (len(data) // ring.word_bytes,))


def _add_up(value: Value, owners: set[str]) -> None:
    """The sum of all owners' shares, where all are there."""
    if value.opened is not None:  # in clear
        value.total = _real(value, value.opened)
        if len(set(value.digests.values())) > 1 and not value.to:
            value.notes.append("it is not the same at all parties")
        return
    if set(value.parts) != owners or (value.of is not None and value.of[1] == OWN_ROWS):
        return
    total = _sum(value.ring, list(value.parts.values()))
    if value.what != "masked":
        value.total = _real(value, total)
        return
    value.opened = total
    if set(value.masks) == owners:
        mask = _sum(value.ring, list(value.masks.values()))
        bare = value.ring.sub(total, mask) if value.added else value.ring.add(total, mask)
        value.total = _real(value, bare)
    else:
        value.notes.append("it is opened under a mask that no correlation gave")


def _sum(ring: Ring, parts: Sequence[Array]) -> Array:
    total = parts[0]
    for part in parts[1:]:
        total = ring.add(total, part)
    return total


def _real(value: Value, words: Array) -> Array:
    """Words as real numbers; bits as they are."""
    return np.asarray(words, dtype=np.float64) if value.ring.xor else decode(words, value.scale, value.ring)


def _check_masks(values: Sequence[Value]) -> None:
    """Note every mask that covers two values."""
    used: dict[str, Value] = {}
    opened: dict[tuple[str, ...], Value] = {}
    for value in values:
        for name, one in value.digests.items():
            if name.endswith("/mask"):
                if one in used and value.size * value.ring.word_bytes >= 8:
                    value.notes.append(f"its mask is that of '{used[one].label}' in round {used[one].number + 1}")
                    break
                used[one] = value
        if value.what == "masked":
            key = tuple(sorted(value.digests.values()))
            if key in opened and value.size * value.ring.word_bytes >= 8:
                value.notes.append(f"the same shares were opened as '{opened[key].label}'")
            opened.setdefault(key, value)


def _refer(values: Sequence[Value], comparison: Mapping[str, Any]) -> None:
    """Put what the reference watched beside the values of the same label, the first to the first."""
    counts: Counter[str] = Counter()
    watched: dict[tuple[str, int], Mapping[str, Any]] = {}
    for one in entries(comparison.get("watched")):
        watched[one["label"], counts[one["label"]]] = one
        counts[one["label"]] += 1
    counts.clear()
    for value in values:
        if value.what != "watch":
            continue
        one = watched.get((value.label, counts[value.label]))
        counts[value.label] += 1
        if one is not None:
            value.wanted = np.asarray(one["values"], dtype=np.float64)
            if tuple(one["shape"]) != value.shape:
                value.notes.append(f"its shape is {value.shape}, and the reference's {tuple(one['shape'])}")


def _check_recipients(values: Sequence[Value], record: Mapping[str, Any]) -> None:
    """Note every value that one owner was told and that the reference gives another."""
    comparison = table(record.get("comparison"))
    results = {
        one.get("name"): table(one.get("by_owner")) for one in entries(table(record.get("program")).get("results"))
    }
    for one in entries(comparison.get("results")):
        for owner, other in table(one.get("swapped")).items():
            has = np.asarray(
                table(results.get(one.get("name"), {}).get(owner)).get("values"), dtype=np.float64
            ).reshape(-1)
            for value in values:
                if value.what == "told" and value.to == owner and value.total is not None:
                    told = value.total.reshape(-1)
                    if np.array_equal(told, has[: told.size]):
                        value.notes.append(f"{owner} was told what {comparison.get('reference')} gives {other}")


def first_leaving(values: Sequence[Value]) -> Value | None:
    """The first value that is not what the reference says."""
    return next((value for value in values if value.leaves), None)


def amiss(values: Sequence[Value]) -> Iterator[str]:
    """What is wrong with the values, one sentence each."""
    leaving = first_leaving(values)
    if leaving is not None:
        last = max((one for one in values if one.number < leaving.number), key=lambda one: one.number, default=None)
        after = f"after round {last.number + 1} ({last.at}) and " if last else ""
        before = f"before round {leaving.number + 1}" + (f" ({leaving.at})" if leaving.at else ", which never came")
        yield f"The protocol leaves its reference at '{leaving.label}', {after}{before}."
    for value in values:
        for note in value.notes:
            at = f" ({value.at})" if value.at else ""
            yield f"Round {value.number + 1}{at}, '{value.label}': {note}."
