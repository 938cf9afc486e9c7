"""A server that lies. Each lie is planted in its messages to clients that run as they are, and each is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpc.agree import SIGNATURE_BYTES
from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.star_lockstep import StarMessage, StarOutcome, StarTap
from protocols.aggregation import messages as m
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.settings import Occasion, context
from tests.protocols.aggregation.rounds import Memory, play, settings_for, trust_for, vectors_for

N = 10
SETTINGS = settings_for(N, 6, malicious=True)
VECTORS = vectors_for(SETTINGS)
VICTIM = 4
ENTRY = m.INDEX_BYTES + m.KEYS_BYTES + SIGNATURE_BYTES


def lied(change: Callable[[StarMessage], bytes], *, to: range = range(N), stage: str) -> StarTap:
    """The server's answer in a stage, changed for some clients."""

    def tap(message: StarMessage) -> bytes:
        lie = not message.up and message.label == stage and message.client in to
        return change(message) if lie else message.body

    return tap


def released(outcome: StarOutcome, sent: dict[tuple[int, str], bytes]) -> list[int]:
    """The clients that gave shares away."""
    return [i for i in range(N) if (i, m.UNMASK) in sent]


def watched(tap: StarTap) -> tuple[StarTap, dict[tuple[int, str], bytes]]:
    sent: dict[tuple[int, str], bytes] = {}

    def both(message: StarMessage) -> bytes | None:
        if message.up:
            sent[message.client, message.label] = message.body
        return tap(message)

    return both, sent


def bitmap(without: set[int]) -> bytes:
    return m.write_bits([i not in without for i in range(N)])


def test_split_views_are_refused_by_everybody() -> None:
    tap, sent = watched(lied(lambda _: bitmap({VICTIM}), to=range(4), stage=m.MASKED))
    outcome = play(SETTINGS, VECTORS, tap)
    assert isinstance(outcome.error, TooFewError)
    assert released(outcome, sent) == []
    assert len(outcome.failed) == N
    assert all(isinstance(error, DisagreementError | ProtocolError) for error in outcome.failed.values())
    assert "did not sign the survivors that this client was shown" in str(outcome.failed[VICTIM])


@pytest.mark.parametrize("dropped_half", [range(3), range(4), range(5, 10), range(2, 10)])
def test_both_kinds_of_share_of_one_client_are_never_given(dropped_half: range) -> None:
    """A cleverer server: it shows each half the signatures of that half alone. No two sets find t."""
    told = {i: bitmap({VICTIM} if i in dropped_half and i != VICTIM else set()) for i in range(N)}
    signatures: dict[int, bytes] = {}

    def tap(message: StarMessage) -> bytes:
        i = message.client
        if message.up and message.label == m.CONSISTENCY:
            signatures[i] = message.body
        if not message.up and message.label == m.MASKED:
            return told[i]
        if not message.up and message.label == m.CONSISTENCY:
            alike = [j for j in range(N) if j != i and m.read_bits(told[i], N)[j]]
            there = [j for j in alike if told[j] == told[i] and j in signatures]
            return m.write_bits([j in there for j in alike]) + b"".join(signatures[j] for j in there)
        return message.body

    both, sent = watched(tap)
    play(SETTINGS, VECTORS, both)
    kinds = [VICTIM in np.flatnonzero(m.read_bits(told[i], N)) for i in released(StarOutcome(), sent) if i != VICTIM]
    assert kinds.count(True) < SETTINGS.threshold or kinds.count(False) < SETTINGS.threshold
    assert len(set(kinds)) <= 1  # here even: who releases at all releases the same kind


@pytest.mark.parametrize("split", range(6))
def test_nor_with_as_many_corrupt_clients_as_are_tolerated(split: int) -> None:
    """They sign every set for the server, and give it both kinds; t holders still never give one kind each of both."""
    bounds = choose_bounds(N, malicious=True)
    corrupt = [0, 1, 2, 9][: bounds.tolerated]
    assert len(corrupt) == bounds.tolerated
    honest = [i for i in range(N) if i not in corrupt]
    others = [i for i in honest if i != VICTIM]
    told = {i: bitmap({VICTIM} if i in others[:split] else set()) for i in range(N)}
    trust = trust_for(SETTINGS)
    roots: dict[int, bytes] = {}
    signatures: dict[int, bytes] = {}
    about = context(SETTINGS, Occasion(b"session", 1, 1))

    def signature(j: int, i: int) -> bytes | None:
        if j in corrupt:
            signer = trust[j]
            assert signer is not None
            return signer.signer.sign(m.consistency_about(about, roots[0], told[i]))
        return signatures.get(j) if told[j] == told[i] else None

    def tap(message: StarMessage) -> bytes:
        i = message.client
        if not message.up and message.label == m.KEYS:
            roots[0] = message.body
        if message.up and message.label == m.CONSISTENCY:
            signatures[i] = message.body
        if not message.up and message.label == m.MASKED:
            return told[i]
        if not message.up and message.label == m.CONSISTENCY:
            holders = [j for j in range(N) if j != i and m.read_bits(told[i], N)[j]]
            found = [signature(j, i) for j in holders]
            return m.write_bits([one is not None for one in found]) + b"".join(one for one in found if one)
        return message.body

    both, sent = watched(tap)
    play(SETTINGS, VECTORS, both)
    kinds = [m.read_bits(told[i], N)[VICTIM] for i in honest if i != VICTIM and (i, m.UNMASK) in sent]
    seeds, keys = (kinds.count(kind) + len(corrupt) for kind in (True, False))
    assert min(seeds, keys) < SETTINGS.threshold
    assert split > 0 or seeds >= SETTINGS.threshold  # told one story, they give what they should


def key_list(message: StarMessage) -> tuple[int, int, int]:
    """How many chose the client, and where the list of keys begins and ends in the server's answer."""
    incoming, there = (int(x) for x in np.frombuffer(message.body[:8], dtype="<u4"))
    start = 8 + m.INDEX_BYTES * incoming
    return incoming, start, start + there * ENTRY


def test_swapped_public_keys_are_refused() -> None:
    own = bytes(range(32))

    def swap(message: StarMessage) -> bytes:
        _, start, _ = key_list(message)
        at = start + m.INDEX_BYTES
        return message.body[:at] + own + message.body[at + 32 :]

    outcome = play(SETTINGS, VECTORS, lied(swap, to=range(VICTIM, VICTIM + 1), stage=m.CHOICE))
    assert isinstance(outcome.failed[VICTIM], DisagreementError)
    assert "are not signed by it" in str(outcome.failed[VICTIM])


def test_keys_of_another_attempt_are_refused() -> None:
    """Signed by their owner, but for the last attempt."""
    tape: dict[int, bytes] = {}

    def keep(message: StarMessage) -> bytes:
        if message.up and message.label == m.KEYS:
            tape[message.client] = message.body
        return message.body

    play(SETTINGS, VECTORS, keep)

    def replay(message: StarMessage) -> bytes:
        _, start, _ = key_list(message)
        first = int.from_bytes(message.body[start : start + 4], "little")
        return message.body[: start + 4] + tape[first] + message.body[start + ENTRY :]

    tap = lied(replay, to=range(VICTIM, VICTIM + 1), stage=m.CHOICE)
    outcome = play(SETTINGS, VECTORS, tap, occasion=Occasion(b"session", 1, 2))
    assert "are not signed by it" in str(outcome.failed[VICTIM])


def test_keys_that_the_server_had_not_committed_to_are_refused() -> None:
    outcome = play(SETTINGS, VECTORS, lied(lambda message: bytes(32), to=range(1), stage=m.KEYS))
    assert "other keys than it had committed to" in str(outcome.failed[0])


SPARSE = settings_for(80, 3, malicious=True)
SPARSE_VECTORS = vectors_for(SPARSE)


@pytest.mark.parametrize(
    ("lie", "kind", "message"),
    [
        ("others", DisagreementError, "keys of clients that this one did not choose"),
        ("few", TooFewError, "holders of its shares"),
        ("many", ProtocolError, "clients chose this one"),
    ],
)
def test_a_graph_that_the_server_chose_is_refused(lie: str, kind: type[Exception], message: str) -> None:
    """Keys of others than the chosen ones, of a few of them only, or a crowd that is said to have chosen the victim."""
    bodies: dict[int, bytes] = {}

    def change(sent: StarMessage) -> bytes:
        _, start, end = key_list(sent)
        owners = m.read_indices(sent.body[8:start])
        keys = m.read_key_list(sent.body[start:end], True)
        if lie == "others":  # of one that it did not choose, and that did not choose it
            known = {i: m.read_keys(body, True) for i, body in bodies.items()}
            stranger = next(i for i in range(80) if i != VICTIM and i not in keys)
            keys[stranger] = known[stranger]
        elif lie == "few":
            keys = {j: one for j, one in keys.items() if j in owners or j < 5}
        else:
            owners = tuple(j for j in range(80) if j != VICTIM)[: SPARSE.most_incoming + 1]
            keys = {j: m.read_keys(bodies[j], True) for j in {*keys, *owners}}
        head = m.write_indices([len(owners), len(keys)]) + m.write_indices(owners)
        tree = m.KeyTree([m.leaf(i, m.read_keys(bodies[i], True)) for i in range(80)])
        return head + m.write_key_list(keys) + tree.proof(sorted(keys))

    def tap(sent: StarMessage) -> bytes | None:
        if sent.up and sent.label == m.KEYS:
            bodies[sent.client] = sent.body
        if sent.label == m.SHARES:
            return None  # enough was seen
        return change(sent) if (sent.client, sent.up, sent.label) == (VICTIM, False, m.CHOICE) else sent.body

    failed = play(SPARSE, SPARSE_VECTORS, tap).failed
    assert list(failed) == [VICTIM]
    assert isinstance(failed[VICTIM], kind)
    assert message in str(failed[VICTIM])


def test_an_old_set_of_survivors_is_refused() -> None:
    """Last round's set with last round's signatures: they are bound to that round."""
    old: dict[int, bytes] = {}

    def keep(message: StarMessage) -> bytes | None:
        if message.up and (message.client, message.label) == (VICTIM, m.MASKED):
            return None
        if message.up and message.label == m.CONSISTENCY:
            old[message.client] = message.body
        return message.body

    journals = {i: Memory() for i in range(N)}
    assert play(SETTINGS, VECTORS, keep, journals=journals).error is None

    def replay(message: StarMessage) -> bytes:
        if not message.up and message.label == m.MASKED:
            return bitmap({VICTIM})
        if not message.up and message.label == m.CONSISTENCY:
            holders = [j for j in range(N) if j not in (VICTIM, message.client)]
            return m.write_bits([True] * len(holders)) + b"".join(old[j] for j in holders)
        return message.body

    tap, sent = watched(replay)
    outcome = play(SETTINGS, VECTORS, tap, journals=journals, occasion=Occasion(b"session", 2, 1))
    assert released(outcome, sent) == []
    others = [error for i, error in outcome.failed.items() if i != VICTIM]
    assert len(others) == N - 1
    assert all("did not sign" in str(error) for error in others)
    assert "counts this client as dropped" in str(outcome.failed[VICTIM])


def test_a_second_set_in_one_round_is_refused_before_anything_is_signed() -> None:
    journals = {i: Memory() for i in range(N)}
    assert play(SETTINGS, VECTORS, journals=journals).error is None
    tap, sent = watched(lied(lambda _: bitmap({VICTIM}), stage=m.MASKED))
    play(SETTINGS, VECTORS, tap, journals=journals, occasion=Occasion(b"session", 1, 2))
    assert not [label for _, label in sent if label in (m.CONSISTENCY, m.UNMASK)]


def test_the_clients_of_an_honest_server_refuse_nothing() -> None:
    outcome = play(SPARSE, SPARSE_VECTORS)
    assert outcome.error is None
    assert not outcome.failed
