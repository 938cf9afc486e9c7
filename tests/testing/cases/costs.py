"""Bytes of what many protocols are made of: from an owner to each other one, and of corrections from the helper."""

from __future__ import annotations

from protocols.functions.histogram import BINS, DIGITS
from protocols.scaling.standardise import SUM_RING

WORD, WIDE = 8, SUM_RING.word_bytes
COMPARED, COMPARED_DEALT = WORD + 12 + 6 + 3 + 3 + 3 + 2, WORD + 8 + 4 + 2 + 2 + 2 + 1
"""Of two numbers: the masked one and the levels of the tree."""
SAME, SAME_DEALT = WORD + 8 + 4 + 4 * 2, WORD + 4 + 2 + 4 * 1
"""Whether two numbers are equal, likewise."""


def bits(count: int) -> int:
    """So many bits, packed."""
    return -(-count // 8)


def clamped(m: int) -> tuple[int, int]:
    """Two comparisons and two choices each."""
    return 2 * m * (COMPARED + WORD) + bits(2 * m), 2 * m * (COMPARED_DEALT + 2 * WORD)


def floored(m: int) -> tuple[int, int]:
    return m * COMPARED + bits(m), m * (COMPARED_DEALT + 2 * WORD)


def histogram(m: int) -> tuple[int, int]:
    sent, dealt = floored(m)
    return sent + (1 + 2 * (DIGITS + 1) + 2 * 3 * DIGITS) * m * WORD, dealt + (
        2 + 2
    ) * DIGITS * m * WORD + 2 * BINS * WORD


def measured(m: int) -> tuple[int, int]:
    """The metrics of shared scores: comparisons, choices, quality and the histogram."""
    sent, dealt = histogram(m)
    chosen, quality = m + 8 * m * WORD + bits(m), (m + 4 * m + 2) * WORD
    chosen_dealt, quality_dealt = (2 * 8 + 1) * m * WORD, (48 * m + 3 + 4) * WORD
    return (
        sent + 9 * m * COMPARED + chosen + quality + (2 * BINS + 8) * WORD,
        dealt + 9 * m * COMPARED_DEALT + chosen_dealt + quality_dealt + 2 * WORD,
    )


def outside(values: int) -> tuple[int, int]:
    """Of `outside` and `any_set`: the masked values, both trees, the bits and the word; the masks' bits, the trees'
    products, and the bits' random words."""
    return (
        values * (WORD + 24 + 12 + 3 * 6 + 4) + bits(values) + WORD,
        values * (WORD + 2 * (8 + 4 + 3 * 2 + 1)) + values * WORD,
    )
