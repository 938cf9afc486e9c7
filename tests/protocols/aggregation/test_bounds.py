"""Neighbours and thresholds against exact counts, and against simulated drop-outs and corruption."""

from __future__ import annotations

from fractions import Fraction
from math import comb, inf, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import UsageError
from mpc.randomness.streams import Stream, derive
from protocols.aggregation.bounds import choose_bounds, hypergeometric_tail
from protocols.aggregation.parts.graph import draw_graph
from tests.examples import steady


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 61))
@steady(120)
def test_the_tail_is_the_exact_one(population: int, marked: int, drawn: int, least: int) -> None:
    marked, drawn = min(marked, population), min(drawn, population)
    ways = sum(comb(marked, x) * comb(population - marked, drawn - x) for x in range(least, drawn + 1))
    exact = Fraction(ways, comb(population, drawn))
    got = hypergeometric_tail(population, marked, drawn, least)
    assert got == -inf if exact == 0 else got == pytest.approx(log2(exact), abs=1e-6)


@pytest.mark.parametrize(
    ("clients", "malicious", "neighbours", "threshold"),
    [(100, False, 21, 11), (1000, False, 45, 26), (100, True, 32, 22), (1000, True, 95, 66), (10**6, True, 145, 100)],
)
def test_choices_at_a_tenth_corrupt_and_a_tenth_dropping(
    clients: int, malicious: bool, neighbours: int, threshold: int
) -> None:
    bounds = choose_bounds(clients, malicious=malicious)
    assert (bounds.neighbours, bounds.threshold) == (neighbours, threshold)
    assert bounds.security >= 40
    assert bounds.failure >= 20
    assert bounds.smallest_group >= clients // 10
    assert bounds.tolerated == (2 * threshold - neighbours if malicious else threshold) - 1


@given(st.integers(3, 400), st.booleans(), st.sampled_from([0.0, 0.05, 0.1, 0.2]), st.sampled_from([0.0, 0.1, 0.2]))
@steady(60)
def test_what_is_chosen_holds_what_it_says(n: int, malicious: bool, corrupt: float, dropout: float) -> None:
    try:
        b = choose_bounds(n, malicious=malicious, corrupt=corrupt, dropout=dropout)
    except UsageError:
        assert n < 40 or corrupt + dropout > 0.25
        return
    assert 2 <= b.threshold <= b.neighbours < n
    assert malicious or b.neighbours % 2 == 0 or n % 2 == 0
    assert (b.neighbours == n - 1) or n > 64
    assert b.security >= 40
    assert b.failure >= 20
    if malicious:
        assert 2 * b.threshold > b.neighbours + min(b.corrupt, b.tolerated)
    assert b.corrupt <= b.largest_coalition or b.corrupt > b.tolerated


def test_in_the_complete_graph_lies_need_2t_above_n_and_c() -> None:
    b = choose_bounds(20, malicious=True)
    assert (b.neighbours, b.threshold, b.tolerated) == (19, 14, 8)
    assert 2 * b.threshold > b.neighbours + b.tolerated
    assert b.largest_coalition == 8


def test_secrets_lose_their_shares_as_rarely_as_bounded() -> None:
    """At weaker bounds that 4,000 rounds can see: the union bound is never below what happens."""
    b = choose_bounds(100, neighbours=10, threshold=7, dropout=0.1)
    stream, failed = Stream(derive(bytes(32), "drops")), 0
    for _ in range(400):
        graph = draw_graph(100, 10, stream)
        gone = np.argsort(stream.take(800).view("<u8"))[:10]
        there = ~np.isin(graph, gone)
        failed += bool(np.any(there.sum(axis=1) < 7))
    assert 0 < failed / 400 <= min(1.0, 2**-b.failure)


def test_overruled_numbers_say_what_they_withstand() -> None:
    b = choose_bounds(100, neighbours=10)
    assert b.neighbours == 10
    assert b.security < 40
    with pytest.raises(UsageError, match="there is no graph of 101 clients with 7 neighbours"):
        choose_bounds(101, neighbours=7)
    with pytest.raises(UsageError, match="a threshold of 12 fits no number"):
        choose_bounds(100, neighbours=10, threshold=12)
    with pytest.raises(UsageError, match="2 clients are too few"):
        choose_bounds(2)
    with pytest.raises(UsageError, match="cannot withstand that 30 of them are corrupt and 30 drop out"):
        choose_bounds(60, malicious=True, corrupt=0.5, dropout=0.5)
