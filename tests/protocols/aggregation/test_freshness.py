"""Neighbours are drawn anew in every attempt: who stays the neighbour of whom is no more than chance allows.

Where they stay, a server that sees an attempt fail knows whom to win over for the next one: the bounds on corrupt
clients in a neighbourhood are about a sample that nobody knew before. Reused mask keys and self-mask seeds are planted
and caught in test_view.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from math import sqrt
from typing import Any

import pytest

from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.testing.cases.failure import CheckFailed
from protocols.aggregation import client, server
from protocols.aggregation.parts.graph import choose, draw_graph
from protocols.aggregation.settings import Occasion, Settings
from tests.protocols.aggregation.rounds import play, vectors_for

N, K = 40, 8
DEVIATIONS = 5.0
ATTEMPTS = (Occasion(b"session", 1, 1), Occasion(b"session", 1, 2), Occasion(b"session", 2, 1))
HONEST = Settings(N, K, 5, length=1, bits=8, min_cohort=4)
LYING = Settings(N, K, 6, length=1, bits=8, min_cohort=4, malicious=True, most_incoming=N - 1)

Holders = Mapping[int, tuple[int, ...]]


def check_fresh(attempts: Sequence[Holders]) -> None:
    """That two attempts share no more pairs (client, holder) than independent draws do.

    Raises:
        CheckFailed: they share more.
    """
    mean = N * K * K / (N - 1)
    most = mean + DEVIATIONS * sqrt(2 * mean)  # a symmetric graph's pairs come by two
    for one, other in combinations(range(len(attempts)), 2):
        same = sum(len({*attempts[one][i]} & {*attempts[other][i]}) for i in range(N))
        if same > most:
            raise CheckFailed(f"attempts {one} and {other} share {same} neighbours, and chance gives {mean:.0f}")


def holders_in(settings: Settings) -> list[Holders]:
    """Who held whose shares, attempt by attempt."""
    found: list[Holders] = []
    for occasion in ATTEMPTS:
        outcome = play(settings, vectors_for(settings), occasion=occasion)
        assert outcome.error is None, outcome.error
        found.append({i: circle.holders for i, circle in outcome.result.circles.items()})
    return found


def stale(draw: Callable[..., Array]) -> Callable[..., Array]:
    """The planted mistake: what is drawn depends on the client alone, and on no attempt."""

    def drawn(*words: Any) -> Array:
        *public, _ = words
        return draw(*public, Stream(derive(bytes(32), f"the same in every attempt {public}")))

    return drawn


@pytest.mark.parametrize("settings", [HONEST, LYING], ids=["drawn by the server", "chosen by the clients"])
def test_neighbours_are_fresh_in_every_attempt(settings: Settings) -> None:
    check_fresh(holders_in(settings))


def test_neighbours_that_a_server_draws_once_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "draw_graph", stale(draw_graph))
    with pytest.raises(CheckFailed, match="share 320 neighbours"):
        check_fresh(holders_in(HONEST))


def test_neighbours_that_clients_choose_once_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "choose", stale(choose))
    with pytest.raises(CheckFailed, match="share 320 neighbours"):
        check_fresh(holders_in(LYING))


def test_a_fourth_of_clients_keeping_holders_catches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(clients: int, count: int, me: int, stream: Stream) -> Array:
        return (stale(choose) if me % 4 == 0 else choose)(clients, count, me, stream)

    monkeypatch.setattr(client, "choose", some)
    with pytest.raises(CheckFailed, match="neighbours, and chance gives 66"):
        check_fresh(holders_in(LYING))
