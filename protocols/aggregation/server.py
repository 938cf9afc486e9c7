"""The server's part of a round of secure aggregation: it relays keys and shares, sums as vectors come, and unmasks
the sum.

The server learns the sum of the survivors' vectors, who took part, and who dropped when. It keeps one vector, and a
few hundred bytes for each pair of neighbours. Stages, and who sends what: client.py. With a helper the sum stays
masked here, but for the numbers that the helper finds not small: helper.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mpc.errors import ProtocolError, TooFewError
from mpc.randomness.key_agreement import KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES, is_small_order
from mpc.randomness.streams import Entropy, Stream, derive
from mpc.ring.array import Array
from mpc.star.stage import Gather, Take
from protocols.aggregation import messages as m
from protocols.aggregation.cells.membership import CellTest, blind
from protocols.aggregation.helper_messages import Facts, read_opened, write_facts
from protocols.aggregation.open import Opening, Reports
from protocols.aggregation.parts.graph import draw_graph
from protocols.aggregation.parts.pack import unpack, word
from protocols.aggregation.parts.shamir import SHARE_BYTES
from protocols.aggregation.settings import Occasion, Settings, context, survivors_digest


@dataclass(frozen=True)
class Circle:
    """A client's neighbours, holders and owners: those present when it got their keys.

    `hashes` is how many a lying server's proof of these keys had.
    """

    neighbours: tuple[int, ...]
    holders: tuple[int, ...]
    owners: tuple[int, ...]
    hashes: int = 0


@dataclass(frozen=True)
class Aggregated:
    """A round's result.

    Args:
        total: (length,) the sum modulo 2^bits.
        survivors: whose vectors are in it.
        answered: stage -> who answered in it.
        circles: client -> whose neighbour it was; with `answered`, all that its traffic depends on (cost.py).
        wrong: holder -> whose secrets it gave wrong shares of; none of them was used.
        disclosed: with a helper, (length,) which numbers of `total` are disclosed (bools); the others are 0 in it.
    """

    total: Array
    survivors: tuple[int, ...]
    answered: Mapping[str, tuple[int, ...]]
    circles: Mapping[int, Circle]
    wrong: Mapping[int, tuple[int, ...]]
    disclosed: Array | None = None


BeforeRelease = Callable[[frozenset[int]], None]


def nothing_noted(survivors: frozenset[int]) -> None:
    """Notes nothing."""


def check_survivors(survivors: frozenset[int], only: frozenset[int] | None) -> None:
    """Refuse another set of survivors than the one that is due.

    Raises:
        TooFewError: it is another one.
    """
    if only is None or survivors == only:
        return
    missing, more = sorted(only - survivors), sorted(survivors - only)
    raise TooFewError(
        f"clients {missing} of those for whom release was asked before are missing, and {more} are too many",
        "nothing was opened: two sums of one round over different clients would show their difference",
    )


@dataclass
class _Round:
    """The server's state in a round."""

    settings: Settings
    context: bytes
    keys: dict[int, m.Keys] = field(default_factory=dict)
    circles: dict[int, Circle] = field(default_factory=dict)
    commitments: dict[int, bytes] = field(default_factory=dict)
    sealed: dict[int, list[bytes]] = field(default_factory=dict)
    answered: dict[str, tuple[int, ...]] = field(default_factory=dict)
    helper_key: bytes = b""

    async def gather(
        self, label: str, send: Mapping[int, bytes], expect: frozenset[int], limit: int, take: Take
    ) -> frozenset[int]:
        """A stage; who answered is written down, for the plan."""
        quorum = self.settings.threshold if label in (m.CONSISTENCY, m.UNMASK) else self.settings.quorum
        answered = await Gather(send, expect, quorum, label, limit, take)
        self.answered[label] = tuple(sorted(answered))
        return answered


async def aggregation_server(
    settings: Settings,
    occasion: Occasion,
    entropy: Entropy,
    first: Mapping[int, bytes] | None = None,
    only: frozenset[int] | None = None,
    before_release: BeforeRelease = nothing_noted,
) -> Aggregated:
    """One attempt at one round; clients that do not answer in time are dropped, in any stage.

    Args:
        first: client -> the answer to what it sent before the sum, at which it sends its keys; the others take no
            part. Left out: the sum begins, and everybody does.
        only: the one set of survivors for which anything is asked to be released.
        before_release: called with the survivors before any client hears of them.

    Raises:
        TooFewError: too few clients are left to go on, or to open a secret; or others survived than `only`.
        ProtocolError: a secret cannot be opened, for too many shares of it are wrong.
    """
    s = settings
    r = _Round(s, context(s, occasion))
    everyone = frozenset(range(s.clients) if first is None else first)
    limit = m.KEYS_BYTES + (SIGNATURE_BYTES if s.malicious else 0)
    if s.test is not None:
        everyone |= {s.helper}
    alive = await r.gather(m.KEYS, first or {}, everyone, limit, lambda i, body: _take_keys(r, i, body))
    if s.test is not None:
        alive = _without_helper(r, alive)
    if s.malicious:
        alive, send = await _choices(r, alive)
    else:
        send = _draw_neighbours(r, alive, Stream(derive(entropy("graph"), "secure aggregation/graph", r.context)))
    limit = m.COMMITMENT_BYTES + s.neighbours * m.SEALED_BYTES
    sharers = await r.gather(m.SHARES, send, alive, limit, lambda i, body: _take_shares(r, i, body))
    total = np.zeros(s.length, dtype=word(s.bits))

    def add(i: int, body: bytes) -> None:
        np.add(total, unpack(body, s.length, s.bits), out=total)

    survivors = await r.gather(m.MASKED, _relay_shares(r, sharers), sharers, s.vector_bytes, add)
    check_survivors(survivors, only)
    before_release(survivors)
    bitmap = m.write_bits([i in survivors for i in range(s.clients)])
    if s.malicious:
        askable, send = await _check_consistency(r, survivors, bitmap)
    else:
        askable, send = survivors, _survivor_messages(r, sharers, survivors, bitmap)
    if s.test is not None:
        return await _opened_by_helper(r, s.test, sharers, survivors, send, total, entropy("small sums"))
    reports = Reports({i: [j for j in r.circles[i].owners if j in sharers] for i in askable})
    await r.gather(m.UNMASK, send, askable, max(map(reports.size, askable)), reports.take)
    neighbours = {i: [j for j in r.circles[i].neighbours if j in survivors] for i in sharers - survivors}
    Opening(s, r.context, r.keys, r.commitments).unmask(total, survivors, neighbours, reports)
    await Gather(dict.fromkeys(r.answered[m.UNMASK], b""), (), 0, m.UNMASK, 0, lambda i, body: None)
    total &= total.dtype.type((1 << s.bits) - 1)
    return Aggregated(total, tuple(sorted(survivors)), r.answered, r.circles, reports.wrong)


async def _opened_by_helper(
    r: _Round,
    test: CellTest,
    sharers: frozenset[int],
    survivors: frozenset[int],
    send: Mapping[int, bytes],
    masked: Array,
    secret: bytes,
) -> Aggregated:
    """The last stages with a helper: it gets the shares of all masks, and gives those of numbers that are not small."""
    s = r.settings
    owners = {i: tuple(j for j in r.circles[i].neighbours if j in sharers) for i in sharers}
    sealed: dict[int, bytes] = {}

    def take(i: int, body: bytes) -> None:
        sealed.update({i: m.pieces(body, 1, len(owners[i]) * SHARE_BYTES + TAG_BYTES, "sealed shares")[0]})

    limit = max(map(len, owners.values())) * SHARE_BYTES + TAG_BYTES
    await r.gather(m.UNMASK, send, survivors, limit, take)
    keys = {i: r.keys[i] for i in sharers}
    facts = Facts(owners, survivors, keys, {i: r.commitments[i] for i in sharers}, sealed)
    masked &= masked.dtype.type((1 << s.bits) - 1)
    hidden = await _ask_helper(s, m.HIDDEN, write_facts(s, facts), test.hidden_bytes)
    m.pieces(hidden, test.parts, KEY_BYTES, "hidden cells")
    blinded = blind(test, hidden, masked, s.bits, secret, r.context)
    opened = read_opened(s, await _ask_helper(s, m.DISCLOSED, blinded, s.opened_limit))
    total = np.where(opened.disclosed, (masked - opened.masks) & masked.dtype.type((1 << s.bits) - 1), 0)
    await Gather(dict.fromkeys([*r.answered[m.UNMASK], s.helper], b""), (), 0, m.UNMASK, 0, lambda i, body: None)
    return Aggregated(
        total.astype(masked.dtype), tuple(sorted(survivors)), r.answered, r.circles, opened.wrong, opened.disclosed
    )


async def _ask_helper(s: Settings, label: str, body: bytes, limit: int) -> bytes:
    """The helper's answer.

    Raises:
        TooFewError: it gave none.
    """
    answers: list[bytes] = []
    await Gather({s.helper: body}, {s.helper}, 0, label, limit, lambda i, body: answers.append(body))
    if not answers:
        raise TooFewError(f"the helper did not answer in stage '{label}'", "nothing was opened; its log says why")
    return answers[0]


def _without_helper(r: _Round, there: frozenset[int]) -> frozenset[int]:
    """The clients among those that sent keys, if the helper did too."""
    if r.settings.helper not in there:
        raise TooFewError("the helper sent no key", "nothing was opened; start it, or see its log")
    clients = there - {r.settings.helper}
    r.answered[m.KEYS] = tuple(sorted(clients))
    return clients


def _take_keys(r: _Round, i: int, body: bytes) -> None:
    if i == r.settings.helper:
        (key,) = m.pieces(body, 1, KEY_BYTES, "the helper's key")
        _check_order(key)
        r.helper_key = key
    else:
        keys = m.read_keys(body, r.settings.malicious)
        _check_order(keys.mask, keys.channel)
        r.keys[i] = keys


def _check_order(*public: bytes) -> None:
    """Refuse a key at which every honest client would stop."""
    if any(map(is_small_order, public)):
        raise ProtocolError("its public key is of small order")


def _take_shares(r: _Round, i: int, body: bytes) -> None:
    r.sealed[i] = m.pieces(
        body[m.COMMITMENT_BYTES :], len(r.circles[i].holders), m.SEALED_BYTES, "sealed shares"
    )  # before the commitment is kept: a body that is too short has none
    r.commitments[i] = body[: m.COMMITMENT_BYTES]


def _draw_neighbours(r: _Round, alive: frozenset[int], stream: Stream) -> dict[int, bytes]:
    """The neighbours that the server draws, for an honest one; returns their keys for each client."""
    graph = draw_graph(r.settings.clients, r.settings.neighbours, stream)
    for i in alive:
        there = tuple(j for j in graph[i].tolist() if j in alive)
        r.circles[i] = Circle(there, there, there)
    return {i: r.helper_key + m.write_key_list({j: r.keys[j] for j in r.circles[i].neighbours}) for i in alive}


async def _choices(r: _Round, alive: frozenset[int]) -> tuple[frozenset[int], dict[int, bytes]]:
    """Commit to all keys, take the clients' choices of holders, and prepare what each gets: who chose it, and keys."""
    s = r.settings
    tree = m.KeyTree([m.leaf(i, r.keys.get(i)) for i in range(s.clients)])
    chosen: dict[int, tuple[int, ...]] = {}

    def take(i: int, body: bytes) -> None:
        choice = m.read_indices(body)
        if len(choice) != s.neighbours or i in choice or any(j >= s.clients for j in choice):
            raise ProtocolError(f"client {i} chose neighbours that it cannot have")
        chosen[i] = choice

    limit = m.INDEX_BYTES * s.neighbours
    alive = await r.gather(m.CHOICE, dict.fromkeys(alive, tree.root), alive, limit, take)
    holders = {i: tuple(j for j in chosen[i] if j in alive) for i in alive}
    incoming: dict[int, list[int]] = {i: [] for i in alive}
    for i in sorted(alive):
        for j in holders[i]:
            incoming[j].append(i)
    send: dict[int, bytes] = {}
    for i in alive:
        neighbours = tuple(sorted({*holders[i], *incoming[i]}))
        proof = tree.proof(neighbours)
        r.circles[i] = Circle(neighbours, holders[i], tuple(incoming[i]), len(proof) // m.ROOT_BYTES)
        counts = m.write_indices([len(incoming[i]), len(neighbours)])
        keys = m.write_key_list({j: r.keys[j] for j in neighbours})
        send[i] = counts + m.write_indices(incoming[i]) + keys + proof
    return alive, send


def _relay_shares(r: _Round, sharers: frozenset[int]) -> dict[int, bytes]:
    """For each client: which of its neighbours gave shares, and the shares sealed for it."""
    inbox: dict[int, list[bytes]] = {i: [] for i in sharers}
    for j in sorted(sharers):
        for i, sealed in zip(r.circles[j].holders, r.sealed.pop(j), strict=True):
            if i in inbox:
                inbox[i].append(sealed)
    return {i: m.write_bits([j in sharers for j in r.circles[i].neighbours]) + b"".join(inbox[i]) for i in sharers}


def _survivor_messages(
    r: _Round, sharers: frozenset[int], survivors: frozenset[int], bitmap: bytes
) -> dict[int, bytes]:
    """For each survivor: how many survived, the set's digest, and which of its neighbours did."""
    head = m.write_indices([len(survivors)]) + survivors_digest(r.settings.clients, bitmap)
    return {
        i: head + m.write_bits([j in survivors for j in r.circles[i].neighbours if j in sharers]) for i in survivors
    }


async def _check_consistency(
    r: _Round, survivors: frozenset[int], bitmap: bytes
) -> tuple[frozenset[int], dict[int, bytes]]:
    """Show everybody the one set of survivors, and each client the tags that the holders of its shares gave of it."""
    owners = {i: [j for j in r.circles[i].owners if j in survivors] for i in survivors}
    tags: dict[tuple[int, int], bytes] = {}

    def take(i: int, body: bytes) -> None:
        given = m.pieces(body, len(owners[i]), TAG_BYTES, "tags")
        tags.update({(i, j): tag for j, tag in zip(owners[i], given, strict=True)})

    send = dict.fromkeys(survivors, bitmap)
    limit = TAG_BYTES * max(map(len, owners.values()))
    givers = await r.gather(m.CONSISTENCY, send, survivors, limit, take)
    answers = {}
    for i in givers:
        holders = [j for j in r.circles[i].holders if j in survivors]
        given = [tags[j, i] for j in holders if j in givers]
        answers[i] = m.write_bits([j in givers for j in holders]) + b"".join(given)
    return givers, answers
