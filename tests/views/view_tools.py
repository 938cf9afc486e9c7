"""Messages searched for numbers, and for bytes that are not noise.

Whether what is opened is distributed alike for any secret is `check_view`'s question (tests/testing); it asks that of
made-up inputs and dealt draws, while here are real patients' numbers, the streams' own masks and the frames of links.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from mpc.runtime.lockstep import Message

THRESHOLD = 1e-6
"""A p-value below it is a leak. A test makes some hundreds of comparisons, so chance has about 1e-4 for a false
alarm."""


def leaks(messages: Sequence[Message], numbers: np.ndarray) -> list[tuple[str, str, str]]:
    """(sender, receiver, label) of each message with the bytes of one of these 64-bit words, at any place in it.

    Not even one such word turns up by chance: 10^7 places and 10^5 words make 10^12 of 2^64 possibilities.
    """
    wanted = np.unique(numbers.reshape(-1).view(np.uint64))
    found = []
    for message in messages:
        for start in range(min(8, len(message.body) - 7)):
            count = (len(message.body) - start) // 8
            words = np.frombuffer(message.body, dtype="<u8", count=count, offset=start)
            place = np.minimum(np.searchsorted(wanted, words), len(wanted) - 1)
            if (wanted[place] == words).any():
                found.append((message.sender, message.receiver, message.label))
                break
    return found


def byte_p_value(data: bytes) -> float:
    """How likely uniform bytes are spread as unevenly as these (chi-square over as many bins as there is data for)."""
    values = np.frombuffer(data, dtype=np.uint8)
    bits = 8 if values.size >= 2560 else 4
    counts = np.bincount(values >> (8 - bits), minlength=1 << bits)
    low = np.bincount(values & ((1 << bits) - 1), minlength=1 << bits)
    return float(min(stats.chisquare(counts).pvalue, stats.chisquare(low).pvalue))
