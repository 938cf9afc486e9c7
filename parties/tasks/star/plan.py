"""The parts that plans and approvals of kinds over secure aggregation have."""

from __future__ import annotations

from math import isinf
from typing import Any

from parties.scenario.star import StarScenario
from parties.show.blocks import Line
from protocols.aggregation.bounds import Bounds
from protocols.aggregation.settings import Settings


def withstands(bounds: Bounds, settings: Settings) -> dict[str, Any]:
    """The attacks and failures that a round withstands."""
    b = bounds
    return {
        "corrupt": b.corrupt,
        "dropped": b.dropped,
        "largest_coalition": b.largest_coalition,
        "corrupt_of_one_clients_holders": b.tolerated,
        "security_bits": None if isinf(b.security) else b.security,
        "failure_bits": None if isinf(b.failure) else b.failure,
        "smallest_group": b.smallest_group if b.malicious else settings.min_cohort - b.corrupt,
    }


def server_line(scenario: StarScenario, bounds: Bounds) -> Line:
    """How far the server is trusted, and how many open what a client hid."""
    lies = scenario.task.server == "malicious"
    who = "may lie" if lies else "follows the protocol, but may look (semi-honest)"
    return Line(
        f"The server {who}. Each client has {bounds.neighbours} holders of its shares; {bounds.threshold} of them open "
        "what it hid."
    )


def time_text(seconds: float) -> str:
    """Seconds, or milliseconds."""
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def read_rows(scenario: StarScenario, me: str) -> list[tuple[str, str]]:
    """Where a client's rows are read from: rows of a notice."""
    own = [("as this party itself says", scenario.data_from)] if scenario.data_from is not None else []
    return [("read", scenario.data_of(me)), *own]
