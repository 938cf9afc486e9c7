"""What a round costs a client, from the scenario alone: bytes, computation and memory; and the limits on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from parties.scenario.problems import Problem
from parties.tasks.federated.settings import FederatedScenario, Round
from protocols.aggregation.cost import client_seconds
from protocols.federated.effort import Effort, coding, effort
from protocols.federated.noisy import NoisyLayout
from protocols.federated.programs import expected_traffic, largest_traffic

MB: Final = 1_000_000
_NEIGHBOUR_BYTES: Final = 1024  # keys, shares and sealed shares of one, at a client
_SUM_WORDS: Final = 4  # arrays as long as the vector: itself, masked, a mask, packed
_REAL: Final = 8
_NOISE: Final = 7e-6  # seconds of one exact sample
_PRODUCT: Final = 2e-9  # seconds of one product in Newton's matrices


@dataclass(frozen=True)
class ClientCost:
    """What a round takes of a client with the most rows.

    Args:
        up, down: bytes with headers if nobody drops out; `most` the most of both together, whoever does what.
        seconds: of one core.
        memory: bytes of arrays that it holds at the same time.
    """

    up: int
    down: int
    most: int
    seconds: float
    memory: int


def client_cost(scenario: FederatedScenario, agreed: Round, rows: int | None = None) -> ClientCost:
    """The cost of a round.

    Args:
        rows: of the client; by default the most that are agreed.
    """
    s, plain = agreed.settings, scenario.plain
    traffic = expected_traffic(s, agreed.longest, plain=plain)
    largest = largest_traffic(s, agreed.longest, plain=plain)
    own = _work_of_round(scenario, agreed, scenario.task.most_rows if rows is None else rows)
    noise = _NOISE * s.length if isinstance(agreed.layout, NoisyLayout) else 0.0
    seconds, memory = own.seconds + noise, own.bytes + agreed.longest
    if not plain:
        seconds += client_seconds(s)
        memory += _SUM_WORDS * _REAL * s.length + _NEIGHBOUR_BYTES * (s.neighbours + s.most_incoming)
    return ClientCost(traffic.up, traffic.down, largest.up + largest.down, seconds, memory)


def _work_of_round(scenario: FederatedScenario, agreed: Round, rows: int) -> Effort:
    """A client's own work in a round, on so many rows."""
    task, p, numbers = scenario.task, len(scenario.task.features), agreed.layout.length
    if agreed.phase == "scale" or scenario.newton:
        products = rows * (p + 1) * (1 if agreed.phase == "scale" else p + 1)
        return Effort(products * _PRODUCT, _REAL * (4 * rows * (p + 2) + 5 * numbers))
    if scenario.own:  # what its own learner takes is not known
        return coding(scenario.size, numbers)
    if agreed.phase == "train":
        return effort(scenario.model, rows, scenario.local, numbers)
    if not task.personal:
        return effort(scenario.model, rows, replace(scenario.local, epochs=1), numbers)
    epochs = alone_epochs(scenario) + len(set(task.personal)) * task.personal_epochs
    return effort(scenario.model, rows, replace(scenario.local, epochs=epochs), numbers)


def alone_epochs(scenario: FederatedScenario) -> int:
    """Passes over its rows in which a client trains the model of its own rows alone: as many as in all rounds, but at
    most 100."""
    task = scenario.task
    return max(task.personal_epochs, min(task.rounds * task.epochs, 100))


def check_limits(scenario: FederatedScenario) -> Iterator[Problem]:
    """Rounds that take more of a client than the scenario allows."""
    task = scenario.task
    for phase in scenario.phases:
        agreed = scenario.round_without_model(phase, 1)
        cost = client_cost(scenario, agreed)
        if task.most_bytes is not None and cost.most > task.most_bytes:
            yield Problem(
                f"a round ({phase}) may take {cost.most} bytes of a client, and most_bytes is {task.most_bytes}",
                "raise it, or choose a smaller model, a coarser `precision`, or fewer `neighbours`",
            )
        if task.most_memory_mb is not None and cost.memory > task.most_memory_mb * MB:
            yield Problem(
                f"a round ({phase}) takes {cost.memory / MB:.1f} MB of a client, and most_memory_mb is "
                f"{task.most_memory_mb:g}",
                "raise it, or choose a smaller model, smaller batches (batch_size) or fewer rows (most_rows)",
            )
        if task.most_seconds is not None and cost.seconds > task.most_seconds:
            yield Problem(
                f"a round ({phase}) takes about {cost.seconds:.2g} s of a client's core, and most_seconds is "
                f"{task.most_seconds:g}",
                "raise it, or choose a smaller model, fewer `epochs` or fewer rows (most_rows)",
            )
