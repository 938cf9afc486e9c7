"""What a server learns over rounds of a study, together with clients that tell it all: the sums, and nothing else.

Two inputs with the same sums of the survivors in every round must look alike, also where a killed server begins a round
anew for the survivors that it had noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest

from mpc.randomness.streams import Entropy, derive, insecure_entropy
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.star.lockstep import run_star
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.views.star_view import check_sums
from protocols.aggregation import messages as m
from protocols.aggregation.settings import Occasion, Settings
from protocols.federated.messages import Message, message_digest, write_message
from protocols.federated.programs import Contribution, among, federated_client, federated_server
from tests.protocols.aggregation.adversary import Adversary, Tape
from tests.protocols.aggregation.rounds import Memory, trust_for, without

BYTES = Ring(8)
STAR = 9
COALITION = (2, 5)  # drawn in every round: with two holders of four, one share of the other kind is never enough
SEMI = Settings(7, 6, 4, length=256, bits=8, min_cohort=4)
LYING = Settings(7, 6, 5, length=256, bits=8, min_cohort=4, malicious=True, most_incoming=6)
LONGEST = 4096


@dataclass(frozen=True)
class Round:
    """An attempt: its message, who is drawn, and who drops when (numbers of the star); `only` after a restart."""

    occasion: Occasion
    message: Message
    members: tuple[int, ...]
    drops: Mapping[int, str]
    only: tuple[int, ...] | None = None

    @property
    def survivors(self) -> list[int]:
        early = [i for i, stage in self.drops.items() if stage not in (m.UNMASK, m.CONSISTENCY)]
        return [i for i in self.only or self.members if i not in early]


def model(t: int) -> Message:
    return Message("train", t, np.array([0.5, -2.0, 3.0]) * t, word=4)


FIRST, SECOND, THIRD = (0, 1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 7, 8), (0, 2, 4, 5, 6, 7, 8)
STUDY = [
    Round(Occasion(b"session", 1, 1), model(1), FIRST, {0: m.MASKED}),
    Round(Occasion(b"session", 2, 1), model(2), SECOND, {3: m.MASKED}),
    # The server was killed after it had asked for release: the same sum once more, under a session of its own.
    Round(Occasion(b"restarted", 3, 1), model(2), SECOND, {}, only=(1, 2, 4, 5, 7, 8)),
    Round(Occasion(b"restarted", 4, 1), model(3), THIRD, {8: m.SHARES}),
]

Freshness = Callable[[int, Occasion, str], str]


def fresh(client: int, occasion: Occasion, label: str) -> str:
    return f"{client}/{occasion.round}/{occasion.attempt}/{label}"


def stale(what: str) -> Freshness:
    """The planted mistake: `what` is the same in every round."""
    return lambda client, occasion, label: f"{client}/{label}" if label == what else fresh(client, occasion, label)


def vectors_of(which: int, one: Round) -> dict[int, Array]:
    """Two inputs that differ in every honest vector, and not in the honest survivors' sum; new ones for each model."""
    t, shape = one.message.t, (SEMI.length,)
    first = {i: np.full(shape, (17 * i + 3 * t) % 256, dtype="<u4") for i in one.members}
    if which == 0:
        return first
    other = {i: v if i in COALITION else np.full(shape, (91 * i + 5 * t) % 256, dtype="<u4") for i, v in first.items()}
    alive = [i for i in one.survivors if i not in COALITION]
    rest = sum((first[i] - other[i] for i in alive), np.zeros(shape, dtype="<u4"))
    other[alive[0]] = (other[alive[0]] + rest) & np.uint32(255)
    return other


def among_members(tape: Tape, members: tuple[int, ...]) -> Tape:
    """A tape with the clients' numbers in the sum in the place of those in the star."""
    numbers = {i: k for k, i in enumerate(members)}
    up, down = (
        {(numbers[i], label): body for (i, label), body in messages.items() if i in numbers}
        for messages in (tape.up, tape.down)
    )
    return Tape(up, down)


def sight(settings: Settings, freshness: Freshness) -> Callable[[int, int], Mapping[str, Array]]:
    """What is left of each honest vector, once all that can be opened is taken off.

    Who drops in stage 'masked' is only declared dropped: its vector comes late, and the adversary has it.
    """
    signing = trust_for(replace(settings, clients=STAR))

    def see(which: int, run: int) -> Mapping[str, Array]:
        adversary = Adversary(settings, {})
        journals = {i: Memory() for i in range(STAR)}
        found = []
        for one in STUDY:
            vectors, body = vectors_of(which, one), write_message(one.message)

            def entropy(i: int, occasion: Occasion = one.occasion) -> Entropy:
                return lambda label: derive(f"{which}/{run}".encode(), freshness(i, occasion, label))

            def program(i: int, one: Round = one, vectors: Mapping[int, Array] = vectors) -> Callable[[], object]:
                def work(message: Message) -> Contribution:
                    return Contribution(one.members, settings, vectors[i])

                draw = entropy(i, one.occasion)
                return lambda: federated_client(i, LONGEST, one.occasion, work, draw, journals[i], signing[i])

            tape = Tape()
            only = None if one.only is None else frozenset(map(one.members.index, one.only))
            server = federated_server(settings, one.occasion, insecure_entropy(run, "server"), body, only)
            clients = {i: program(i) for i in one.members}
            outcome = run_star(among(server, one.members), clients, tape.over(without(one.drops)))  # type: ignore[arg-type]
            assert outcome.error is None, outcome.error
            assert [one.members[k] for k in outcome.result.survivors] == one.survivors
            of_sum = replace(one.occasion, session=one.occasion.session + message_digest(body))
            adversary.coalition = {one.members.index(i): entropy(i) for i in COALITION}
            mine = among_members(tape, one.members)
            adversary.learn(mine, of_sum)
            found.append((one, of_sum, mine))
        return {
            f"round {one.occasion.round}, client {i}": adversary.left(tape, of_sum, one.members.index(i)).astype(
                np.uint8
            )
            for one, of_sum, tape in found
            for i in one.members
            if i not in COALITION and (one.members.index(i), m.MASKED) in tape.up
        }

    return see


BOTH = pytest.mark.parametrize(
    "settings", [SEMI, pytest.param(LYING, marks=pytest.mark.soak)], ids=["semi-honest", "lying"]
)


@BOTH
def test_rounds_and_a_restart_show_the_sums_alone(settings: Settings) -> None:
    print(check_sums(sight(settings, fresh), BYTES, runs=6))


@BOTH
@pytest.mark.parametrize("what", ["mask key", "self mask seed"])
def test_what_is_not_fresh_in_each_round_is_caught(what: str, settings: Settings) -> None:
    with pytest.raises(CheckFailed, match="round"):
        check_sums(sight(settings, stale(what)), BYTES, runs=6)
