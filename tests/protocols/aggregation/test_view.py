"""What a server learns, together with the clients that a neighbourhood tolerates: the sum, and nothing else.

Two inputs with the same sums (of the survivors in every round) must look alike; a program that reuses what must be
fresh is caught by the same check.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pytest

from mpc.ghost import Array
from mpc.prg import Entropy, Stream, derive, insecure_entropy
from mpc.ring import Ring
from mpc.star_lockstep import run_star
from mpc.testing.failure import CheckFailed
from mpc.testing.star_view import check_sums
from protocols.aggregation import messages as m
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.graph import draw_graph
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings, context
from tests.protocols.aggregation.adversary import Adversary, Tape
from tests.protocols.aggregation.rounds import Memory, trust_for, without

BYTES = Ring(8)
CLIENTS = 7
SETTINGS = Settings(CLIENTS, CLIENTS - 1, 4, length=256, bits=8, min_cohort=4)
COALITION = (2, 5)  # with two holders of four, one share of the other kind is never enough
HONEST = tuple(i for i in range(CLIENTS) if i not in COALITION)

Freshness = Callable[[int, int, int, str], str]
"""(client, round, attempt, label) -> what a secret's randomness depends on."""


def fresh(client: int, number: int, attempt: int, label: str) -> str:
    return f"{client}/{number}/{attempt}/{label}"


def stale(what: str) -> Freshness:
    """The planted mistake: `what` is the same in every attempt."""

    def labels(client: int, number: int, attempt: int, label: str) -> str:
        return f"{client}/{label}" if label == what else fresh(client, number, attempt, label)

    return labels


def inputs(which: int, survivors: list[int]) -> dict[int, Array]:
    """Two inputs that nothing but their parts tells apart: the honest survivors' sum is the same."""
    vectors = {i: np.full(SETTINGS.length, 17 * i, dtype="<u4") for i in range(CLIENTS)}
    if which:
        alive = [i for i in survivors if i in HONEST]
        rest = np.zeros(SETTINGS.length, dtype="<u4")
        for i in HONEST:
            old = vectors[i]
            vectors[i] = np.full(SETTINGS.length, (91 * i + 5) % 256, dtype="<u4")
            rest += (old - vectors[i]) if i in alive else np.uint32(0)
        vectors[alive[0]] = (vectors[alive[0]] + rest) & np.uint32(255)
    return vectors


def sight(
    plan: Sequence[tuple[Occasion, Mapping[int, str]]], freshness: Freshness, settings: Settings = SETTINGS
) -> Callable[[int, int], Mapping[str, Array]]:
    """What is left of each honest vector of `plan`'s attempts, each with who drops when.

    Who drops in stage 'masked' is only declared dropped: its vector comes late, and the adversary has it.
    """

    def see(which: int, run: int) -> Mapping[str, Array]:
        secrets: dict[int, Entropy] = {}
        adversary = Adversary(settings, secrets)
        trust = trust_for(settings)
        tapes = []
        for occasion, drops in plan:

            def entropy(i: int, occasion: Occasion = occasion) -> Entropy:
                def draw(label: str) -> bytes:
                    text = freshness(i, occasion.round, occasion.attempt, label)
                    return derive(f"{which}/{run}".encode(), text)

                return draw

            survivors = [i for i in range(CLIENTS) if drops.get(i) not in (m.KEYS, m.CHOICE, m.SHARES, m.MASKED)]
            vectors = inputs(which, survivors)
            clients = {
                i: partial(aggregation_client, i, settings, occasion, vectors[i], entropy(i), Memory(), trust[i])
                for i in range(CLIENTS)
            }
            tape = Tape()
            server = aggregation_server(settings, occasion, insecure_entropy(run, "server"))
            outcome = run_star(server, clients, tape.over(without(drops)))
            assert outcome.error is None, outcome.error
            secrets.update({i: entropy(i) for i in COALITION})
            adversary.learn(tape, occasion)
            tapes.append((occasion, tape))
        seen = {}
        for occasion, tape in tapes:
            for i in HONEST:
                if (i, m.MASKED) in tape.up:
                    left = adversary.left(tape, occasion, i)
                    seen[f"round {occasion.round}.{occasion.attempt}, client {i}"] = left.astype(np.uint8)
        return seen

    return see


ROUND = Occasion(b"session", 1, 1)


@pytest.mark.parametrize(
    "drops",
    [{}, {0: m.KEYS}, {1: m.SHARES}, {3: m.MASKED}, {4: m.UNMASK}, {0: m.SHARES, 4: m.UNMASK}],
    ids=["nobody", "keys", "shares", "masked", "unmask", "two"],
)
def test_the_server_and_a_coalition_learn_the_sum_alone(drops: Mapping[int, str]) -> None:
    print(check_sums(sight([(ROUND, drops)], fresh), BYTES, runs=8))


LYING = Settings(CLIENTS, CLIENTS - 1, 5, length=256, bits=8, min_cohort=4, malicious=True, most_incoming=CLIENTS - 1)


@pytest.mark.parametrize("drops", [{}, {0: m.CHOICE}, {3: m.MASKED}, {4: m.CONSISTENCY}], ids=["nobody", *"acd"])
def test_the_same_with_the_stages_for_a_lying_server(drops: Mapping[int, str]) -> None:
    print(check_sums(sight([(ROUND, drops)], fresh, LYING), BYTES, runs=6))


CHANGING = [
    (Occasion(b"session", 1, 1), {0: m.MASKED}),
    (Occasion(b"session", 2, 1), {3: m.MASKED}),
    (Occasion(b"session", 2, 2), {4: m.UNMASK}),
]


def test_several_rounds_with_changing_survivors() -> None:
    print(check_sums(sight(CHANGING, fresh), BYTES, runs=8))


@pytest.mark.parametrize("what", ["mask key", "self mask seed"])
def test_what_is_not_fresh_in_each_attempt_is_caught(what: str) -> None:
    with pytest.raises(CheckFailed, match="round"):
        check_sums(sight(CHANGING, stale(what)), BYTES, runs=8)


def test_neighbours_are_fresh_in_each_attempt() -> None:
    """The server derives them from new entropy, bound to the attempt: even the same entropy gives other neighbours."""
    settings = Settings(100, 10, 6, 1, 8, 5)
    entropy = insecure_entropy(3, "server")
    graphs = [
        draw_graph(100, 10, Stream(derive(entropy("graph"), "secure aggregation/graph", context(settings, occasion))))
        for occasion in (Occasion(b"s", 1, 1), Occasion(b"s", 1, 2), Occasion(b"s", 2, 1), Occasion(b"t", 1, 1))
    ]
    same = [int(np.sum(graphs[a] == graphs[b])) for a in range(4) for b in range(a)]
    assert max(same) < 200  # of 1,000 places


def test_a_coalition_of_t_is_beyond_what_is_tolerated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check can see: with four holders of the seven, everything is open."""
    monkeypatch.setattr(sys.modules[__name__], "COALITION", (1, 2, 5, 6))
    monkeypatch.setattr(sys.modules[__name__], "HONEST", (0, 3, 4))
    with pytest.raises(CheckFailed):
        check_sums(sight([(ROUND, {})], fresh), BYTES, runs=6)
