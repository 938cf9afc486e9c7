"""What a round costs, from who answered: equal to what was sent, for every client, whoever drops when."""

from __future__ import annotations

import pytest

from mpc.runtime.round import HEADER_BYTES
from protocols.aggregation.cost import expected_traffic, replay_traffic
from protocols.aggregation.messages import stages
from tests.protocols.aggregation.rounds import play, settings_for, vectors_for, without


@pytest.mark.parametrize("malicious", [False, True])
@pytest.mark.parametrize("clients", [12, 70])
def test_the_bytes_of_a_round_with_drops_in_every_stage(clients: int, malicious: bool) -> None:
    settings = settings_for(clients, 33, malicious=malicious)
    kinds = stages(malicious)
    drops = {7 * turn % clients: kinds[turn % len(kinds)] for turn in range(max(1, clients // 10))}
    outcome = play(settings, vectors_for(settings), without(drops))
    assert outcome.error is None
    planned = replay_traffic(settings, outcome.result)
    headers = HEADER_BYTES * len(kinds)
    for i in range(clients):
        if i not in drops:
            assert planned[i].up == outcome.sent[i] + headers
            assert planned[i].down == outcome.received[i] + headers


def test_what_is_expected_is_what_a_round_without_drops_takes() -> None:
    settings = settings_for(12, 33)
    outcome = play(settings, vectors_for(settings))
    assert set(replay_traffic(settings, outcome.result).values()) == {expected_traffic(settings)}


def test_with_a_lying_server_it_is_near() -> None:
    settings = settings_for(80, 33, malicious=True)
    outcome = play(settings, vectors_for(settings))
    expected = expected_traffic(settings)
    planned = replay_traffic(settings, outcome.result).values()
    assert sum(one.down for one in planned) / 80 == pytest.approx(expected.down, rel=0.05)
    assert sum(one.up for one in planned) / 80 == pytest.approx(expected.up, rel=0.01)
