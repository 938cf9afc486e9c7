"""One bit turned on its way: whatever it hits, nothing false is heard, and the link goes on."""

from __future__ import annotations

import pytest

from tests.links.meddler import Meddler
from tests.links.over_zmq import Site, sites
from tests.links.pairs import both, greet, swap

# What each side sends in the beginning: 64 bytes of greeting, then the handshake's commands, then messages. Hit are
# the signature, the mechanism's name, lengths, the commands' boxes, and messages.
FROM_DIALLER = (0, 10, 12, 65, 150, 267, 300, 600, 1200)
FROM_LISTENER = (0, 12, 33, 65, 150, 235, 300, 500, 1200)
PLACES = [(True, at) for at in FROM_DIALLER] + [(False, at) for at in FROM_LISTENER]


def rounds(site: Site, peer: str) -> list[int]:
    greet(site)
    return [int(site.channel.exchange(swap(peer, 100 * number, f"round {number}"))[peer][0][0]) for number in range(20)]


@pytest.mark.parametrize(("from_dialler", "at"), PLACES)
def test_an_altered_byte_costs_time_only(from_dialler: bool, at: int) -> None:
    middle: list[Meddler] = []

    def through(endpoint: str) -> str:
        middle.append(Meddler(endpoint, from_dialler=from_dialler, at=at))
        return middle[0].dial

    with sites("a", "b", through={("b", "a"): through}) as parties:
        with middle[0]:
            got = both(parties, rounds)
        assert middle[0].altered.is_set()
    assert got["a"] == got["b"] == [100 * number for number in range(20)]
