"""Whole rounds in lockstep: exact sums whoever drops when, wrong shares, second survivor sets, sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError, TooFewError
from mpc.randomness.streams import insecure_entropy
from mpc.ring.array import Array
from mpc.star.lockstep import StarMessage, run_star
from protocols.aggregation import messages as m
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings
from tests.examples import steady
from tests.protocols.aggregation.rounds import Memory, play, settings_for, total_of, trust_for, vectors_for, without


def exact(settings: Settings, outcome: object, vectors: Mapping[int, Array]) -> bool:
    result = outcome.result  # type: ignore[attr-defined]
    return np.array_equal(result.total, total_of(settings, vectors, result.survivors))


@pytest.mark.parametrize("malicious", [False, True])
@given(drops=st.dictionaries(st.integers(0, 11), st.sampled_from(m.stages(True)), max_size=5), bits=st.integers(1, 64))
@steady(12)
def test_the_survivors_sum_is_exact_whoever_drops(malicious: bool, drops: dict[int, str], bits: int) -> None:
    settings = settings_for(12, 17, bits, malicious=malicious)
    vectors = vectors_for(settings)
    there = {i: stage for i, stage in drops.items() if stage in m.stages(malicious)}
    outcome = play(settings, vectors, without(there))
    late = (m.CONSISTENCY, m.UNMASK)
    holders = 11 - len(there)  # of a client that dropped before its vector, if all that dropped are among its holders
    if outcome.error is not None:
        assert isinstance(outcome.error, TooFewError)
        assert holders < settings.threshold
        return
    assert exact(settings, outcome, vectors)
    assert set(outcome.result.survivors) == {i for i in vectors if i not in there or there[i] in late}


@pytest.mark.parametrize("malicious", [False, True])
def test_a_sparse_round_with_drops_in_every_stage(malicious: bool) -> None:
    settings = settings_for(80, 40, malicious=malicious)
    assert settings.neighbours < 79
    vectors = vectors_for(settings)
    stages = m.stages(malicious)
    drops = {7 * k % 80: stages[k % len(stages)] for k in range(8)}
    outcome = play(settings, vectors, without(drops))
    assert outcome.error is None, outcome.error
    assert not outcome.failed
    assert exact(settings, outcome, vectors)
    assert 70 < len(outcome.result.survivors) < 80


def test_too_few_answers_end_the_round_and_open_nothing() -> None:
    settings = settings_for(8, 4)
    sent: list[StarMessage] = []

    def tap(message: StarMessage) -> bytes | None:
        sent.append(message)
        return None if message.label == m.MASKED and message.up and message.client > 2 else message.body

    outcome = play(settings, vectors_for(settings), tap)
    assert isinstance(outcome.error, TooFewError)
    assert "3 clients answered in stage 'masked'" in outcome.error.message
    assert not [one for one in sent if one.up and one.label == m.UNMASK]


@pytest.mark.parametrize("malicious", [False, True])
@pytest.mark.parametrize("more", [0, 1])
def test_a_round_needs_one_client_more_than_shares(malicious: bool, more: int) -> None:
    """A client holds no share of its own secrets: with t survivors each has t - 1 holders, and nothing is asked for."""
    settings = settings_for(8, 4, malicious=malicious)
    vectors, sent = vectors_for(settings), []

    def tap(message: StarMessage) -> bytes | None:
        sent.append(message.label)
        late = message.up and message.label == m.MASKED and message.client >= settings.threshold + more
        return None if late else message.body

    outcome = play(settings, vectors, tap)
    if more:
        assert exact(settings, outcome, vectors)
    else:
        assert isinstance(outcome.error, TooFewError)
        assert not {m.CONSISTENCY, m.UNMASK} & {*sent}


def test_a_malformed_message_drops_its_sender_alone() -> None:
    settings = settings_for(8, 4)
    vectors = vectors_for(settings)

    def tap(message: StarMessage) -> bytes:
        return message.body[:-1] if message.up and (message.client, message.label) == (5, m.MASKED) else message.body

    outcome = play(settings, vectors, tap)
    assert list(outcome.refused) == [5]
    assert 5 not in outcome.result.survivors
    assert exact(settings, outcome, vectors)


def altered_shares(liars: set[int]) -> object:
    def tap(message: StarMessage) -> bytes:
        if message.up and message.label == m.UNMASK and message.client in liars:
            return bytes([message.body[0] ^ 1, *message.body[1:]])  # its share of the first client's secret
        return message.body

    return tap


def test_wrong_shares_are_named_and_replaced_by_spares() -> None:
    settings = settings_for(12, 6)
    vectors = vectors_for(settings)
    outcome = play(settings, vectors, altered_shares({3, 4}))  # type: ignore[arg-type]
    assert exact(settings, outcome, vectors)
    assert outcome.result.wrong == {3: (0,), 4: (0,)}


def test_more_wrong_shares_than_spares_can_show_fail_the_round() -> None:
    settings = settings_for(12, 6)
    outcome = play(settings, vectors_for(settings), altered_shares(set(range(1, 9))))  # type: ignore[arg-type]
    assert outcome.result is None
    assert isinstance(outcome.error, ProtocolError)
    assert "the shares of client 0's secret do not fit together" in outcome.error.message


def test_a_client_with_wrong_shares_of_its_own_secret_is_noticed() -> None:
    """A seed other than the one it committed to: refused, never a wrong sum."""
    settings = settings_for(8, 4)

    def tap(message: StarMessage) -> bytes:
        if message.up and (message.client, message.label) == (2, m.SHARES):
            return bytes([message.body[0] ^ 1, *message.body[1:]])
        return message.body

    outcome = play(settings, vectors_for(settings), tap)
    assert outcome.result is None
    assert "client 2's secret" in str(outcome.error)


def test_a_holder_that_cannot_open_its_shares_is_not_needed() -> None:
    settings = settings_for(8, 4)
    vectors = vectors_for(settings)

    def tap(message: StarMessage) -> bytes:
        if not message.up and (message.client, message.label) == (6, m.SHARES):
            return bytes([*message.body[:-1], message.body[-1] ^ 1])
        return message.body

    outcome = play(settings, vectors, tap)
    assert exact(settings, outcome, vectors)
    assert not outcome.result.wrong


@pytest.mark.parametrize("malicious", [False, True])
def test_a_client_releases_shares_for_one_set_of_survivors(malicious: bool) -> None:
    settings = settings_for(8, 4, malicious=malicious)
    vectors = vectors_for(settings)
    journals = {i: Memory() for i in vectors}
    assert play(settings, vectors, without({1: m.MASKED}), journals=journals).error is None
    again = play(settings, vectors, journals=journals, occasion=Occasion(b"session", 1, 2))
    assert isinstance(again.error, TooFewError)
    others = {i for i in vectors if i != 1}
    assert set(again.failed) == others
    assert all("other survivors of round 1" in str(error) for error in again.failed.values())
    same = play(settings, vectors, without({1: m.MASKED}), journals=journals, occasion=Occasion(b"session", 1, 3))
    assert exact(settings, same, vectors)  # the same set shows the same sum again
    assert exact(settings, play(settings, vectors, journals=journals, occasion=Occasion(b"session", 2, 1)), vectors)


def test_the_journal_is_written_before_anything_is_released() -> None:
    settings = settings_for(5, 4)
    vectors = vectors_for(settings)
    sent: list[str] = []

    class Full(Memory):
        def __call__(self, number: int, digest: bytes) -> None:
            raise ProtocolError("the disk is full")

    def tap(message: StarMessage) -> bytes:
        if message.up and message.client == 2:
            sent.append(message.label)
        return message.body

    play(settings, vectors, tap, journals={i: Full() if i == 2 else Memory() for i in vectors})
    assert sent == [m.KEYS, m.SHARES, m.MASKED]


@pytest.mark.parametrize("malicious", [False, True])
def test_clients_too_refuse_a_cohort_that_is_too_small(malicious: bool) -> None:
    settings = settings_for(8, 4, malicious=malicious)
    strict = Settings(**{**vars(settings), "min_cohort": 8})
    few = Settings(**{**vars(settings), "min_cohort": 2})
    vectors = vectors_for(settings)
    occasion, trust = Occasion(b"s", 1, 1), trust_for(settings)
    # The settings are part of every key, so a server that only waits for fewer must pretend in its messages.
    clients = {
        i: (
            lambda i=i: aggregation_client(
                i, strict, occasion, vectors[i], insecure_entropy(1, f"c{i}"), Memory(), trust[i]
            )
        )
        for i in vectors
    }
    server = aggregation_server(few, occasion, insecure_entropy(1, "server"))
    outcome = run_star(server, clients, without({3: m.MASKED}))
    assert outcome.result is None
    refusals = {str(error) for i, error in outcome.failed.items()}
    if malicious:  # the server's other settings show at once: the keys are signed under other ones
        assert outcome.failed
    assert any("there are 7 survivors, and 8 are needed" in one for one in refusals)
