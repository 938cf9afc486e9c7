"""The cost of a round, from the clients that answered: the exact bytes of every message, and estimated computation.

Frames' headers count; what CURVE and TCP add does not, as everywhere in the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from mpc.randomness.key_agreement import KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES
from mpc.runtime.round import HEADER_BYTES
from protocols.aggregation import messages as m
from protocols.aggregation.helper_messages import facts_bytes, opened_bytes
from protocols.aggregation.parts.pack import word
from protocols.aggregation.parts.shamir import SHARE_BYTES
from protocols.aggregation.server import Aggregated, Circle
from protocols.aggregation.settings import Settings

_KEYS_BODY = m.KEYS_BYTES
_MICRO = 1e-6
_AGREEMENT = 50 * _MICRO  # X25519, and the key derived from it
_SIGNING, _CHECKING = 40 * _MICRO, 100 * _MICRO
_TAG = 10 * _MICRO  # its key, and AES-GCM
_MASK = 6 * _MICRO  # a stream's start
_MASK_BYTE = 0.35e-9  # AES-CTR and adding, in the cache
_PACK_PASS, _PACK_COLUMN = 1.8 * _MICRO, 0.5e-9  # one of about bits + 7 passes, over an eighth of the values
_STAGE = 150 * _MICRO  # a stage's fixed work at a client
_HASHING = 250 * _MICRO  # of a number to the curve
_OPENED = 2 * _MICRO  # a share at the helper
_SHARING, _SHARING_STEP = 9e-9, 5 * _MICRO  # Horner's rule: a limb-share and coefficient; a coefficient's step
_TAKING = 25 * _MICRO  # a frame at the server
_PROVED = 4 * _MICRO  # besides, with a lying server: proofs of keys, and tags
_CLIENT, _RELAYED = 80 * _MICRO, 6.5 * _MICRO  # the server's work for each client, and for each of its holders
_RECEIVED_BYTE = 1e-9
_START = 0.001  # what the server does once a round


Step = Literal["agreement", "checking", "mask", "pack"]
"""A step whose time a benchmark can measure alone."""


@dataclass(frozen=True)
class Traffic:
    """Bytes that a client sends and receives in one round, with headers."""

    up: int
    down: int


@dataclass(frozen=True)
class Degrees:
    """A client's numbers of neighbours, of holders, and of clients that chose it; the hashes of its proof."""

    neighbours: int
    holders: int
    owners: int
    hashes: int = 0


def expected_traffic(s: Settings) -> Traffic:
    """A client's traffic if nobody drops out; with a lying server, with as many neighbours as are expected."""
    if not s.malicious:
        return traffic(s, Degrees(s.neighbours, s.neighbours, s.neighbours))
    k = s.neighbours
    both = round(2 * k - k * k / (s.clients - 1))
    return traffic(s, Degrees(both, k, k, _hashes(s.clients, both)))


def largest_traffic(s: Settings) -> Traffic:
    """The most that a client sends and receives: with a lying server, with the most clients that may choose it."""
    incoming = s.most_incoming if s.malicious else s.neighbours
    neighbours = min(s.clients - 1, s.neighbours + incoming)
    return traffic(s, Degrees(neighbours, s.neighbours, incoming, s.clients.bit_length() * neighbours))


def traffic(
    s: Settings,
    there: Degrees,
    *,
    shared: Degrees | None = None,
    survived: Degrees | None = None,
    tagged: int | None = None,
    last: str = m.UNMASK,
) -> Traffic:
    """What one client sends and receives.

    Args:
        there: its neighbours that sent keys (and chose).
        shared: of these, who gave shares too; all where left out.
        survived: of these, who sent vectors; all where left out.
        tagged: of its surviving holders, how many gave tags of the survivors; all where left out.
        last: the last stage in which it sent.
    """
    shared = shared or there
    survived = survived or shared
    tagged = survived.holders if tagged is None else tagged
    signature = SIGNATURE_BYTES if s.malicious else 0
    up = {
        m.KEYS: _KEYS_BODY + signature,
        m.CHOICE: m.INDEX_BYTES * s.neighbours,
        m.SHARES: m.COMMITMENT_BYTES + there.holders * m.SEALED_BYTES,
        m.MASKED: s.vector_bytes,
        m.CONSISTENCY: survived.owners * TAG_BYTES,
        m.UNMASK: shared.owners * SHARE_BYTES + (TAG_BYTES if s.test is not None else 0),
    }
    entry = m.INDEX_BYTES + _KEYS_BODY + signature
    list_of_keys = there.neighbours * entry + (KEY_BYTES if s.test is not None else 0)
    down = {
        m.KEYS: m.ROOT_BYTES if s.malicious else list_of_keys,
        m.CHOICE: 8 + m.INDEX_BYTES * there.owners + list_of_keys + m.ROOT_BYTES * there.hashes,
        m.SHARES: -(-there.neighbours // 8) + shared.owners * m.SEALED_BYTES,
        m.MASKED: s.bitmap_bytes if s.malicious else m.INDEX_BYTES + m.ROOT_BYTES + -(-shared.neighbours // 8),
        m.CONSISTENCY: -(-survived.holders // 8) + tagged * TAG_BYTES,
        m.UNMASK: 0,
    }
    stages = m.stages(s.malicious)
    through = stages[: stages.index(last) + 1]
    return Traffic(
        sum(HEADER_BYTES + up[stage] for stage in through), sum(HEADER_BYTES + down[stage] for stage in through)
    )


def helper_traffic(
    s: Settings, owners: Mapping[int, int], answered: frozenset[int], disclosed: int, wrong: int
) -> Traffic:
    """The helper's bytes: `owners` and `answered` as for `facts_bytes`; the numbers disclosed, and the wrong shares
    named."""
    assert s.test is not None
    up = KEY_BYTES + s.test.hidden_bytes + opened_bytes(s, disclosed, wrong)
    return Traffic(3 * HEADER_BYTES + up, 3 * HEADER_BYTES + facts_bytes(s, owners, answered) + s.test.blinded_bytes)


def expected_helper_traffic(s: Settings) -> Traffic:
    """The helper's traffic if nobody drops out, and nothing is withheld."""
    assert s.test is not None
    everyone, disclosed = range(s.clients), s.length - len(s.test.never)
    return helper_traffic(s, dict.fromkeys(everyone, s.neighbours), frozenset(everyone), disclosed, 0)


def helper_seconds(s: Settings, dropped: int) -> float:
    """The helper's computation in such a round: it takes the masks off, and tests each cell."""
    test = s.test
    assert test is not None
    streams, agreements = (s.clients - dropped) + dropped * s.neighbours, s.clients + dropped * s.neighbours
    seconds = streams * _masking(s) + agreements * _AGREEMENT
    seconds += s.clients * (_TAG + _CLIENT + s.neighbours * _OPENED)
    return seconds + test.parts * (_HASHING + 2 * _AGREEMENT) + test.guesses * _AGREEMENT


def client_seconds(s: Settings) -> float:
    """One client's computation in a round, on a core as measured (docs/aggregation.md)."""
    k = s.neighbours
    pairs = 2 * k - k * k // (s.clients - 1) if s.malicious else k
    seconds = 2 * pairs * _AGREEMENT + (pairs + 1) * _masking(s)
    seconds += _packing(s) + s.threshold * (_SHARING_STEP + 18 * k * _SHARING) + 5 * _STAGE
    if s.malicious:
        seconds += _SIGNING + k * _CHECKING + 2 * k * _TAG
    return seconds


def server_seconds(s: Settings, dropped: int, *, network: bool = True) -> float:
    """The server's computation in a round in which so many drop out after giving shares; `network`: with frames."""
    pairs = 2 * s.neighbours if s.malicious else s.neighbours
    seconds = s.clients * _packing(s)
    if network:
        seconds += s.clients * (len(m.stages(s.malicious)) * 2 * _TAKING + s.vector_bytes * _RECEIVED_BYTE)
    if s.test is None:
        streams = (s.clients - dropped) + dropped * pairs
        seconds += streams * _masking(s) + dropped * pairs * _AGREEMENT
        seconds += s.clients * s.neighbours * (_RELAYED + (_PROVED if s.malicious else 0.0))
    else:  # the helper puts the shares together and takes the masks off
        seconds += s.test.guesses * (_HASHING + _AGREEMENT) + s.test.parts * _AGREEMENT
    return _START + seconds + s.clients * _CLIENT


def _masking(s: Settings) -> float:
    """A mask added to a vector, or taken off."""
    return _MASK + s.length * word(s.bits).itemsize * _MASK_BYTE


def _packing(s: Settings) -> float:
    """A vector packed, or unpacked."""
    return (s.bits + 7) * (_PACK_PASS + s.length / 8 * _PACK_COLUMN)


def seconds_of(step: Step, values: int) -> float:
    """The seconds of one step for so many values of four bytes, as the estimates above use: on the plan's machine."""
    return {
        "agreement": _AGREEMENT,
        "checking": _CHECKING,
        "mask": _MASK + values * 4 * _MASK_BYTE,
        "pack": _packing(Settings(1, 0, 0, values, 26, 0)),
    }[step]


def replay_traffic(s: Settings, done: Aggregated) -> dict[int, Traffic]:
    """Every client's traffic, and the helper's, from a round's events: who answered, and who is whose neighbour."""
    answered = {stage: frozenset(clients) for stage, clients in done.answered.items()}
    found = {}
    for i in done.answered[m.KEYS]:
        last = [stage for stage in m.stages(s.malicious) if i in answered[stage]][-1]
        circle = done.circles.get(i, Circle((), (), ()))
        shared, survived = (_within(circle, answered[stage]) for stage in (m.SHARES, m.MASKED))
        there = Degrees(len(circle.neighbours), len(circle.holders), len(circle.owners), circle.hashes)
        givers = answered.get(m.CONSISTENCY, frozenset())
        tagged = len([j for j in circle.holders if j in answered[m.MASKED] and j in givers])
        found[i] = traffic(s, there, shared=shared, survived=survived, tagged=tagged, last=last)
    if done.disclosed is not None:
        owners = {i: _within(done.circles[i], answered[m.SHARES]).neighbours for i in done.answered[m.SHARES]}
        wrong = sum(len(of) for of in done.wrong.values())
        found[s.helper] = helper_traffic(s, owners, answered[m.UNMASK], int(done.disclosed.sum()), wrong)
    return found


def _within(circle: Circle, clients: Collection[int]) -> Degrees:
    counts = [sum(j in clients for j in group) for group in (circle.neighbours, circle.holders, circle.owners)]
    return Degrees(counts[0], counts[1], counts[2])


def _hashes(clients: int, members: int) -> int:
    """About how many hashes prove so many clients' keys at a time: the subtrees that hold none of them."""
    hashes, size = 0.0, 1
    while size < clients:
        empty = (1 - members / clients) ** size
        hashes += clients / size * (empty - empty * empty)
        size *= 2
    return round(hashes)
