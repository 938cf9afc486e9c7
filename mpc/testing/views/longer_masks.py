"""Statistical masks: x + r over the integers, where r is longer than x by so many bits and does not fill the ring.

What is opened is not uniform over the ring, and its distribution under two secrets differs by about |x - x'| / R, where
R is the range of r. Both are measured: x - x' is what is opened under one secret less what is opened under the other
with the same randomness, and R is how far what is opened spreads over many runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log2

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import Case
from mpc.testing.views.draws import Draws
from mpc.testing.views.recording import Recording, record

_NIBBLE = 4


def even_nibbles(words: Array, ring: Ring) -> int:
    """Of opened words (runs, W): how many nibbles must be uniform, as they lie well below the top of the range."""
    return max(0, int(log2(max(1, _range(words, ring)))) // _NIBBLE - 1)


def check_longer(
    one: Case, other: Case, spread: Mapping[tuple[int, int], tuple[Array, Ring]], bits: Mapping[str, int], seed: str
) -> None:
    """Compare how far two secrets move what is opened with how far it spreads.

    Args:
        spread: by round and place, what was opened in many runs (runs, W).
        bits: by label, how many bits the masks are longer than what they cover.

    Raises:
        CheckFailed: the masks of a round are shorter than was declared.
    """
    runs = [record(case, Draws(case.n, seed)) for case in (one, other)]
    moved: dict[tuple[int, int], int] = {}
    for (number, place), (words, ring) in spread.items():
        totals = [_opened(run, number, place, ring) for run in runs]
        moved[number, place] = max(abs(int(v)) for v in np.atleast_1d(ring.centred(ring.sub(*totals))).reshape(-1))
        label = next(one.label for one in runs[0].sendings if one.round == number)
        has = log2(max(1, _range(words, ring))) - log2(max(1, moved[number, place]))
        if has < bits[label]:
            raise CheckFailed(
                f"round {number} '{label}', value {place}: its masks are {has:.1f} bits longer than what they cover, "
                f"not {bits[label]}"
            )


def _range(words: Array, ring: Ring) -> int:
    signed = [int(value) for value in np.asarray(ring.centred(words)).reshape(-1)]
    return max(signed) - min(signed)


def _opened(recording: Recording, number: int, place: int, ring: Ring) -> Array:
    """The sum of what all owners sent, each once."""
    sent = {one.sender: one.value for one in recording.sendings if (one.round, one.place) == (number, place)}
    first, *others = sent.values()
    for value in others:
        first = ring.add(first, value)
    return first
