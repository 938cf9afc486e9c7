"""A large round in lockstep; minutes, so in a soak only."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.aggregation import messages as m
from protocols.aggregation.cost import client_seconds, server_seconds
from tests.protocols.aggregation.rounds import play, settings_for, total_of, vectors_for, without


@pytest.mark.soak
def test_ten_thousand_clients_of_which_many_drop() -> None:
    settings = settings_for(10_000, 1000, 30)
    vectors = vectors_for(settings)
    drops = {7 * k % 10_000: m.stages(False)[k % 4] for k in range(1000)}
    outcome = play(settings, vectors, without(drops))
    assert outcome.error is None, outcome.error
    assert len(outcome.result.survivors) == 9250
    assert np.array_equal(outcome.result.total, total_of(settings, vectors, outcome.result.survivors))
    clients = sorted(outcome.client_seconds.values())
    planned = client_seconds(settings), server_seconds(settings, 250, network=False)
    print(f"a client {1000 * clients[len(clients) // 2]:.1f} ms (median; planned {1000 * planned[0]:.1f}), ", end="")
    print(f"server {outcome.server_seconds:.1f} s (planned {planned[1]:.1f})")
