"""Parties that several tests of links talk with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.links.over_zmq import Site, sites
from tests.links.pairs import both, greet


@pytest.fixture
def pair() -> Iterator[dict[str, Site]]:
    """a and b over sockets, after their hellos."""
    with sites("a", "b") as parties:
        both(parties, lambda site, _: greet(site))
        yield parties
