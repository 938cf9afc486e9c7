"""A coalition's view over many runs: messages, openings, and what follows from these and its own values.

An item is one thing seen, as the words of all runs. Beside messages and openings these are: each of them plus and
minus each thing of like size that the coalition holds (its shares of inputs, masks and dealt parts, added up over its
members; the zeros it shares with others; its own inputs), the sums and differences of any two of them, and those of
neighbours in one opening: each would be a bare secret if a mask were missing or used twice.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product, zip_longest
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.noting import Note
from mpc.testing.views.recording import Recording, Sending


@dataclass(frozen=True)
class Item:
    """An item of a view: its words (runs, W), and whether they should be uniform; `rank` orders findings by simplicity.

    `once` says that no word should come twice, in whatever run. `opened` is the round and place of what all add up.
    """

    name: str
    label: str
    ring: Ring
    words: Array
    masked: bool = False
    rank: int = 0
    once: bool = False
    opened: tuple[int, int] | None = None


@dataclass(frozen=True)
class _Stack:
    """One array over all runs."""

    first: Sending
    words: Array


@dataclass(frozen=True)
class _Held:
    """One note over all runs."""

    note: Note
    words: Array


@dataclass(frozen=True)
class Sight:
    """All messages and notes, over all runs of one case."""

    n: int
    sent: Mapping[tuple[int, int, str, str], _Stack]  # by round, place, sender, receiver
    own: Mapping[tuple[int, int, str], _Stack]  # by round, place, owner: its part of what it is told alone
    to_all: frozenset[tuple[int, int, str]]  # round, place, sender of what goes to all alike
    notes: Mapping[tuple[str, str, str], _Held]  # by owner, key, peer
    said: Mapping[str, tuple[str, ...]]  # by owner, the same in all runs
    runs: int

    def items(self, coalition: Sequence[int]) -> Iterator[Item]:
        """The items of a coalition's view, the simple ones first."""
        inside = [f"owner{k}" for k in coalition]
        received = list(self._received(inside))
        opened = list(self._opened(inside))
        held = list(self._held(inside))
        yield from received
        yield from opened
        yield from (item for item, _ in held)
        for base in (*received, *opened, *self._from_outside(inside)):
            for thing, is_share in held:
                if is_share:
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
            masked = not first.revealed
            yield Item(name, first.label, first.spec.ring, stack.words, masked, once=masked)

    def _opened(self, inside: Sequence[str]) -> Iterator[Item]:
        """The sums that each member can form: of the arrays from all outside, and the members' own.

        A member adds its array for any owner: so a part for another owner that was sent to this one too is added to
        the members' parts for that other.
        """
        names = [f"owner{k}" for k in range(self.n)]
        for number, place in dict.fromkeys(key[:2] for key in self.sent):
            first = next(stack.first for key, stack in self.sent.items() if key[:2] == (number, place))
            to_all = all((number, place, sender) in self.to_all for sender in names)
            seen: list[Array] = []
            for reader, recipient in [(inside[0], inside[0])] if to_all else product(inside, names):
                parts = [self._part(number, place, s, recipient if s in inside else reader) for s in names]
                total = _total([part for part in parts if part is not None], first)
                if len(parts) - parts.count(None) < self.n or total is None:
                    continue
                if any(np.array_equal(total, other) for other in seen):
                    continue
                seen.append(total)
                of = (
                    "" if to_all else f" to {reader}" + (f", with parts for {recipient}" if recipient != reader else "")
                )
                name, masked = f"{first.where}, value {place} as opened{of}", not first.revealed
                where = (number, place) if to_all else None
                yield Item(name, first.label, first.spec.ring, total, masked, once=masked, opened=where)

    def _from_outside(self, inside: Sequence[str]) -> Iterator[Item]:
        """The sum of a member's arrays from all outside, where owners are sent different values."""
        outside = [name for name in (f"owner{k}" for k in range(self.n)) if name not in inside]
        for number, place in dict.fromkeys(key[:2] for key in self.sent):
            for reader in inside if len(outside) > 1 else ():
                parts = [self.sent.get((number, place, sender, reader)) for sender in outside]
                stacks = [part for part in parts if part is not None]
                apart = any((number, place, sender) not in self.to_all for sender in outside)
                if apart and len(stacks) == len(outside) and (total := _total(stacks, stacks[0].first)) is not None:
                    first = stacks[0].first
                    name = f"{first.where}, value {place} as sent to {reader}"
                    yield Item(name, first.label, first.spec.ring, total, not first.revealed)

    def _part(self, number: int, place: int, sender: str, to: str) -> _Stack | None:
        """An owner's array for another owner, or for itself."""
        if sender != to:
            return self.sent.get((number, place, sender, to))
        if (number, place, sender) in self.own:
            return self.own[number, place, sender]
        if (number, place, sender) in self.to_all:
            return next(stack for key, stack in self.sent.items() if key[:3] == (number, place, sender))
        return None

    def _held(self, inside: Sequence[str]) -> Iterator[tuple[Item, bool]]:
        """The sum of the members' values, and whether it is a share."""
        groups: dict[tuple[str, str], list[_Held]] = {}
        for (owner, key, peer), held in self.notes.items():
            if owner in inside and peer not in inside:
                groups.setdefault((key, peer), []).append(held)
        for (key, peer), parts in groups.items():
            note, total = parts[0].note, parts[0].words
            for part in parts[1:] if note.share else ():
                total = note.ring.add(total, part.words)
            yield Item(f"{key} with {peer}" if peer else key, "", note.ring, total, False, 3), note.share


def _total(stacks: Sequence[_Stack], like: Sending) -> Array | None:
    """The sum of arrays; None where they are not alike."""
    if not stacks or any((s.first.spec.ring, s.words.shape) != (like.spec.ring, stacks[0].words.shape) for s in stacks):
        return None
    total = stacks[0].words
    for stack in stacks[1:]:
        total = like.spec.ring.add(total, stack.words)
    return total


def _combined(one: Item, other: Item, rank: int) -> Iterator[Item]:
    if one.ring != other.ring or one.words.shape != other.words.shape:
        return
    ring, once = one.ring, one.once and rank > 1
    yield Item(f"{one.name}, less {other.name}", one.label, ring, ring.sub(one.words, other.words), False, rank, once)
    if not ring.xor:
        both = ring.add(one.words, other.words)
        yield Item(f"{one.name}, plus {other.name}", one.label, ring, both, False, rank, once)


def stacked(recordings: Sequence[Recording], n: int) -> Sight:
    """All runs of one case together.

    Raises:
        CheckFailed: what is sent, or what an owner says, is not alike in all runs.
    """
    first = recordings[0]
    sent: dict[tuple[int, int, str, str], _Stack] = {}
    own: dict[tuple[int, int, str], _Stack] = {}
    for k, one in enumerate(first.sendings):
        if one.value.size:
            same = [_same(one, r, k) for r in recordings]
            sent[one.round, one.place, one.sender, one.receiver] = _stack([s.value for s in same], one)
            kept = [s.own for s in same if s.own is not None]
            if len(kept) == len(same):
                own[one.round, one.place, one.sender] = _stack(kept, one)
    for owner, texts in first.said.items():
        for recording in recordings:
            check_said(owner, texts, recording.said[owner], "in another run with the same secrets")
    notes: dict[tuple[str, str, str], _Held] = {}
    for owner, mine in first.notes.items():
        for k, note in enumerate(mine):
            if note.value.size:
                words = np.stack([r.notes[owner][k].value.reshape(-1) for r in recordings])
                notes[owner, note.key, note.peer] = _Held(note, words)
    return Sight(n, sent, own, _sent_to_all(sent, own), notes, first.said, len(recordings))


def _stack(values: Sequence[Array], first: Sending) -> _Stack:
    return _Stack(first, np.stack([value.reshape(-1) for value in values]))


def _sent_to_all(
    sent: Mapping[tuple[int, int, str, str], _Stack], own: Container[Any]
) -> frozenset[tuple[int, int, str]]:
    """The arrays that their sender sends to all alike: round, place, sender."""
    firsts: dict[tuple[int, int, str], Array] = {}
    differ = set()
    for key, stack in sent.items():
        if not np.array_equal(firsts.setdefault(key[:3], stack.words), stack.words):
            differ.add(key[:3])
    return frozenset(key for key in firsts if key not in differ and key not in own)


def check_said(owner: str, one: Sequence[str], other: Sequence[str], where: str) -> None:
    """Check that no text that leaves a party depends on secrets or on randomness.

    Raises:
        CheckFailed: names the first that differs.
    """
    for mine, theirs in zip_longest(one, other, fillvalue="nothing"):
        if mine != theirs:
            raise CheckFailed(
                f"{owner} says '{mine}', and '{theirs}' {where}: a reason, a stage, a hint and an error hold no data"
            )


def _same(one: Sending, recording: Recording, k: int) -> Sending:
    if k < len(recording.sendings):
        other = recording.sendings[k]
        if (other.label, other.sender, other.receiver, other.spec) == (one.label, one.sender, one.receiver, one.spec):
            return other
    raise CheckFailed(f"{one.where}: what {one.sender} sends {one.receiver} is not alike in all runs")
