"""A round's two programs: the sum of those who were drawn, whoever drops; who else is asked, and with what model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.ring.array import Array
from mpc.runtime.round import HEADER_BYTES
from mpc.star.lockstep import StarMessage, StarTap
from protocols.aggregation.messages import MASKED, UNMASK, stages
from protocols.aggregation.settings import Occasion
from protocols.federated.messages import Message, message_bytes, write_message
from protocols.federated.programs import MODEL as MODEL_STAGE
from protocols.federated.programs import UPDATE, among, expected_traffic, plain_server, replay_traffic
from tests.protocols.aggregation.rounds import Memory, settings_for, total_of, vectors_for, without
from tests.protocols.federated.rounds import MODEL, Star

MEMBERS = (1, 2, 5, 6, 7, 9, 12, 13, 17, 18, 20, 21)  # of 24


def star(*, malicious: bool = False, members: tuple[int, ...] = MEMBERS) -> Star:
    settings = settings_for(len(members), 17, malicious=malicious)
    vectors = vectors_for(replace(settings, clients=24))
    return Star(members, settings, vectors, {i: Memory() for i in vectors})


def in_star(one: Star, numbers: object) -> tuple[int, ...]:
    return tuple(one.members[k] for k in numbers)  # type: ignore[attr-defined]


def words_of(one: Star, numbers: object) -> Array:
    return total_of(one.settings, one.vectors, in_star(one, numbers))


@pytest.mark.parametrize("malicious", [False, True])
def test_the_secure_sum_of_those_drawn_is_the_plain_one(malicious: bool) -> None:
    one = star(malicious=malicious)
    secure = one.play()
    floats = replace(one, vectors={i: vector.astype(float) for i, vector in one.vectors.items()})
    plain = floats.play(plain=True)
    assert secure.error is None and plain.error is None
    assert in_star(one, secure.result.survivors) == in_star(one, plain.result.survivors) == MEMBERS
    modulus = 1 << one.settings.bits
    assert np.array_equal(secure.result.total, (plain.result.total % modulus).astype(np.uint64))
    assert np.array_equal(secure.result.total, words_of(one, secure.result.survivors))


@pytest.mark.parametrize("malicious", [False, True])
def test_two_drop_in_each_stage_and_the_bytes_are_as_planned(malicious: bool) -> None:
    for stage in (MODEL_STAGE, *stages(malicious)):
        one = star(malicious=malicious)
        drops = {5: stage, 13: stage}
        outcome = one.play(without(drops))
        assert outcome.error is None, outcome.error
        done = outcome.result
        survived = set(MEMBERS) - (set() if stage in (UNMASK, "consistency") else drops.keys())
        assert set(in_star(one, done.survivors)) == survived
        assert np.array_equal(done.total, words_of(one, done.survivors))
        planned = replay_traffic(one.settings, done, len(write_message(MODEL)))
        headers = HEADER_BYTES * (1 + len(stages(malicious)))
        for k, i in enumerate(MEMBERS):
            if i not in drops:
                assert (planned[k].up, planned[k].down) == (outcome.sent[i] + headers, outcome.received[i] + headers)


@pytest.mark.parametrize("plain", [False, True])
def test_a_round_without_drops_costs_what_is_expected(plain: bool) -> None:
    one = star()
    if plain:
        one.vectors = {i: vector.astype(float) for i, vector in one.vectors.items()}
    outcome = one.play(plain=plain)
    planned = expected_traffic(one.settings, message_bytes(3, 0, 4), plain=plain)
    assert set(replay_traffic(one.settings, outcome.result, message_bytes(3, 0, 4)).values()) == {planned}
    headers = HEADER_BYTES * (2 if plain else 1 + len(stages(False)))
    assert {outcome.sent[i] + headers for i in MEMBERS} == {planned.up}
    assert {outcome.received[i] + headers for i in MEMBERS} == {planned.down}


def test_a_plain_sum_does_not_depend_on_who_is_faster() -> None:
    one = star()
    one.vectors = {i: np.full(17, 7.0**i / 3) for i in one.vectors}
    totals = []
    for order in (1, -1):
        server = among(plain_server(one.settings, write_message(MODEL)), MEMBERS)
        gather = server.send(None)
        for body in (lambda i: b"", lambda i: one.vectors[i].tobytes()):
            for i in MEMBERS[::order]:
                gather.take(i, body(i))
            gather = server.send(frozenset(MEMBERS))
        with pytest.raises(StopIteration) as end:
            server.send(frozenset())
        totals.append(end.value.value.total)
    assert np.array_equal(*totals)
    assert not np.array_equal(totals[0], sum(one.vectors[i] for i in MEMBERS[::-1]))


@pytest.mark.parametrize("plain", [False, True])
def test_a_client_that_was_not_drawn_refuses(plain: bool) -> None:
    one = star()
    outcome = one.play(plain=plain, asked=(0, *MEMBERS[1:]))
    assert isinstance(outcome.failed[0], ProtocolError)
    assert "was not drawn" in str(outcome.failed[0])
    assert outcome.sent[0] == 0  # its empty answer in stage "model" alone


def test_those_not_asked_send_nothing_that_counts() -> None:
    outcome = star().play()
    assert set(outcome.sent) == set(MEMBERS)


def model_for(client: int, other: bytes) -> StarTap:
    """A tap under which one client gets another model."""

    def tap(message: StarMessage) -> bytes:
        if not message.up and (message.client, message.label) == (client, MODEL_STAGE):
            return other
        return message.body

    return tap


def test_a_lying_server_gives_all_one_model_or_gets_nothing() -> None:
    """Every client that has a client with another model for a neighbour sees keys that are not signed for its own."""
    other = write_message(replace(MODEL, weights=MODEL.weights + 1))
    sent: list[str] = []

    def tap(message: StarMessage) -> bytes | None:
        sent.extend([message.label] if message.up else [])
        return model_for(5, other)(message)

    outcome = star(malicious=True).play(tap)
    assert outcome.result is None
    assert isinstance(outcome.failed[5], DisagreementError)
    assert "not signed" in str(outcome.failed[5])
    assert MASKED not in sent


@pytest.mark.parametrize(
    "body", [b"", write_message(MODEL)[:-1], write_message(MODEL) + b"\0", bytes(26), b"\xff" * 26]
)
def test_a_malformed_model_is_refused_by_who_gets_it(body: bytes) -> None:
    one = star()
    outcome = one.play(model_for(5, body))
    assert isinstance(outcome.failed[5], ProtocolError)
    assert set(in_star(one, outcome.result.survivors)) == {*MEMBERS} - {5}


def test_an_answer_to_the_model_holds_nothing() -> None:
    def tap(message: StarMessage) -> bytes:
        return b"x" if message.up and (message.client, message.label) == (6, MODEL_STAGE) else message.body

    outcome = star().play(tap)
    assert list(outcome.refused) == [6]


@pytest.mark.parametrize("plain", [False, True])
def test_a_vector_of_another_length_drops_its_sender(plain: bool) -> None:
    one = star()
    if plain:
        one.vectors = {i: vector.astype(float) for i, vector in one.vectors.items()}

    def tap(message: StarMessage) -> bytes:
        cut = message.up and message.client == 6 and message.label in (MASKED, UPDATE)
        return message.body[:-8] if cut else message.body

    outcome = one.play(tap, plain=plain)
    assert list(outcome.refused) == [6]
    assert 6 not in in_star(one, outcome.result.survivors)


def test_release_is_asked_for_the_pinned_survivors_alone() -> None:
    """After a server's restart: the same ones again, or nothing; others are not even given the model."""
    one = star()
    noted: list[frozenset[int]] = []
    first = one.play(without({5: MASKED}), note=noted.append).result
    assert noted == [frozenset(first.survivors)]
    again = Occasion(b"another session", 7, 1)
    pinned = frozenset(first.survivors)
    outcome = one.play(occasion=again, only=pinned, note=noted.append)
    assert np.array_equal(outcome.result.total, first.total)
    assert noted == [pinned, pinned]
    assert outcome.received.get(5) is None
    for stage in (MODEL_STAGE, MASKED):
        outcome = one.play(without({9: stage}), occasion=replace(again, attempt=2), only=pinned, note=noted.append)
        assert isinstance(outcome.error, TooFewError)
        assert noted == [pinned, pinned]  # nobody was told


def test_a_client_releases_one_sum_after_each_message() -> None:
    """Whatever round, attempt and session it is said to be of, and whoever else takes part."""
    one = star()
    assert one.play(without({5: MASKED})).error is None
    for occasion in (Occasion(b"session", 2, 1), Occasion(b"restarted", 9, 1)):
        refused = one.play(occasion=occasion)
        assert isinstance(refused.error, TooFewError)
        assert all("other survivors" in str(error) for error in refused.failed.values())
        assert one.play(without({5: MASKED}), occasion=occasion).error is None
    other = Message("train", 2, MODEL.weights, word=4)
    assert one.play(message=other).error is None  # the next round has other batches


@pytest.mark.parametrize("phase", ["newton", "evaluate"])
def test_a_vector_of_the_model_alone_is_released_once(phase: str) -> None:
    one = star()
    first = Message(phase, 1, MODEL.weights)  # type: ignore[arg-type]
    assert one.play(without({5: MASKED}), message=first).error is None
    assert isinstance(one.play(message=replace(first, t=2)).error, TooFewError)
    assert one.play(message=replace(first, t=3, weights=MODEL.weights + 1)).error is None


def test_the_same_places_among_other_members_are_other_survivors() -> None:
    """Newton's sums of one model over two draws of clients would show their difference."""
    message = Message("newton", 1, MODEL.weights)
    one = star()
    assert one.play(message=message).error is None
    two = star(members=(0, *MEMBERS[1:]))
    two.journals = one.journals
    refused = two.play(message=replace(message, t=2))
    assert set(refused.failed) == {*MEMBERS[1:]}
