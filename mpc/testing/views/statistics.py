"""Tests of distributions: are two samples alike, is one uniform, and how small a difference would be seen?

Words are cut into their nibbles (four bits, 16 values); each nibble's histogram is compared by chi-square. Where the
words of one run depend on each other, the histograms of whole runs spread more than those of single words would; a
finding is held against that spread, so that words which merely repeat each other are no finding.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import Ring

BINS = 16
LOOSE = 1e-5  # what is likelier than that is never a finding, so it needs no exact p-value
_UNLIKE = 8  # bytes
_FOUND = 0.99


def chi_square_p(statistic: Array | float, freedom: Array | int) -> Array:
    """The chance that chi-square with so many degrees of freedom exceeds the statistic; 1 where there are none."""
    from scipy.special import chdtrc  # it takes a tenth of a second to load

    return np.asarray(np.where(np.asarray(freedom) > 0, chdtrc(freedom, statistic), 1.0))


def histograms(words: Array, ring: Ring) -> Array:
    """Of words (runs, W): how often each nibble has each value, (runs, nibbles, 16); the lowest nibble is the first."""
    runs = words.shape[0]
    raw = np.frombuffer(ring.to_bytes(words), dtype=np.uint8).reshape(runs, -1, ring.word_bytes)
    nibbles = np.stack((raw & 15, raw >> 4), axis=3).reshape(runs, raw.shape[1], 2 * ring.word_bytes)
    places = (np.arange(runs)[:, None, None] * nibbles.shape[2] + np.arange(nibbles.shape[2])) * BINS + nibbles
    counts = np.bincount(places.reshape(-1), minlength=runs * nibbles.shape[2] * BINS)
    return counts.reshape(runs, nibbles.shape[2], BINS)


def unlike(one: Array, other: Array) -> list[tuple[int, float]]:
    """The nibbles whose histograms differ between two samples, and the chance of that; only what is below `LOOSE`."""
    a, b = one.sum(axis=0, dtype=np.float64), other.sum(axis=0, dtype=np.float64)
    ratio = sqrt(b[0].sum() / a[0].sum())
    together = a + b
    parts = np.divide((a * ratio - b / ratio) ** 2, together, out=np.zeros_like(a), where=together > 0)
    return _findings(parts.sum(axis=1), (together > 0).sum(axis=1) - 1, one, other)


def uneven(sample: Array) -> list[tuple[int, float]]:
    """The nibbles that are not uniform, and the chance of that; only what is below `LOOSE`."""
    counts = sample.sum(axis=0, dtype=np.float64)
    if not counts.size:
        return []
    expected = counts[0].sum() / BINS
    statistics = ((counts - expected) ** 2).sum(axis=1) / expected
    return _findings(statistics, np.full(len(statistics), BINS - 1), sample)


def _findings(statistics: Array, freedom: Array, *samples: Array) -> list[tuple[int, float]]:
    """The nibbles whose chi-square is large beside the spread of the samples' runs too, and the chance of that."""
    found = []
    for nibble in np.flatnonzero(chi_square_p(statistics, freedom) < LOOSE):
        spread = max(_spread(sample[:, nibble]) for sample in samples)
        p = float(chi_square_p(statistics[nibble] / spread, freedom[nibble]))
        if p < LOOSE:
            found.append((int(nibble), p))
    return found


def repeated(words: Array, ring: Ring) -> tuple[int, int] | None:
    """Two runs of words (runs, W) with a word, or a row of short ones, that is the same; None if there are none.

    Uniform words of 64 bits or more are never alike; where those of a run have fewer together, nothing is looked at.
    """
    runs = words.shape[0]
    size = ring.word_bytes if ring.word_bytes >= _UNLIKE else words.shape[1] * ring.word_bytes
    if size < _UNLIKE:
        return None
    mark = np.dtype(np.uint64) if size == _UNLIKE else np.dtype((np.void, size))
    marks = np.frombuffer(ring.to_bytes(np.ascontiguousarray(words)), dtype=mark)
    order = np.argsort(marks, kind="stable")
    same = np.flatnonzero(marks[order[1:]] == marks[order[:-1]])
    if not same.size or 2 * same.size > marks.size:  # what is mostly the same is for the other tests
        return None
    per_run = marks.size // runs
    first, second = sorted(int(order[same[0] + k]) // per_run for k in (0, 1))
    return first, second


def _spread(runs: Array) -> float:
    """The ratio of the runs' histograms' (runs, 16) spread to that of independent words; at least 1."""
    counts = runs[:, runs.sum(axis=0) > 0].astype(np.float64)
    freedom = int((counts.shape[0] - 1) * (counts.shape[1] - 1))
    if freedom <= 0:
        return 1.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(np.sum((counts - expected) ** 2 / expected))
    return max(1.0, statistic / freedom)


def smallest_shift(words: int, p: float) -> float:
    """How much probability must move, at least, to be found in 99 cases of 100 between samples of so many words each.

    The hardest case: it moves evenly from one half of the 16 values to the other.
    """
    if not words:
        return 1.0
    from scipy.special import chdtri, chndtrinc

    # If a share d of the probability moves, chi-square is a noncentral one, by 2 words d^2.
    excess = float(chndtrinc(chdtri(BINS - 1, p), BINS - 1, 1 - _FOUND))
    return min(1.0, sqrt(excess / (2 * words)))
