"""Bugs that an audit of a private training has to catch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from protocols.privacy.noisy_sum import Noise
from protocols.training.private import filled_columns


def leave_rows_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are not scaled down to the agreed length."""

    def long(u: NDArray[np.float64], squared: int, scale: int) -> Array:
        return np.rint(u * 2.0**scale).astype(np.int64).view(np.uint64)

    monkeypatch.setattr(filled_columns, "scaled_rows", long)


def halve_own_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each owner's own noise has half its variance."""
    right = Noise.own

    def half(noise: Noise, stream: Stream, count: int) -> Array:
        return right(replace(noise, variance=noise.variance // 4 * 2), stream, count)

    monkeypatch.setattr(Noise, "own", half)
