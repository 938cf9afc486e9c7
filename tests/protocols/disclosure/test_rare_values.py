"""Sums that are counts of few rows are found, whoever the others are, and no others where all have enough rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocols.disclosure.rare_values import MARKS, Layout, OwnValues, marks_of, own_marks, own_values, rare
from protocols.statistics.blocks import SLOTS
from tests.examples import steady
from tests.helpers import lockstep, owner_names
from tests.rare_values import is_marked, is_rare

Rows = NDArray[np.float64]
M = 5


def found(owned: Sequence[OwnValues], layout: Layout) -> list[bool]:
    """Of each item, whether any of its candidates is small."""
    names = owner_names(len(owned))
    shape = (layout.items, layout.width)

    async def program(p):  # type: ignore[no-untyped-def]
        mine = None if p.dry else owned[p.index].words
        parts = [p.input(owner, mine if owner == p.name else None, shape, 0) for owner in p.owners]
        return await rare(p, parts, layout, M)

    shares = lockstep(dict.fromkeys(names, program)).results.values()
    bits = np.bitwise_xor.reduce([share.value for share in shares]) & 1
    return [bool(one) for one in bits.reshape(-1, layout.items).any(axis=0)]


def values_found(owned: Sequence[Sequence[Rows]], slots: int) -> list[bool]:
    """Of each item, of which every owner has rows."""
    entered = [own_values(rows, slots, len(owned)) for rows in owned]
    return found(entered, Layout(len(owned[0]), slots))


def marks_found(owned: Sequence[Sequence[Rows]]) -> list[bool]:
    """Of each item, of which every owner has rows of two columns."""
    entered = [own_marks([mark for rows in each for mark in marks_of(rows)], len(owned)) for each in owned]
    each = found(entered, Layout(MARKS * len(owned[0]), 1, levels=False))
    return [any(each[MARKS * k : MARKS * (k + 1)]) for k in range(len(owned[0]))]


def column(**counts: int) -> Rows:
    """Rows of a column: v0=94, v1=6 are 94 zeros and six ones."""
    return np.repeat([float(name[1:]) for name in counts], list(counts.values()))[:, None]


@pytest.mark.parametrize(
    ("others", "small"),
    [
        (column(v0=98, v1=2), True),
        (column(v0=95, v1=5), False),
        (column(v0=100), False),  # a zero names nobody
        (column(v0=2, v1=98), True),  # the complement is a cell, too
        (column(v0=94, v1=3, v2=3), True),  # six differ, but the sums of x and x^2 tell three of each
        (column(v0=90, v1=5, v2=5), False),
        (column(v0=90, v1=4, v2=3, v3=2, v4=1), False),  # two sums are no equations for five values
        (column(v0=96, v1=1, v2=1, v3=1, v4=1), True),  # a third value does not dodge the rule
        (np.arange(12.0)[:, None], False),
        (np.zeros((0, 1)), False),
    ],
)
@pytest.mark.parametrize("owners", [2, 3])
def test_a_rare_value_of_the_others_is_found(others: Rows, small: bool, owners: int) -> None:
    mine = np.arange(60.0)[:, None]
    parts = [others] if owners == 2 else [others[::2], others[1::2]]
    (told,) = values_found([[mine], *([part] for part in parts)], SLOTS[1])
    assert told is small


def test_commonest_values_of_single_owners_are_not_rare() -> None:
    owned = [column(v0=98, v1=2), column(v0=2, v1=98), column(v0=50, v1=50)]
    assert values_found([[one] for one in owned], SLOTS[1]) == [False]
    assert values_found([[one] for one in owned[:2]], SLOTS[1]) == [True]  # each knows the other's


def test_flags_that_few_rows_have_together_are_found() -> None:
    rows = np.repeat([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], (60, 20, 20, 3), axis=0)
    plenty = np.repeat(rows, 2, axis=0)
    assert values_found([[rows], [plenty]], SLOTS[2]) == [True] and values_found([[plenty]] * 2, SLOTS[2]) == [False]
    assert marks_found([[rows], [plenty]]) == [True] and marks_found([[plenty]] * 2) == [False]


def test_costs_of_few_patients_within_a_flag_are_found() -> None:
    flag = np.repeat([0.0, 1.0], 50)
    costs = np.concatenate((np.repeat(0.0, 48), [310.0, 95.0], np.arange(50.0)))
    few_within = np.stack((flag, costs), axis=1)
    plenty = np.stack((flag, np.arange(100.0) % 37), axis=1)
    for owned in ([few_within, plenty], [few_within[::2], few_within[1::2], plenty]):
        assert marks_found([[one] for one in owned]) == [True]
    assert marks_found([[plenty], [plenty]]) == [False]


many = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 9, 40, 100])


@st.composite
def tables(draw: st.DrawFn, columns: int) -> list[Rows]:
    """Each owner's rows, of kinds of which some are rare."""
    row = st.tuples(*[st.sampled_from([-0.0, 0.0, 1.0, 2.5, 7.0])] * columns)
    kinds = draw(st.lists(row, min_size=1, max_size=7, unique=True))
    owners = draw(st.integers(2, 4))
    counts = [draw(st.lists(many, min_size=len(kinds), max_size=len(kinds))) for _ in range(owners)]
    return [np.repeat(np.array(kinds, dtype=float), count, axis=0) for count in counts]


@steady(60)
@given(owned=tables(1))
@example(owned=[column(v0=3), column(v0=100), column(v0=97, v1=3)])
def test_no_rare_value_is_missed(owned: list[Rows]) -> None:
    (told,) = values_found([[one] for one in owned], SLOTS[1])
    assert told or not is_rare(owned, SLOTS[1], M)
    if len(owned) == 2 or (min(len(one) for one in owned) >= 40 and not told):
        assert told is is_rare(owned, SLOTS[1], M)


@steady(60)
@given(owned=tables(2))
def test_no_rare_pair_is_missed(owned: list[Rows]) -> None:
    (told,) = values_found([[one] for one in owned], SLOTS[2])
    (marked,) = marks_found([[one] for one in owned])
    assert told or not is_rare(owned, SLOTS[2], M)
    assert marked or told or not is_marked(owned, M)
    if len(owned) == 2:
        assert told is is_rare(owned, SLOTS[2], M)
