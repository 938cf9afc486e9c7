"""The structural check for long protocols: whole rounds instead of single words, and how much was drawn at all.

What an owner drew since its last message is changed all at once, by random amounts, all else being the same. What went
before stays as it was, so in this round each word must change: by a sum of multiples of the amounts (twice the change
for the sum of two amounts ...), and by an odd one for some of them. Where what was drawn since does not cover a word,
masks that were drawn earlier and touched nothing yet are taken besides. Two words that change alike share a mask.

It takes a few runs a round, where `check_masks` takes two a drawn word. What it does not see: three or more words that
depend on each other under fewer masks.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import prod

import numpy as np

from mpc.randomness.streams import derive
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import Case
from mpc.testing.views.draws import ODD, Draws, Shake
from mpc.testing.views.recording import Recording, Sending, record
from mpc.testing.views.structure import Structure, masked_groups

_MOST_ROUNDS = 30
_MOST_SEEDS = 40
_EVIDENCE = 64  # bits in which two words must change alike before it is no chance

Groups = Sequence[Sequence[Sending]]


def check_rounds(case: Case, exempt: Container[str], seed: int) -> Structure:
    """Show for every owner, in up to 30 of its rounds, that each word is covered by masks that touched nothing before.

    Raises:
        CheckFailed: names the round, the label and the parties.
    """
    draws = Draws(case.n, f"rounds/{seed}")
    base = record(case, draws)
    check_enough(base, exempt)
    look = _Look(case, draws, base, exempt, seed)
    for sender in case.owners:
        look.at(sender)
    words = sum(prod(spec.shape) for kind in base.kinds for spec in kind.drawn)
    return Structure(look.words, words * case.n, look.runs, (look.looked, look.rounds))


def check_enough(recording: Recording, exempt: Container[str]) -> None:
    """No owner has sent more bits under masks than it has drawn.

    Raises:
        CheckFailed: names the round in which it has.
    """
    bits = [sum(prod(spec.shape) * spec.ring.bits for spec in kind.drawn) for kind in recording.kinds]
    for sender, drawn in recording.drawn.items():
        sent = 0
        for group in masked_groups(recording, sender, exempt):
            first = group[0]
            sent += first.value.size * first.spec.ring.bits
            had = sum(bits[: drawn[first.round]])
            if sent > had:
                raise CheckFailed(
                    f"{first.where}: {sender} has sent {sent} bits by then that need a mask, and drawn {had} bits"
                )


class _Look:
    """One base run, and the runs beside it."""

    def __init__(self, case: Case, draws: Draws, base: Recording, exempt: Container[str], seed: int) -> None:
        self._case = case
        self._draws = draws
        self._base = base
        self._exempt = exempt
        self._seed = seed
        self._places = {id(one): k for k, one in enumerate(base.sendings)}
        self._first: dict[tuple[str, int], int | None] = {}
        self.words = self.looked = self.rounds = 0
        self.runs = 1

    def at(self, sender: str) -> None:
        """Look at an owner's rounds, or at some of them."""
        groups = masked_groups(self._base, sender, self._exempt)
        rounds = list(dict.fromkeys(group[0].round for group in groups))
        order = sorted(rounds, key=lambda number: derive(bytes(32), f"rounds/{self._seed}/{sender}/{number}"))
        self.rounds += len(rounds)
        for number in sorted(order[:_MOST_ROUNDS]):
            self._round(sender, number, [group for group in groups if group[0].round == number])
            self.looked += 1

    def _round(self, sender: str, number: int, groups: Groups) -> None:
        drawn = self._base.drawn[sender]
        before = drawn[number - 1] if number else 0
        fresh = frozenset(range(before, drawn[number]))
        problem = self._uncovered(sender, groups, fresh)
        if problem:
            unused = {k for k in range(before) if (first := self._touches(sender, k)) is None or first >= number}
            problem = self._uncovered(sender, groups, fresh | unused)
        if problem:
            raise CheckFailed(problem)
        self.words += sum(group[0].value.size for group in groups)

    def _touches(self, sender: str, correlation: int) -> int | None:
        """The first round in which a correlation's drawn words change what an owner sends; None if they do in none."""
        key = (sender, correlation)
        if key not in self._first:
            groups = masked_groups(self._base, sender, ())
            changes = self._changes(sender, groups, frozenset([correlation]), ("first",))
            touched = [g[0].round for g, change in zip(groups, changes, strict=True) if (change != 0).any()]
            self._first[key] = min(touched, default=None)
        return self._first[key]

    def _changes(self, sender: str, groups: Groups, numbers: frozenset[int], seeds: tuple[str, ...]) -> list[Array]:
        """The changes of an owner's arrays by a change of these correlations' words."""
        self.runs += 1
        shake = Shake(numbers, self._case.owners.index(sender), seeds)
        changed = record(self._case, self._draws, shake).sendings
        if len(changed) != len(self._base.sendings):
            raise CheckFailed(f"other masks of {sender} change how much is sent")
        return [g[0].spec.ring.sub(changed[self._places[id(g[0])]].value, g[0].value).reshape(-1) for g in groups]

    def _uncovered(self, sender: str, groups: Groups, numbers: frozenset[int]) -> str:
        """The fault of an owner's words of one round under these masks; empty if there is none."""
        changes = [self._changes(sender, groups, numbers, (seed,)) for seed in (ODD, "1")] if numbers else []
        if not changes:
            return _said(groups[0], 0, "has no mask")
        both = self._changes(sender, groups, numbers, (ODD, "1"))
        for k, group in enumerate(groups):
            ring = group[0].spec.ring
            odd = ring.sub(both[k], ring.add(changes[0][k], changes[1][k]))
            if (odd != 0).any():
                return _said(group, int(np.flatnonzero(odd)[0]), "is not covered by multiples of its masks")
        least = -(-_EVIDENCE // min(group[0].spec.ring.bits for group in groups))
        while len(changes) < least:
            changes.append(self._changes(sender, groups, numbers, (f"{len(changes)}",)))
        for k, group in enumerate(groups):
            still = np.flatnonzero(np.all([change[k] == 0 for change in changes], axis=0))
            if still.size:
                return _said(group, int(still[0]), "has no fresh mask")
        while (bare := _bare(groups, changes)) and len(changes) < _MOST_SEEDS:
            changes.append(self._changes(sender, groups, numbers, (f"{len(changes)}",)))
        return _said(*bare, "is not covered by the whole of its mask") if bare else _shared(groups, changes)


def _bare(groups: Groups, changes: Sequence[Sequence[Array]]) -> tuple[Sequence[Sending], int] | None:
    """The first word with a bit that no change reached; of a ring with odd numbers, the lowest bit stands for all."""
    for k, group in enumerate(groups):
        ring = group[0].spec.ring
        reached = _integers(ring, changes[0][k])
        for change in changes[1:]:
            reached = reached | _integers(ring, change[k])
        wanted = (1 << ring.bits) - 1 if ring.xor else 1
        missing = np.flatnonzero(np.array([value & wanted != wanted for value in reached.tolist()], dtype=bool))
        if missing.size:
            return group, int(missing[0])
    return None


def _integers(ring: Ring, words: Array) -> Array:
    return words.astype(object) if words.dtype != object else words


def _shared(groups: Groups, changes: Sequence[Sequence[Array]]) -> str:
    """Two words of one round that change alike, or as each other's opposite, have one mask."""
    found: set[tuple[int, tuple[int, ...]]] = set()
    for k, group in enumerate(groups):
        ring = group[0].spec.ring
        rows = np.stack([_integers(ring, change[k]) for change in changes], axis=1)
        for entry, row in enumerate(rows.tolist()):
            opposite = [(-value) % (1 << ring.bits) for value in row]
            key = (ring.bits, tuple(min(row, row if ring.xor else opposite)))
            if key in found:
                return _said(group, entry, "shares its mask with another word of that round")
            found.add(key)
    return ""


def _said(group: Sequence[Sending], entry: int, what: str) -> str:
    first = group[0]
    to = ", ".join(one.receiver for one in group)
    return f"{first.where}: word {entry} of array {first.place} from {first.sender} to {to} {what}"
