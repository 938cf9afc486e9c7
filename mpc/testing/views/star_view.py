"""check_sums: an adversary's view at the end of a run with a server is alike for inputs with the same sums.

The protocol's own test works out, from all messages and from what a coalition has, each vector with every mask taken
off that those can take off: what is left must be uniform, alone and with any other, except for the sums that are
meant to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.statistics import histograms, smallest_shift, uneven, unlike

FALSE_ALARM = 1e-4
"""The chance that a check fails of a protocol that shows nothing; all its tests share it."""

Sight = Callable[[int, int], Mapping[str, Array]]
"""(inputs: 0 or 1, run) -> name -> the adversary's words, with the same names in every run."""


@dataclass(frozen=True)
class Summed:
    """The tests made: their number, the number of runs, and the smallest shift of probability they would find."""

    tests: int
    runs: int
    shift: float


def check_sums(sight: Sight, ring: Ring, *, runs: int = 60, known: frozenset[frozenset[str]] = frozenset()) -> Summed:
    """Compare the views under two inputs.

    Args:
        sight: the view in a run; each run must draw its own randomness.
        ring: of the words; the first of the two inputs' sums equals the second's.
        known: pairs of names whose sum is an intended output (a cohort of two): left out.

    Raises:
        CheckFailed: a vector, or the sum or difference of two, is not uniform or differs between the inputs; names it.
    """
    return compare([[paired(sight(which, run), ring, known) for run in range(runs)] for which in (0, 1)], ring)


def compare(sides: Sequence[Sequence[Mapping[str, Array]]], ring: Ring) -> Summed:
    """Compare words under two inputs: each uniform, and the same under both; raises as `check_sums` does.

    Args:
        sides: under each of the two, every run's words by name.
    """
    names, runs = list(sides[0][0]), len(sides[0])
    tests = 3 * len(names) * 2 * ring.word_bytes
    for name in names:
        one, other = (histograms(np.stack([items[name] for items in side]), ring) for side in sides)
        for what, found in (
            ("differs between the inputs", unlike(one, other)),
            ("is not uniform under the first inputs", uneven(one)),
            ("is not uniform under the second inputs", uneven(other)),
        ):
            for nibble, p in found:
                if p < FALSE_ALARM / tests:
                    raise CheckFailed(f"{name} {what}, in bits {4 * nibble} to {4 * nibble + 3} (p = {p:.0e})")
    words = runs * sides[0][0][names[0]].size if names else 0
    return Summed(tests, 2 * runs, smallest_shift(words, FALSE_ALARM / max(tests, 1)))


def paired(seen: Mapping[str, Array], ring: Ring, known: frozenset[frozenset[str]] = frozenset()) -> dict[str, Array]:
    """The words, and the sum and difference of any two; but for the sums that are `known`."""
    items = dict(seen)
    for one, other in combinations(seen, 2):
        if frozenset((one, other)) not in known:
            items[f"{one} + {other}"] = ring.add(seen[one], seen[other])
        items[f"{one} - {other}"] = ring.sub(seen[one], seen[other])
    return items
