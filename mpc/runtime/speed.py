"""How fast a link is, as a plan's estimate of time counts it."""

from __future__ import annotations

from typing import NamedTuple


class LinkSpeed(NamedTuple):
    """A link's latency, one way, in seconds, and its bytes per second, each way (infinite: no limit)."""

    latency: float
    bandwidth: float
