"""Sums of columns with few values, tested by server and helper: none is told that gives back a cell of few rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.aggregation.cells.membership import CellTest
from protocols.aggregation.cells.own import FEW_VALUES
from protocols.aggregation.cells.values import PRIMES, ValueRows, moduli
from tests.examples import steady
from tests.protocols.aggregation.rounds import play, settings_for

M = 5
VALUES = (-1000, 0, 1, 7, 20_000, 1_000_000)
COLUMNS = {"few": moduli(-1000, 1_000_000), "near": moduli(0, 6)}


def small_by_the_rule(rows: list[int], m: int) -> bool:
    """Rows that differ from the commonest value, or that have one of few values, counted in the clear."""
    counts = Counter(rows).values()
    rare = len(rows) - max(counts, default=0)
    few = len(counts) <= max(FEW_VALUES, m) and min(counts, default=0) < m
    return 0 < rare < m or (few and bool(rows))


def told(clients: list[list[int]], modulus: tuple[int, ...], m: int) -> bool:
    """Whether the sum of all clients' rows is told, by a whole round with a helper."""
    tables = ValueRows("column", "value", modulus)
    test = CellTest(m, (tables.cell(1, (0,), m),), tuple(range(1, 1 + tables.places)))
    settings = replace(settings_for(len(clients), 1 + tables.places, 24, malicious=False, dropout=0.2), test=test)
    vectors: dict[int, Any] = {}
    for i, rows in enumerate(clients):
        counted = tables.counted(np.array(rows, dtype=np.int64), m)
        vectors[i] = np.concatenate(([sum(rows) % (1 << 24)], counted)).astype("<u4")
    outcome = play(settings, vectors)
    assert outcome.error is None, outcome.error
    assert not outcome.result.disclosed[1:].any(), "a number of rows was told"
    return bool(outcome.result.disclosed[0])


@steady(25)
@given(st.lists(st.lists(st.sampled_from(VALUES), max_size=25), min_size=5, max_size=5), st.integers(3, 6))
def test_a_sum_is_withheld_by_the_rule_over_all_clients(clients: list[list[int]], m: int) -> None:
    """What some client has too many values for is told; of the rest, what the rule lets through and no more.

    Of more values than are few some may share places: then it may be withheld, though the rule would let it through.
    """
    everything = [*chain(*clients)]
    most = max(FEW_VALUES, m)
    many = any(len({*rows}) > most for rows in clients)
    is_told, is_small = told(clients, COLUMNS["few"], m), small_by_the_rule(everything, m)
    if many or not is_small:
        assert is_told or (not many and len({*everything}) > most)
    else:
        assert not is_told


def test_a_sum_of_many_values_that_share_places_may_be_withheld() -> None:
    """Of five values -1,000 and 1 are alike modulo 11 and 13: what is small is no more than four values could leave."""
    clients = [[], [], [], [-1000, 20_000], [-1000, 0, 1, 7]]
    assert not small_by_the_rule([*chain(*clients)], 3)
    assert not told(clients, COLUMNS["few"], 3)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({0: 50, 1: 47, 3: 3}, False),
        ({0: 50, 1: 47, 3: 5}, True),
        ({0: 100, 3: 4}, False),
        ({0: 96, 1: 1, 2: 1, 3: 1, 4: 1}, False),
        ({0: 100}, True),
        ({}, True),
        ({0: 20, 1: 20, 2: 20, 3: 20, 4: 1}, False),
    ],
)
def test_a_third_value_does_not_dodge_the_rule(column: str, counts: dict[int, int], expected: bool) -> None:
    """However the rows are spread over five clients; and where the range has a place for each value, or not."""
    rows = [value for value, count in counts.items() for _ in range(count)]
    shuffled = np.random.default_rng(1).permutation(rows).astype(int).tolist()
    for order in (rows, shuffled):
        assert told([order[k::5] for k in range(5)], COLUMNS[column], M) == expected


def test_many_values_in_all_that_no_client_has_many_of_are_told() -> None:
    """Each of 12 clients has 4 rows of values of its own: more places are small than few values could leave."""
    clients = [[4000 * k + one for one in (0, 1000, 2000, 3000)] for k in range(12)]
    assert told(clients, PRIMES, M)


@steady(60)
@given(st.sets(st.integers(-(10**6), 10**6), min_size=2, max_size=2))
def test_two_values_of_a_million_share_no_place_in_every_table(pair: set[int]) -> None:
    first, second = sorted(pair)
    alike = [first % p == second % p for p in PRIMES]
    assert not all(alike) or (second - first) % 1_062_347 == 0
    assert len(moduli(0, sum(PRIMES) - 1)) == 1 and len(moduli(0, sum(PRIMES))) == len(PRIMES)
