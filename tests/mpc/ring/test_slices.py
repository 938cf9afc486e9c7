"""Slices cover every row once, in order, each of as many words as it may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.slices import PIECE, slices
from tests.examples import steady


@steady(100)
@given(st.integers(0, 5), st.integers(-1, 1), st.integers(0, 2 * PIECE))
def test_slices(pieces: int, more: int, columns: int) -> None:
    rows = max(0, pieces * max(1, PIECE // max(1, columns)) + more)
    parts = list(slices(rows, columns))
    ends = [part.stop for part in parts]
    assert [part.start for part in parts] == [0, *ends][: len(parts)]
    assert (ends[-1] if ends else 0) == rows
    assert len(parts) <= pieces + 1
    for part in parts:
        assert part.stop == part.start + 1 or (part.stop - part.start) * columns <= PIECE


def test_pieces_are_as_large_as_they_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.ring.slices.PIECE", 8)
    assert [(part.start, part.stop) for part in slices(5, 3)] == [(0, 2), (2, 4), (4, 5)]
    assert [(part.start, part.stop) for part in slices(2, 9)] == [(0, 1), (1, 2)]
    assert list(slices(0, 3)) == []
