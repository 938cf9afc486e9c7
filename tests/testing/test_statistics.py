"""What the kit's statistics find, and the power that they state."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.ring.rings import B8, Z32, Z64, wide
from mpc.testing.views.statistics import BINS, LOOSE, chi_square_p, histograms, smallest_shift, uneven, unlike

WORDS = 4000


def test_the_tail_of_chi_square() -> None:
    """Without a degree of freedom no statistic is a finding."""
    assert chi_square_p(11.07049769, 5) == pytest.approx(0.05)
    assert chi_square_p(np.array([0.0, 9.0, 0.0]), np.array([1, 0, 0])).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("ring", [Z64, Z32, B8, wide(128)])
def test_histograms_of_nibbles(ring: object) -> None:
    draw = np.random.default_rng(1)
    numbers = [[int.from_bytes(draw.bytes(16), "little") % (1 << ring.bits) for _ in range(5)] for _ in range(3)]  # type: ignore[attr-defined]
    counts = histograms(np.array(numbers, dtype=ring.dtype), ring)  # type: ignore[attr-defined, arg-type]
    assert counts.shape == (3, ring.bits // 4, BINS)  # type: ignore[attr-defined]
    for run, row in enumerate(numbers):
        for nibble in range(counts.shape[1]):
            expected = np.bincount([number >> (4 * nibble) & 15 for number in row], minlength=BINS)
            assert (counts[run, nibble] == expected).all()


def sample(draw: np.random.Generator, p: np.ndarray, runs: int = 20) -> np.ndarray:
    return draw.multinomial(WORDS // runs, p, size=runs)[:, None, :]


def test_alike_samples_are_no_finding() -> None:
    draw = np.random.default_rng(2)
    even = np.full(BINS, 1 / BINS)
    odd = draw.dirichlet(np.full(BINS, 2.0))
    for _ in range(1000):
        assert unlike(sample(draw, even), sample(draw, even)) == []
        assert unlike(sample(draw, odd), sample(draw, odd)) == []
        assert uneven(sample(draw, even)) == []


@pytest.mark.parametrize("p", [LOOSE / 10, 1e-8])
def test_the_stated_shift_is_found_in_99_of_100(p: float) -> None:
    draw = np.random.default_rng(3)
    even = np.full(BINS, 1 / BINS)
    shift = smallest_shift(WORDS, p)

    def found(size: float) -> float:
        moved = even + np.repeat([1, -1], BINS // 2) * size / (BINS // 2)
        hits = [unlike(sample(draw, even), sample(draw, moved)) for _ in range(1000)]
        return float(np.mean([bool(hit) and hit[0][1] < p for hit in hits]))

    assert 0.97 < found(shift) <= 1.0
    assert found(shift * 0.6) < 0.5  # and no less: it is the smallest
    assert smallest_shift(4 * WORDS, p) == pytest.approx(shift / 2)


def test_repeated_words_are_no_finding_a_constant_is() -> None:
    draw = np.random.default_rng(4)
    for _ in range(200):  # one random nibble a run, 200 times over
        one, other = (np.eye(BINS, dtype=int)[draw.integers(0, BINS, 20)][:, None, :] * 200 for _ in range(2))
        assert unlike(one, other) == [] and uneven(one) == []
    zeros, fives = (np.tile(np.eye(BINS, dtype=int)[k] * 200, (20, 1))[:, None, :] for k in (0, 5))
    assert unlike(zeros, fives) != [] and uneven(zeros) != []
    assert unlike(zeros, zeros) == []
