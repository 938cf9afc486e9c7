"""The structural proof: every word that is sent has a mask of its own.

The protocol runs twice for every drawn word, all else being the same, with that word changed at one owner by two odd
or arbitrary amounts. What its messages change by, over the amounts, are the word's coefficients. For each round, only
masks that changed none of the owner's messages before count. If the matrix of their coefficients modulo 2 has full row
rank, it can be inverted over the ring, and the round's words are uniform and independent of all that went before,
whatever the secrets.

What this shows: in this program, which is the same for all values (its flow cannot depend on them), every word that an
owner sends is covered, for anyone who knows everything but that owner's draws. What it does not show: that the drawn
words are uniform (the dealer's part; the statistical check looks at that), or that a coefficient that is odd at the
values tried is odd at all others. Declared outputs are left out, and rounds named as public need no masks; but a mask
that touched such a round is a used one.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from mpc.randomness.correlation import Kind
from mpc.randomness.streams import derive
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import Case
from mpc.testing.views.draws import Bump, Draws
from mpc.testing.views.recording import Recording, Sending, record, same_to_all

_MOST_WORDS = 3000


@dataclass(frozen=True)
class Structure:
    """The result of the proof: the number of words that the owners send, and of drawn words that cover them.

    `rounds`, where whole rounds were tested: the number tested, and the number of all.
    """

    words: int
    masks: int
    runs: int
    rounds: tuple[int, int] | None = None

    def __str__(self) -> str:
        own = "a mask of its own" if self.rounds is None else "masks that touched nothing before"
        seen = "" if self.rounds is None else f", in {self.rounds[0]} of {self.rounds[1]} rounds of all owners"
        return f"{self.words} sent words, each covered by {own}, of {self.masks} drawn words{seen}; {self.runs} runs"


@dataclass(frozen=True)
class _Row:
    """One word of what an owner sends."""

    group: int
    entry: int


@dataclass(frozen=True)
class _Mask:
    """One drawn word: its name, the first round that it changes, and its odd coefficients there.

    A word with a change there that is no multiple has none: it does not count as a mask.
    """

    name: str
    round: int
    odd: frozenset[_Row]
    touched: frozenset[_Row]  # every row that it changes, in any round


def check_masks(case: Case, exempt: Container[str], seed: int) -> Structure:
    """Show that every word of every owner's messages has a mask of its own, or fail at the first that has none.

    Raises:
        CheckFailed: names the round, the label and the parties, and what became of the mask.
    """
    draws = Draws(case.n, f"structure/{seed}")
    base = record(case, draws)
    words = sum(prod(spec.shape) for kind in base.kinds for spec in kind.drawn)
    if words > _MOST_WORDS:
        raise CheckFailed(f"{words} drawn words are too many for the structural check: give smaller `structure_sizes`")
    covered = 0
    for index, sender in enumerate(case.owners):
        groups = masked_groups(base, sender, ())
        masks = [_mask(case, draws, base, groups, word, index, seed) for word in _drawn_words(base.kinds)]
        for number in dict.fromkeys(group[0].round for group in groups if group[0].label not in exempt):
            covered += _check_round(groups, [mask for mask in masks if mask is not None], number)
    return Structure(covered, words * case.n, 1 + 2 * words * case.n)


def masked_groups(recording: Recording, sender: str, exempt: Container[str]) -> list[list[Sending]]:
    """An owner's arrays that need a mask, in order; an array for several receivers once."""
    return same_to_all(
        [one for one in recording.sendings if one.sender == sender and not one.revealed and one.label not in exempt]
    )


def _drawn_words(kinds: Sequence[Kind]) -> Iterator[tuple[int, int, int, Ring, str]]:
    """Correlation, part, entry, ring and name of every drawn word."""
    for number, kind in enumerate(kinds):
        for part, spec in enumerate(kind.drawn):
            for entry in range(prod(spec.shape)):
                yield number, part, entry, spec.ring, f"mask {part} of correlation {number} ({type(kind).__name__})"


def _mask(
    case: Case,
    draws: Draws,
    base: Recording,
    groups: Sequence[Sequence[Sending]],
    word: tuple[int, int, int, Ring, str],
    owner: int,
    seed: int,
) -> _Mask | None:
    """The changes of an owner's messages by one drawn word; None if there are none."""
    number, part, entry, ring, name = word
    amounts = [_amount(ring, f"{seed}/{number}/{part}/{entry}/{k}") for k in range(2)]
    places = {id(one): k for k, one in enumerate(base.sendings)}
    changes: list[list[Array]] = []
    for amount in amounts:
        changed = record(case, draws, Bump(number, part, entry, owner, amount)).sendings
        if len(changed) != len(base.sendings):
            raise CheckFailed(f"{name} changes how much is sent")
        changes.append([g[0].spec.ring.sub(changed[places[id(g[0])]].value, g[0].value).reshape(-1) for g in groups])
    touched = {
        _Row(k, int(i)) for change in changes for k, array in enumerate(change) for i in np.flatnonzero(array != 0)
    }
    if not touched:
        return None
    first = min(groups[row.group][0].round for row in touched)
    parities = {}
    for row in touched:
        sending = groups[row.group][0]
        if sending.round == first:
            moved = [int(change[row.group][row.entry]) for change in changes]
            parities[row] = _parity(moved, amounts, ring, sending.spec.ring)
    whole = all(parity is not None for parity in parities.values())
    odd = frozenset(row for row, parity in parities.items() if parity) if whole else frozenset()
    return _Mask(name, first, odd, frozenset(touched))


def _amount(ring: Ring, label: str) -> int:
    """An odd amount; under exclusive or, any but zero."""
    raw = int.from_bytes(derive(bytes(32), f"structure/{label}"), "little")
    return raw % (1 << ring.bits) | 1


def _parity(moved: Sequence[int], amounts: Sequence[int], mask: Ring, sent: Ring) -> int | None:
    """The coefficient that both changes are of the amounts, modulo 2; of bits, 1 if each bit follows its mask's.

    None if they are no multiple: then the word is not covered by the whole of the mask, or not in a linear way.
    """
    if mask.xor != sent.xor or mask.bits < sent.bits:
        return None
    size = 1 << sent.bits
    if sent.xor:
        return 1 if all(change == amount % size for change, amount in zip(moved, amounts, strict=True)) else None
    one, other = (change * pow(amount, -1, size) % size for change, amount in zip(moved, amounts, strict=True))
    return one % 2 if one == other else None


def _check_round(groups: Sequence[Sequence[Sending]], masks: Sequence[_Mask], number: int) -> int:
    """Show that the words of one round have masks of their own; how many they are."""
    fresh = [mask for mask in masks if mask.round == number]
    rows = [
        _Row(k, entry)
        for k, group in enumerate(groups)
        if group[0].round == number
        for entry in range(group[0].value.size)
    ]
    pivots: dict[int, int] = {}
    for row in rows:
        vector = sum(1 << k for k, mask in enumerate(fresh) if row in mask.odd)
        while vector and (top := vector.bit_length()) in pivots:
            vector ^= pivots[top]
        if not vector:
            raise CheckFailed(_uncovered(groups, masks, number, row))
        pivots[vector.bit_length()] = vector
    return len(rows)


def _uncovered(groups: Sequence[Sequence[Sending]], masks: Sequence[_Mask], number: int, row: _Row) -> str:
    group = groups[row.group]
    first = group[0]
    to = ", ".join(one.receiver for one in group)
    what = f"{first.where}: word {row.entry} of array {first.place} from {first.sender} to {to}"
    touching = [mask for mask in masks if row in mask.touched]
    used = [mask for mask in touching if mask.round < number]
    labels = {g[0].round: g[0].where for g in groups}
    fresh = [mask for mask in touching if mask.round == number]
    if any(row in mask.odd for mask in fresh):
        return f"{what} shares its mask with another word of that round: {fresh[0].name}"
    if fresh:
        return f"{what} is not covered by the whole of its mask: {fresh[0].name}"
    if used:
        return f"{what} has no mask of its own: {used[0].name} was used in {labels[used[0].round]} already"
    return f"{what} has no mask"
