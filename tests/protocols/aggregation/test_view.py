"""What a server learns, together with the clients that a neighbourhood tolerates: the sum, and nothing else.

Two inputs with the same sums (of the survivors in every round) must look alike; a program that reuses what must be
fresh is caught by the same check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from mpc.randomness.streams import Entropy, derive, insecure_entropy
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.star.lockstep import run_star
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.star_view import check_sums
from protocols.aggregation import messages as m
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings
from tests.protocols.aggregation.adversary import Adversary, Tape
from tests.protocols.aggregation.rounds import Memory, trust_for, without
from tests.tiers import SOAK, Tell

BYTES = Ring(8)
CLIENTS = 7
SETTINGS = Settings(CLIENTS, CLIENTS - 1, 4, length=256, bits=8, min_cohort=4)
COALITION = (2, 5)  # with two holders of four, one share of the other kind is never enough

Freshness = Callable[[int, int, int, str], str]
"""(client, round, attempt, label) -> what a secret's randomness depends on."""


def fresh(client: int, number: int, attempt: int, label: str) -> str:
    return f"{client}/{number}/{attempt}/{label}"


def stale(what: str) -> Freshness:
    """The planted mistake: `what` is the same in every attempt."""

    def labels(client: int, number: int, attempt: int, label: str) -> str:
        return f"{client}/{label}" if label == what else fresh(client, number, attempt, label)

    return labels


def inputs(which: int, survivors: list[int], honest: Sequence[int]) -> dict[int, Array]:
    """Two inputs that nothing but their parts tells apart: the honest survivors' sum is the same."""
    vectors = {i: np.full(SETTINGS.length, 17 * i, dtype="<u4") for i in range(CLIENTS)}
    if which:
        alive = [i for i in survivors if i in honest]
        rest = np.zeros(SETTINGS.length, dtype="<u4")
        for i in honest:
            old = vectors[i]
            vectors[i] = np.full(SETTINGS.length, (91 * i + 5) % 256, dtype="<u4")
            rest += (old - vectors[i]) if i in alive else np.uint32(0)
        vectors[alive[0]] = (vectors[alive[0]] + rest) & np.uint32(255)
    return vectors


def sight(
    plan: Sequence[tuple[Occasion, Mapping[int, str]]],
    freshness: Freshness,
    settings: Settings = SETTINGS,
    coalition: Sequence[int] = COALITION,
) -> Callable[[int, int], Mapping[str, Array]]:
    """What is left of each honest vector of `plan`'s attempts, each with who drops when.

    Who drops in stage 'masked' is only declared dropped: its vector comes late, and the adversary has it.
    """
    honest = [i for i in range(CLIENTS) if i not in coalition]

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
            vectors = inputs(which, survivors, honest)
            clients = {
                i: partial(aggregation_client, i, settings, occasion, vectors[i], entropy(i), Memory(), trust[i])
                for i in range(CLIENTS)
            }
            tape = Tape()
            server = aggregation_server(settings, occasion, insecure_entropy(run, "server"))
            outcome = run_star(server, clients, tape.over(without(drops)))
            assert outcome.error is None, outcome.error
            secrets.update({i: entropy(i) for i in coalition})
            adversary.learn(tape, occasion)
            tapes.append((occasion, tape))
        seen = {}
        for occasion, tape in tapes:
            for i in honest:
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


BOTH = pytest.mark.parametrize(
    "settings", [SETTINGS, pytest.param(LYING, marks=pytest.mark.soak)], ids=["semi", "lying"]
)


@BOTH
def test_several_rounds_with_changing_survivors(settings: Settings) -> None:
    print(check_sums(sight(CHANGING, fresh, settings), BYTES, runs=8))


@BOTH
@pytest.mark.parametrize("what", ["mask key", "self mask seed"])
def test_what_is_not_fresh_in_each_attempt_is_caught(what: str, settings: Settings) -> None:
    with pytest.raises(CheckFailed, match="round"):
        check_sums(sight(CHANGING, stale(what), settings), BYTES, runs=8)


TOLERATED = {SETTINGS: 3, LYING: 3}  # t - 1 of a client's holders; 2t - k - 1 with a lying server
COALITIONS = [
    (settings, coalition, stage)
    for settings, size in TOLERATED.items()  # a smaller one sees less
    for coalition in combinations(range(CLIENTS), size)
    for stage in (None, *m.stages(settings.malicious))
]


def name_of(case: object) -> str:
    return ("lying" if case.malicious else "semi") if isinstance(case, Settings) else str(case)


@pytest.mark.soak
@pytest.mark.parametrize(("settings", "coalition", "stage"), SOAK.chosen("coalitions", COALITIONS), ids=name_of)
def test_any_tolerated_coalition_whoever_drops(
    settings: Settings, coalition: tuple[int, ...], stage: str | None, tell: Tell
) -> None:
    """Two rounds; in each another honest client drops out in that stage."""
    honest = [i for i in range(CLIENTS) if i not in coalition]
    drops = [{one: stage} if stage is not None else {} for one in (honest[0], honest[-1])]
    plan = [(Occasion(b"session", number, 1), one) for number, one in enumerate(drops, start=1)]
    check_sums(sight(plan, fresh, settings, coalition), BYTES, runs=6)
    tell("coalitions with the server of a secure sum", tried=1)


@pytest.mark.parametrize("settings", [SETTINGS, LYING], ids=["semi", "lying"])
def test_the_largest_coalition_that_is_tolerated(settings: Settings) -> None:
    assert 2 * settings.threshold - settings.neighbours > 3 or not settings.malicious
    plan = [(ROUND, {6: m.MASKED})]
    print(check_sums(sight(plan, fresh, settings, (1, 2, 5)), BYTES, runs=6))


def test_a_coalition_of_t_is_beyond_what_is_tolerated() -> None:
    """The check can see: with four holders of the seven, everything is open."""
    with pytest.raises(CheckFailed):
        check_sums(sight([(ROUND, {})], fresh, SETTINGS, (1, 2, 5, 6)), BYTES, runs=6)
