"""What a coalition sees over many runs: what it received, what was opened, and what it can work out from what it holds.

An item is one thing seen, as the words of all runs. Beside messages and openings these are: each of them plus and
minus each thing of like size that the coalition holds (its shares of inputs, masks and dealt parts, added up over its
members; the zeros it shares with others; its own inputs), the sums and differences of any two of them, and those of
neighbours in one opening: each would be a bare secret if a mask were missing or used twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mpc.ghost import Array
from mpc.ring import Ring
from mpc.testing.failure import CheckFailed
from mpc.testing.recording import Recording, Sending


@dataclass(frozen=True)
class Item:
    """One thing seen: its words (runs, W), and whether they should be uniform; `rank` orders findings by simplicity."""

    name: str
    label: str
    ring: Ring
    words: Array
    masked: bool = False
    rank: int = 0


@dataclass(frozen=True)
class _Stack:
    """One array over all runs."""

    first: Sending
    words: Array


@dataclass(frozen=True)
class Sight:
    """All that was sent and noted, over all runs of one case."""

    n: int
    sent: Mapping[tuple[int, int, str, str], _Stack]  # by round, place, sender, receiver
    notes: Mapping[tuple[str, str, str], tuple[Ring, Array]]  # by owner, key, peer

    def items(self, coalition: Sequence[int]) -> Iterator[Item]:
        """What a coalition sees, the simple things first."""
        inside = [f"owner{k}" for k in coalition]
        received = list(self._received(inside))
        opened = list(self._opened(inside))
        held = list(self._held(inside))
        yield from received
        yield from opened
        yield from held
        for base in (*received, *opened):
            for thing in held:
                yield from _combined(base, thing, 2)
        for first, second in (*combinations(opened, 2), *combinations(received, 2)):
            yield from _combined(first, second, 1)
        for one in opened:
            if one.words.shape[1] > 1:
                difference = one.ring.sub(one.words[:, 1:], one.words[:, :-1])
                yield Item(f"{one.name}: neighbours' difference", one.label, one.ring, difference, False, 1)

    def _received(self, inside: Sequence[str]) -> Iterator[Item]:
        seen: dict[tuple[int, int, str], list[Array]] = {}
        for (number, place, sender, receiver), stack in self.sent.items():
            if sender in inside or receiver not in inside:
                continue
            alike = seen.setdefault((number, place, sender), [])
            if any(np.array_equal(stack.words, other) for other in alike):
                continue  # another member was sent the same
            alike.append(stack.words)
            first = stack.first
            name = f"{first.where}, array {place} from {sender} to {receiver}"
            yield Item(name, first.label, first.spec.ring, stack.words, not first.revealed)

    def _opened(self, inside: Sequence[str]) -> Iterator[Item]:
        """Arrays of all owners, added up, where the coalition has them all."""
        groups: dict[tuple[int, int], dict[str, _Stack]] = {}
        for (number, place, sender, receiver), stack in self.sent.items():
            if sender in inside or receiver in inside:
                groups.setdefault((number, place), {}).setdefault(sender, stack)
        for (_, place), stacks in groups.items():
            first, *others = stacks.values()
            ring, shape = first.first.spec.ring, first.words.shape
            if len(stacks) < self.n or any((s.first.spec.ring, s.words.shape) != (ring, shape) for s in others):
                continue
            total = first.words
            for stack in others:
                total = ring.add(total, stack.words)
            name = f"{first.first.where}, value {place} as opened"
            yield Item(name, first.first.label, ring, total, not first.first.revealed)

    def _held(self, inside: Sequence[str]) -> Iterator[Item]:
        groups: dict[tuple[str, str], list[tuple[Ring, Array]]] = {}
        for (owner, key, peer), held in self.notes.items():
            if owner in inside and peer not in inside:
                groups.setdefault((key, peer), []).append(held)
        for (key, peer), parts in groups.items():
            ring, total = parts[0]
            for _, words in parts[1:]:
                total = ring.add(total, words)
            yield Item(f"{key} with {peer}" if peer else key, "", ring, total, False, 3)


def _combined(one: Item, other: Item, rank: int) -> Iterator[Item]:
    if one.ring != other.ring or one.words.shape != other.words.shape:
        return
    yield Item(f"{one.name}, less {other.name}", one.label, one.ring, one.ring.sub(one.words, other.words), False, rank)
    if not one.ring.xor:
        yield Item(
            f"{one.name}, plus {other.name}", one.label, one.ring, one.ring.add(one.words, other.words), False, rank
        )


def stacked(recordings: Sequence[Recording], n: int) -> Sight:
    """All runs of one case together."""
    first = recordings[0]
    sent: dict[tuple[int, int, str, str], _Stack] = {}
    for k, one in enumerate(first.sendings):
        if one.value.size:
            words = np.stack([_same(one, r, k).value.reshape(-1) for r in recordings])
            sent[one.round, one.place, one.sender, one.receiver] = _Stack(one, words)
    notes: dict[tuple[str, str, str], tuple[Ring, Array]] = {}
    for owner, mine in first.notes.items():
        for k, note in enumerate(mine):
            if note.value.size:
                words = np.stack([r.notes[owner][k].value.reshape(-1) for r in recordings])
                notes[owner, note.key, note.peer] = (note.ring, words)
    return Sight(n, sent, notes)


def _same(one: Sending, recording: Recording, k: int) -> Sending:
    if k < len(recording.sendings):
        other = recording.sendings[k]
        if (other.label, other.sender, other.receiver, other.spec) == (one.label, one.sender, one.receiver, one.spec):
            return other
    raise CheckFailed(f"{one.where}: what {one.sender} sends {one.receiver} is not alike in all runs")
