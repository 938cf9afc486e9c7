"""[privacy] of tasks over a server and many clients: whose noise carries the claim, and what a client's ledger is told.

Neighbours differ by the data of one client, which are there or are not (protocols/privacy/distributed.py). A client
draws its noise for a round once: its journal notes the draw, and its ledger is charged, before anything of the vector
is computed, let alone sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mpc.errors import UsageError
from parties.scenario.privacy import ClientPrivacySpec
from parties.show.blocks import Block, Line, entries, to_digits
from parties.trust.budget import Charge
from protocols.aggregation.bounds import Bounds
from protocols.privacy.accounting import VectorMechanism
from protocols.privacy.concentrated import epsilon_at
from protocols.privacy.distributed import Distributed

NEIGHBOURS: Final = "the data of one client, which are there or not; that it takes part is told in either case"
LEDGER_TEXT: Final = (
    "With `mpc party`, a client's ledger beside its keys (`mpc budget`) is charged for each release, by the noise of "
    "the fewest, before its part of it leaves; a client whose budget would be overdrawn does not take part."
)

Charging = Callable[[bytes, str, object, Charge], None]
"""(session, the name of the draw, the client's rows, what it costs) -> once the client's ledger has it. Raises
BudgetError where it is too much."""


def together(bounds: Bounds) -> int:
    """How many clients may work together, and take off their own noise: one at least, for each knows its own."""
    return max(1, bounds.corrupt)


def honest(least: int, bounds: Bounds) -> int:
    """The clients whose noise carries the claim: the fewest in a sum, less those that work together.

    A lying server may get a smaller sum.

    Raises:
        UsageError: there may be none.
    """
    found = least - together(bounds)
    if found < 1:
        raise UsageError(
            f"[privacy] counts on the noise of clients that do not work together: of {least}, the fewest in a sum, "
            f"{together(bounds)} may",
            "raise min_cohort, or lower corrupt",
        )
    return min(found, bounds.smallest_group) if bounds.malicious else found


def noises_of(how: Distributed, summed: int, bounds: Bounds) -> int:
    """How many clients' noise counts in a sum over so many; of a server that may lie about these, the fewest's."""
    return how.fewest if bounds.malicious else max(how.fewest, summed - together(bounds))


def client_mechanism(how: Distributed, times: int = 1) -> VectorMechanism:
    """So many releases, as a ledger has them: with the noise of the fewest, whose sum is N(h v) nearly."""
    return VectorMechanism(how.fewest * how.variance, how.squared_norm, times)


def client_charge(how: Distributed, delta: float) -> Charge:
    """What one release costs a client."""
    return Charge((client_mechanism(how),), epsilon_at(how.rho, delta), delta, "client")


def guarantee_facts(
    privacy: ClientPrivacySpec,
    bounds: Bounds,
    planned: float,
    spent: float | None,
    releases: Sequence[Mapping[str, Any]],
    outside: Sequence[str],
) -> dict[str, Any]:
    """The guarantee, its releases, and what they cost, as plain JSON.

    Args:
        planned, spent: epsilon; None before a run.
        outside: what is told exactly.
    """
    return {
        "epsilon": privacy.epsilon,
        "delta": privacy.delta,
        "unit": privacy.unit,
        "neighbours": NEIGHBOURS,
        "planned": planned,
        "spent": spent,
        "work_together": together(bounds),
        "releases": list(releases),
        "outside": list(outside),
    }


def guarantee_line(privacy: ClientPrivacySpec) -> Line:
    """The guarantee in a sentence."""
    return Line(f"Differentially private: {privacy.text}. Neighbours: {NEIGHBOURS}.", "bold")


def spent_blocks(one: Mapping[str, Any]) -> list[Block]:
    """The guarantee of a run with [privacy], and what was spent of it, from a record's `privacy`; nothing of none."""
    if not one:
        return []
    return [
        Line(
            f"Differentially private: epsilon = {to_digits(one.get('spent'))} of {to_digits(one.get('epsilon'))} was "
            f"spent, with delta = {to_digits(one.get('delta'))}, for each {one.get('unit')}, by who really took part. "
            f"Neighbours: {one.get('neighbours')}.",
            "bold",
        ),
        Line(f"Told exactly: {'; '.join(map(str, entries(one.get('outside'))))}."),
    ]
