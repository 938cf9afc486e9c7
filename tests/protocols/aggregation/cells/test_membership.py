"""Small sums with a helper: what is told is exact, what is small withheld, whoever drops; sizes; the two ends alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpc.errors import ProtocolError, TooFewError
from mpc.randomness.key_agreement import KeyPair, seal, unseal
from mpc.randomness.streams import Stream, derive, insecure_entropy
from mpc.runtime.round import HEADER_BYTES
from mpc.star.lockstep import StarMessage, StarOutcome
from protocols.aggregation import messages as m
from protocols.aggregation.cells.membership import Cell, CellTest, blind, column_cells, find_small, hide
from protocols.aggregation.client import unmask_key
from protocols.aggregation.cost import (
    expected_helper_traffic,
    expected_traffic,
    helper_seconds,
    replay_traffic,
    server_seconds,
)
from protocols.aggregation.helper_messages import Opened, read_facts, read_opened, write_opened
from protocols.aggregation.settings import Settings, context
from tests.examples import steady
from tests.protocols.aggregation.rounds import FIRST, play, settings_for, without

CONTEXT = bytes(32)
COLUMNS = (*column_cells(0, (), None, 1), *column_cells(1, (2,), 2, 10), *column_cells(3, (4,), None, 10))


def with_helper(clients: int, m: int = 5, bits: int = 20, **rates: float) -> Settings:
    """Five numbers: a count; a count and its flags, times 10; a count and its sum."""
    return replace(settings_for(clients, 5, bits, malicious=False, **rates), test=CellTest(m, COLUMNS))


def vectors(settings: Settings, rows: list[tuple[int, ...]]) -> dict[int, np.ndarray]:
    return {i: np.array(rows[i % len(rows)], dtype="<u4") for i in range(settings.clients)}


def by_the_rule(total: np.ndarray, m: int) -> list[bool]:
    """Which of the five are told, in the clear."""
    few = [0 < one < m for one in (total[0], total[1], total[2] / 10, total[1] - total[2] / 10, total[3])]
    return [not few[0], not few[1], not (few[1] or few[2] or few[3]), not few[4], not few[4]]


def told_right(outcome: StarOutcome, given: dict[int, np.ndarray], m: int) -> None:
    result = outcome.result
    total = np.sum([given[i] for i in result.survivors], axis=0)
    assert result.disclosed.tolist() == by_the_rule(total, m)
    assert result.total.tolist() == np.where(result.disclosed, total, 0).tolist()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=4),
    st.integers(3, 9),
    st.integers(12, 64),
    st.integers(0, 99),
)
@steady(15)
def test_the_two_ends_find_the_small_cells(values: list[tuple[int, int]], least: int, bits: int, seed: int) -> None:
    """Of a count, flags (times 10), and both as parts of one cell, of which one may be small: against the plain rule,
    at any modulus and any masks."""
    cells: list[Cell] = []
    numbers: list[int] = []
    for count, flagged in values:
        place = len(numbers)
        cells += [*column_cells(place, (), place + 1, 10), Cell((((place, 10),), ((place + 1, 1),)), 10, ())]
        numbers += [count + flagged, 10 * flagged]
    test, modulus = CellTest(least, tuple(cells)), (1 << bits) - 1
    masks = Stream(derive(bytes(32), f"masks {seed}")).take(8 * len(numbers)).view("<u8") & np.uint64(modulus)
    masked = (np.array(numbers, dtype="<u8") + masks) & np.uint64(modulus)
    mine, theirs = (derive(bytes(32), f"{who} {seed}") for who in ("helper", "server"))
    answer = blind(test, hide(test, masks, bits, mine, CONTEXT), masked, bits, theirs, CONTEXT)
    assert len(answer) == test.blinded_bytes
    expected = [
        small
        for count, flagged in values
        for small in (
            *(0 < one < least for one in (count + flagged, flagged, count)),
            (0 < count + flagged < least) != (0 < flagged < least),
        )
    ]
    assert find_small(test, answer, mine, CONTEXT).tolist() == expected


def test_the_order_of_the_guesses_says_nothing_of_the_value() -> None:
    """Where the match stands is uniform over the m - 1 places, for every small value."""
    test = CellTest(4, (Cell((((0, 1),),), 1, (0,)),))
    places = {value: [0, 0, 0] for value in (1, 2, 3)}
    for run in range(60):
        for value, found in places.items():
            mine, theirs = (derive(bytes(32), f"{who} {run} {value}") for who in ("helper", "server"))
            masks, masked = np.array([77], dtype="<u4"), np.array([77 + value], dtype="<u4")
            answer = blind(test, hide(test, masks, 20, mine, CONTEXT), masked, 20, theirs, CONTEXT)
            power = KeyPair(derive(mine, "small sums/power", CONTEXT + bytes(4)))
            points = [answer[start : start + 32] for start in range(0, len(answer), 32)]
            found[[power.shared(point) for point in points[1:]].index(points[0])] += 1
    assert all(min(found) > 6 for found in places.values()), places


def test_the_order_of_the_parts_says_nothing_of_which_is_small() -> None:
    """Of a cell of three parts: where the small one stands in the answer is uniform, and its place fits no other's."""
    test = CellTest(2, (Cell(tuple(((part, 1),) for part in range(3)), 1, (0,)),))
    places = {part: [0, 0, 0] for part in range(3)}
    for run in range(60):
        for part, found in places.items():
            mine, theirs = (derive(bytes(32), f"{who} {run} {part}") for who in ("helper", "server"))
            masks = np.array([5, 6, 7], dtype="<u4")
            masked = masks + (np.arange(3) == part).astype("<u4")
            answer = blind(test, hide(test, masks, 20, mine, CONTEXT), masked, 20, theirs, CONTEXT)
            assert find_small(test, answer, mine, CONTEXT).tolist() == [True]
            power = KeyPair(derive(mine, "small sums/power", CONTEXT + bytes(4)))
            points = [answer[start : start + 32] for start in range(0, len(answer), 32)]
            pairs = list(zip(points[::2], points[1::2], strict=True))
            found[[power.shared(guess) == own for own, guess in pairs].index(True)] += 1
    assert all(min(found) > 6 for found in places.values()), places


def test_numbers_are_hashed_to_the_curve_and_not_to_its_twist() -> None:
    """Every u has a v with v^2 = u^3 + 486662 u^2 + u: a root modulo p = 5 (mod 8), worked out (RFC 8032, 5.1.3)."""
    test, prime = CellTest(3, tuple(Cell((((0, 1),),), 1, (0,)) for _ in range(24))), 2**255 - 19
    number = np.array([1234], dtype="<u4")
    hidden = hide(test, number, 20, bytes(32), CONTEXT)
    sent = hidden + blind(test, hidden, number, 20, bytes(range(32)), CONTEXT)  # a power stays where its base is
    for start in range(0, len(sent), 32):
        u = int.from_bytes(sent[start : start + 32], "little")
        right = (u**3 + 486662 * u**2 + u) % prime
        root = pow(right, (prime + 3) // 8, prime)
        assert right in (root**2 % prime, -(root**2) % prime), "of the twist"


@given(
    st.lists(st.tuples(*(st.integers(0, 3) for _ in range(4))), min_size=1, max_size=9),
    st.integers(3, 9),
    st.dictionaries(st.integers(0, 8), st.sampled_from(m.stages(False)), max_size=2),
)
@example([(1, 2, 3, 1), *[(0, 0, 3, 0)] * 8], 4, {})  # small: the first count, the flags of the second, the last count
@steady(12)
def test_small_numbers_are_withheld_and_others_exact(
    rows: list[tuple[int, ...]], least: int, drops: dict[int, str]
) -> None:
    settings = with_helper(9, least, dropout=0.25)
    given_ = vectors(settings, [(a, b + c, 10 * b, d, 3) for a, b, c, d in rows])
    outcome = play(settings, given_, without(drops))
    assert outcome.error is None
    told_right(outcome, given_, least)
    _costs_what_was_planned(settings, outcome, set(drops))


def test_a_sparse_graph_with_drops_in_every_stage() -> None:
    settings = with_helper(80)
    given_ = vectors(settings, [(0, 1, 10, 0, 0), *[(0, 0, 0, 1, 7)] * 29])
    drops = {7 * k % 80: m.stages(False)[k % 4] for k in range(8)}
    outcome = play(settings, given_, without(drops))
    assert outcome.error is None, outcome.error
    told_right(outcome, given_, 5)
    assert 1 <= int((~outcome.result.disclosed).sum()) <= 4
    _costs_what_was_planned(settings, outcome, set(drops))


def test_what_is_expected_is_what_a_round_takes() -> None:
    settings = with_helper(9)
    planned = replay_traffic(settings, play(settings, vectors(settings, [(9, 9, 0, 9, 9)])).result)
    assert planned.pop(settings.helper) == expected_helper_traffic(settings)
    assert set(planned.values()) == {expected_traffic(settings)}


def test_time_moves_to_the_helper_and_grows_with_cells() -> None:
    settings = with_helper(80)
    more = replace(settings, test=CellTest(9, COLUMNS))
    for seconds in (partial(helper_seconds, dropped=0), partial(server_seconds, dropped=0)):
        assert 0 < seconds(settings) < seconds(more)
    assert helper_seconds(settings, 0) < helper_seconds(settings, 8)
    assert server_seconds(settings, 8) == server_seconds(settings, 0)


def test_wrong_shares_are_named() -> None:
    """The helper finds them among those that it opens, and the server learns whose they were."""
    settings, about = with_helper(12), context(with_helper(12), FIRST)
    given_ = vectors(settings, [(3, 3, 10, 3, 3)])
    keys: list[bytes] = []

    def tap(message: StarMessage) -> bytes:
        if message.client == settings.helper and message.up and message.label == m.KEYS:
            keys.append(message.body)
        if message.up and message.label == m.UNMASK and message.client in (3, 4):
            channel = KeyPair(insecure_entropy(7, f"client {message.client}/1/1")("channel key"))
            key = unmask_key(channel, keys[0], about, message.client)
            shares = unseal(key, message.body, about)
            assert shares is not None
            return seal(key, bytes([shares[0] ^ 1, *shares[1:]]), about)
        return message.body

    outcome = play(settings, given_, tap)
    assert outcome.error is None, outcome.error
    told_right(outcome, given_, 5)
    assert outcome.result.wrong == {3: (0,), 4: (0,)}
    _costs_what_was_planned(settings, outcome, set())


def test_shares_that_cannot_be_opened_count_as_not_given() -> None:
    settings = with_helper(12)
    given_ = vectors(settings, [(3, 3, 10, 3, 3)])

    def tap(message: StarMessage) -> bytes:
        hit = message.up and (message.client, message.label) == (3, m.UNMASK)
        return message.body[:-1] + bytes([message.body[-1] ^ 1]) if hit else message.body

    outcome = play(settings, given_, tap)
    assert outcome.error is None, outcome.error
    told_right(outcome, given_, 5)


@pytest.mark.parametrize("stage", [m.KEYS, m.HIDDEN, m.DISCLOSED])
def test_a_helper_that_vanishes_ends_the_round(stage: str) -> None:
    settings = with_helper(9)
    outcome = play(settings, vectors(settings, [(9, 9, 0, 9, 9)]), without({settings.helper: stage}))
    assert outcome.result is None
    assert isinstance(outcome.error, TooFewError)
    assert "the helper" in outcome.error.message


def test_few_survivors_without_shares_are_borne() -> None:
    settings = with_helper(9, dropout=0.25)
    given_ = vectors(settings, [(9, 9, 0, 9, 9)])
    few = play(settings, given_, without(dict.fromkeys(range(settings.threshold, 9), m.UNMASK)))
    assert isinstance(few.error, TooFewError)
    assert few.result is None


@pytest.mark.parametrize("label", [m.KEYS, m.HIDDEN, m.DISCLOSED])
@pytest.mark.parametrize("up", [True, False])
def test_malformed_helper_messages_fail_the_round(label: str, up: bool) -> None:
    settings = with_helper(9)

    def tap(message: StarMessage) -> bytes | None:
        hit = (message.client, message.label, message.up) == (settings.helper, label, up)
        return message.body[:-1] if hit and message.body else message.body

    outcome = play(settings, vectors(settings, [(9, 9, 0, 9, 9)]), tap)
    if (label, up) == (m.DISCLOSED, False):  # the empty last word
        assert outcome.result is not None
    else:
        assert outcome.result is None
        assert isinstance(outcome.error, TooFewError | ProtocolError)


def test_messages_are_read_as_written_or_refused() -> None:
    settings = with_helper(9)
    told = np.array([True, False, True, True, False])
    masks = np.where(told, np.arange(5, dtype="<u4") + 7, 0).astype("<u4")
    opened = read_opened(settings, write_opened(settings, Opened(told, masks, {2: (1, 3), 4: (0,)})))
    assert (opened.disclosed.tolist(), opened.masks.tolist()) == (told.tolist(), masks.tolist())
    assert opened.wrong == {2: (1, 3), 4: (0,)}
    body = write_opened(settings, Opened(told, masks, {2: (1, 9)}))
    for wrong in (body, body[:-1], b""):
        with pytest.raises(ProtocolError):
            read_opened(settings, wrong)
    with pytest.raises(ProtocolError):
        read_facts(settings, bytes(5))
    with pytest.raises(ProtocolError):
        find_small(settings.test, bytes(31), bytes(32), CONTEXT)  # type: ignore[arg-type]


def _costs_what_was_planned(settings: Settings, outcome: StarOutcome, dropped: set[int]) -> None:
    planned = replay_traffic(settings, outcome.result)
    for i in range(settings.clients + 1):
        if i not in dropped:
            headers = HEADER_BYTES * (3 if i == settings.helper else 4)
            assert planned[i].up == outcome.sent[i] + headers
            assert planned[i].down == outcome.received[i] + headers
