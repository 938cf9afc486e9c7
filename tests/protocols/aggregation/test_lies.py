"""A server that lies. Each lie is planted in its messages to clients that run as they are, and each is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpc.errors import DisagreementError, ProtocolError, TooFewError
from mpc.randomness.key_agreement import SIGNATURE_BYTES, TAG_BYTES, KeyPair, seal
from mpc.randomness.streams import derive, insecure_entropy
from mpc.star.lockstep import StarMessage, StarOutcome, StarTap
from protocols.aggregation import messages as m
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.settings import Occasion, Settings, context
from tests.protocols.aggregation.rounds import Memory, play, settings_for, total_of, vectors_for

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


class Tags:
    """What honest clients sent in stage 'consistency' to each other: the graph is complete here."""

    def __init__(self, told: dict[int, bytes]) -> None:
        self._told = told
        self.given: dict[tuple[int, int], bytes] = {}

    def take(self, i: int, body: bytes) -> None:
        owners = [j for j in np.flatnonzero(m.read_bits(self._told[i], N)).tolist() if j != i]
        pieces = m.pieces(body, len(owners), TAG_BYTES, "tags")
        self.given.update({(i, j): tag for j, tag in zip(owners, pieces, strict=True)})


def without_tag_for_victim(message: StarMessage) -> bytes:
    """The tags of a client that was told that the victim dropped out, with nothing in the victim's place."""
    place = TAG_BYTES * (VICTIM - (message.client < VICTIM))
    return message.body[:place] + bytes(TAG_BYTES) + message.body[place:]


def test_split_views_are_refused_by_everybody() -> None:
    """Four are told that the victim dropped out, and make no tag for it; the server shows all that it has."""
    lie = lied(lambda _: bitmap({VICTIM}), to=range(4), stage=m.MASKED)

    def planted(message: StarMessage) -> bytes | None:
        if message.up and message.label == m.CONSISTENCY and message.client < VICTIM:
            return without_tag_for_victim(message)
        return lie(message)

    tap, sent = watched(planted)
    outcome = play(SETTINGS, VECTORS, tap)
    assert isinstance(outcome.error, TooFewError)
    assert released(outcome, sent) == []
    assert len(outcome.failed) == N
    assert all(isinstance(error, DisagreementError | ProtocolError) for error in outcome.failed.values())
    assert "was not shown the survivors that this client was shown" in str(outcome.failed[VICTIM])


@pytest.mark.parametrize("dropped_half", [range(3), range(4), range(5, 10), range(2, 10)])
def test_both_kinds_of_share_of_one_client_are_never_given(dropped_half: range) -> None:
    """A cleverer server: it shows each half the tags of that half alone. No two sets find t."""
    told = {i: bitmap({VICTIM} if i in dropped_half and i != VICTIM else set()) for i in range(N)}
    tags = Tags(told)

    def tap(message: StarMessage) -> bytes:
        i = message.client
        if message.up and message.label == m.CONSISTENCY:
            tags.take(i, message.body)
        if not message.up and message.label == m.MASKED:
            return told[i]
        if not message.up and message.label == m.CONSISTENCY:
            alike = [j for j in range(N) if j != i and m.read_bits(told[i], N)[j]]
            there = [j for j in alike if told[j] == told[i] and (j, i) in tags.given]
            return m.write_bits([j in there for j in alike]) + b"".join(tags.given[j, i] for j in there)
        return message.body

    both, sent = watched(tap)
    play(SETTINGS, VECTORS, both)
    kinds = [VICTIM in np.flatnonzero(m.read_bits(told[i], N)) for i in released(StarOutcome(), sent) if i != VICTIM]
    assert kinds.count(True) < SETTINGS.threshold or kinds.count(False) < SETTINGS.threshold
    assert len(set(kinds)) <= 1  # here even: who releases at all releases the same kind


@pytest.mark.parametrize("spoilt", [0, 1])
def test_t_right_tags_are_asked_for(spoilt: int) -> None:
    """The server shows the victim t tags, the first of which it may have altered: with one it does not release."""

    def change(message: StarMessage) -> bytes:
        holders, t = N - 1, SETTINGS.threshold
        tags = message.body[-(-holders // 8) :]
        shown = bytes([tags[0] ^ spoilt]) + tags[1 : t * TAG_BYTES]
        return m.write_bits([k < t for k in range(holders)]) + shown

    tap, sent = watched(lied(change, to=range(VICTIM, VICTIM + 1), stage=m.CONSISTENCY))
    outcome = play(SETTINGS, VECTORS, tap)
    assert (VICTIM in released(outcome, sent)) == (not spoilt)
    if spoilt:
        assert "client 0 was not shown the survivors" in str(outcome.failed[VICTIM])


@pytest.mark.parametrize("split", range(6))
def test_nor_with_as_many_corrupt_clients_as_are_tolerated(split: int) -> None:
    """They tag every set for the server, and give it both kinds; t holders still never give one kind each of both."""
    bounds = choose_bounds(N, malicious=True)
    corrupt = [0, 1, 2, 9][: bounds.tolerated]
    assert len(corrupt) == bounds.tolerated
    honest = [i for i in range(N) if i not in corrupt]
    others = [i for i in honest if i != VICTIM]
    told = {i: bitmap({VICTIM} if i in others[:split] else set()) for i in range(N)}
    roots: dict[int, bytes] = {}
    channels: dict[int, bytes] = {}
    tags = Tags(told)
    about = context(SETTINGS, Occasion(b"session", 1, 1))

    def tag(j: int, i: int) -> bytes | None:
        if j in corrupt:
            pair = KeyPair(insecure_entropy(7, f"client {j}/1/1")("channel key"))
            ends = j.to_bytes(4, "little") + i.to_bytes(4, "little")
            key = derive(pair.shared(channels[i]), "secure aggregation/consistency", about + ends)
            return seal(key, b"", m.consistency_about(about, roots[0], told[i]))
        return tags.given.get((j, i)) if told[j] == told[i] else None

    def tap(message: StarMessage) -> bytes:
        i = message.client
        if message.up and message.label == m.KEYS:
            channels[i] = m.read_keys(message.body, True).channel
        if not message.up and message.label == m.KEYS:
            roots[0] = message.body
        if message.up and message.label == m.CONSISTENCY:
            tags.take(i, message.body)
        if not message.up and message.label == m.MASKED:
            return told[i]
        if not message.up and message.label == m.CONSISTENCY:
            holders = [j for j in range(N) if j != i and m.read_bits(told[i], N)[j]]
            found = [tag(j, i) for j in holders]
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


def test_other_keys_of_a_holder_give_the_server_nothing() -> None:
    """The victim checks no signature of those that chose it alone, and is shown a root of keys that are the server's
    own for one of them. That root the others do not tag; and the sum is spoilt, for the two masks do not cancel."""
    bodies: dict[int, bytes] = {}
    made = KeyPair(bytes(range(32))).public
    chosen = play_to_choice(SPARSE)
    liar = next(j for j in range(80) if VICTIM in chosen[j] and j not in chosen[VICTIM])

    def tree() -> m.KeyTree:
        keys = {i: m.read_keys(body, True) for i, body in bodies.items()}
        keys[liar] = m.Keys(made, made, keys[liar].signature)
        return m.KeyTree([m.leaf(i, keys[i]) for i in range(80)])

    def tap(sent: StarMessage) -> bytes:
        if sent.up and sent.label == m.KEYS:
            bodies[sent.client] = sent.body
        if sent.up or sent.client != VICTIM or sent.label not in (m.KEYS, m.CHOICE):
            return sent.body
        if sent.label == m.KEYS:
            return tree().root
        _, start, end = key_list(sent)
        keys = m.read_key_list(sent.body[start:end], True)
        keys[liar] = m.Keys(made, made, keys[liar].signature)
        return sent.body[:start] + m.write_key_list(keys) + tree().proof(sorted(keys))

    outcome = play(SPARSE, SPARSE_VECTORS, tap)
    assert list(outcome.failed) == [VICTIM]
    assert "was not shown the survivors" in str(outcome.failed[VICTIM])
    truth = total_of(SPARSE, SPARSE_VECTORS, outcome.result.survivors)
    assert not np.any(outcome.result.total == truth)


def play_to_choice(settings: Settings) -> dict[int, tuple[int, ...]]:
    """The holders that each client chooses."""
    chosen: dict[int, tuple[int, ...]] = {}

    def tap(sent: StarMessage) -> bytes | None:
        if sent.up and sent.label == m.CHOICE:
            chosen[sent.client] = m.read_indices(sent.body)
        return None if sent.label == m.SHARES else sent.body

    play(settings, SPARSE_VECTORS, tap)
    return chosen


def test_an_old_set_of_survivors_is_refused() -> None:
    """Last round's set with last round's tags: they are bound to that round."""
    old = Tags(dict.fromkeys(range(N), bitmap({VICTIM})))

    def keep(message: StarMessage) -> bytes | None:
        if message.up and (message.client, message.label) == (VICTIM, m.MASKED):
            return None
        if message.up and message.label == m.CONSISTENCY:
            old.take(message.client, message.body)
        return message.body

    journals = {i: Memory() for i in range(N)}
    assert play(SETTINGS, VECTORS, keep, journals=journals).error is None

    def replay(message: StarMessage) -> bytes:
        if message.up and message.label == m.CONSISTENCY:
            return without_tag_for_victim(message)
        if not message.up and message.label == m.MASKED:
            return bitmap({VICTIM})
        if not message.up and message.label == m.CONSISTENCY:
            holders = [j for j in range(N) if j not in (VICTIM, message.client)]
            return m.write_bits([True] * len(holders)) + b"".join(old.given[j, message.client] for j in holders)
        return message.body

    tap, sent = watched(replay)
    outcome = play(SETTINGS, VECTORS, tap, journals=journals, occasion=Occasion(b"session", 2, 1))
    assert released(outcome, sent) == []
    others = [error for i, error in outcome.failed.items() if i != VICTIM]
    assert len(others) == N - 1
    assert all("was not shown the survivors" in str(error) for error in others)
    assert "counts this client as dropped" in str(outcome.failed[VICTIM])


def test_a_second_set_in_a_round_is_refused_untagged() -> None:
    journals = {i: Memory() for i in range(N)}
    assert play(SETTINGS, VECTORS, journals=journals).error is None
    tap, sent = watched(lied(lambda _: bitmap({VICTIM}), stage=m.MASKED))
    play(SETTINGS, VECTORS, tap, journals=journals, occasion=Occasion(b"session", 1, 2))
    assert not [label for _, label in sent if label in (m.CONSISTENCY, m.UNMASK)]


def test_the_clients_of_an_honest_server_refuse_nothing() -> None:
    outcome = play(SPARSE, SPARSE_VECTORS)
    assert outcome.error is None
    assert not outcome.failed
