"""Federated learning with [privacy]: which settings go with it, the noise of each release, and what a study has spent.

Neighbours differ by the data of one client, which are there or are not. Who takes part is told in either case. What is
released, and to be paid for, is the noisy sum of each training round, and that of the figures of the last model. All
else is computed from these, or was agreed before: features are standardised by their agreed `range`, all clients weigh
the same, and no figures are told by round.

The draw of a round's clients is public: it makes no release cheaper. But a client pays only for the rounds for which it
was drawn, and it is known before how many these are: of `rounds`, those of the client that is drawn most often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from parties.scenario.problems import Problem
from parties.tasks.star import noise as client_noise
from parties.trust.budget import Charge
from protocols.federated.draws.sample import most_drawn
from protocols.federated.messages import Phase
from protocols.federated.noisy import MOST_LOSS, MOST_SQUARE, figures_norm, figures_size
from protocols.privacy.concentrated import epsilon_at, rho_at
from protocols.privacy.distributed import Distributed, calibrated_vector, padded

if TYPE_CHECKING:
    from mpc.ring.array import Array
    from parties.tasks.federated.settings import FederatedScenario

FIGURES_SHARE: Final = 0.1
"""Of rho, for the figures of the last model; the rest is for training, in equal parts."""
_MOST_COUNTED: Final = 1_000_000
"""Draws of clients; of more, each client is counted as drawn in every round."""
_OF_95: Final = 1.96
_LEAST_JUDGING: Final = 5.0  # standard deviations of its noise: their number is then known well enough to divide by
OUTSIDE: Final = (
    "who takes part in each round, and who drops out when",
    "whether a client's data are as the scenario says: columns, classes, numbers of rows within the limits",
    "how long a client takes: training takes longer on more rows, and a sample of noise a time that depends on it",
)


def check_private(scenario: FederatedScenario) -> Iterator[Problem]:
    """The settings that do not go with [privacy]."""
    task = scenario.task
    if scenario.newton:
        yield Problem(
            '[task] method = "newton" opens exact sums, and does not go with [privacy]', 'choose "fedavg" or "fedadam"'
        )
    if scenario.plain:
        yield Problem(
            '[task] aggregation = "plain" shows the server vectors with little noise, and does not go with [privacy]',
            "leave it out: the sums alone are noisy enough",
        )
    if task.weights == "rows":
        yield Problem(
            '[task] weights = "rows" would tell numbers of rows, and does not go with [privacy]',
            "leave it out: with [privacy] all clients weigh the same",
        )
    if task.early_stop is not None:
        yield Problem(
            "[task] early_stop goes by exact figures of each round, which [privacy] keeps back",
            "choose a number of rounds before",
        )
    if task.personal:
        yield Problem("[task] personal tells exact numbers of clients, which [privacy] keeps back", "leave it out")


def honest(scenario: FederatedScenario, asked: int) -> int:
    """The clients whose noise carries the claim, of so many asked.

    Raises:
        UsageError: there may be none.
    """
    return client_noise.honest(scenario.least(asked), scenario.bounds(asked))


def times_released(scenario: FederatedScenario) -> dict[Phase, int]:
    """How many sums of each phase the client is in that is drawn most often."""
    rounds = scenario.task.rounds
    if scenario.cohort < scenario.count and rounds * scenario.cohort <= _MOST_COUNTED:
        rounds = most_drawn(scenario.public_seed, rounds, scenario.count, scenario.cohort)
    return {"train": rounds, "evaluate": 1}


def mechanisms_of(scenario: FederatedScenario) -> dict[Phase, Distributed]:
    """The noise of a training round, and of the figures, where rows are held out.

    Raises:
        UsageError: the sums take too many bits.
    """
    assert scenario.privacy is not None
    task = scenario.task
    rho = rho_at(scenario.privacy.epsilon, scenario.privacy.delta)
    figures = FIGURES_SHARE if task.validation_fraction else 0.0
    found: dict[Phase, Distributed] = {
        "train": calibrated_vector(
            scenario.size,
            task.clip,
            rho * (1.0 - figures) / times_released(scenario)["train"],
            clients=scenario.cohort,
            fewest=honest(scenario, scenario.cohort),
            numbers=2 * task.rounds * padded(scenario.size),
        )
    }
    if figures:
        found["evaluate"] = calibrated_vector(
            figures_size(scenario.classes),
            figures_norm(scenario.classes),
            rho * figures,
            clients=scenario.count,
            fewest=honest(scenario, scenario.count),
            numbers=2 * padded(figures_size(scenario.classes)),
        )
    return found


def planned_charge(scenario: FederatedScenario) -> Charge | None:
    """What the whole study costs the client that is drawn most often; None without [privacy]."""
    privacy = scenario.privacy
    if privacy is None:
        return None
    times = times_released(scenario)
    found = [client_noise.client_mechanism(how, times[phase]) for phase, how in scenario.mechanisms.items()]
    return Charge(tuple(found), privacy.epsilon, privacy.delta, "client")


def agreed_moments(scenario: FederatedScenario) -> tuple[Array, Array]:
    """Means and deviations (p,) to standardise by: the middle of each feature's range, and a quarter of it."""
    low, high = scenario.ranges()
    return (low + high) / 2, (high - low) / 4


def spend(scenario: FederatedScenario, phase: Phase, spent: Array, survivors: Sequence[int], asked: int) -> Array:
    """What each client has spent (clients,) after a round: in rho, by the noise of those who were in its sum.

    Args:
        asked: how many were; 0 where it is not known who was in the sum: then the noise of the fewest counts.
    """
    how = scenario.mechanisms.get(phase)
    if how is None:
        return spent
    noises = client_noise.noises_of(how, len(survivors), scenario.bounds(asked)) if asked else how.fewest
    after = spent.copy()
    after[list(survivors)] += how.rho_of(noises)
    return after


def epsilon_spent(scenario: FederatedScenario, spent: Array) -> float:
    """The epsilon of the client that spent most."""
    assert scenario.privacy is not None
    return epsilon_at(float(spent.max(initial=0.0)), scenario.privacy.delta, _slack(scenario))


def _slack(scenario: FederatedScenario) -> float:
    times = times_released(scenario)
    return sum(times[phase] * how.slack for phase, how in scenario.mechanisms.items())


def noisy_figures(scenario: FederatedScenario, sums: Mapping[str, Array], clients: int) -> dict[str, Any]:
    """The last model's figures, means over the clients with held-out rows, from the noisy sum over so many clients;
    each with what the noise may be off by in 95 of 100 runs (as of a ratio). None of too few clients for the noise.
    """
    if "figures" not in sums:
        return {}
    judging, *totals = (float(one) for one in sums["figures"])
    deviation = scenario.mechanisms["evaluate"].deviation(clients)
    if judging < _LEAST_JUDGING * deviation:
        return {"judging": None}
    means = [float(np.clip(one / judging, -1, 1)) for one in totals]
    units = [(one + 1) / 2 for one in means]
    errors = [_OF_95 * deviation / judging * sqrt(1 + one**2) / 2 for one in means]
    if scenario.classes > 1:
        return {
            "judging": judging,
            "accuracy": units[0],
            "loss": units[1] * MOST_LOSS,
            "errors": {"accuracy": errors[0], "loss": errors[1] * MOST_LOSS},
        }
    return {
        "judging": judging,
        "loss": units[0] * MOST_SQUARE / 2,
        "root_mean_square": sqrt(units[0] * MOST_SQUARE) * scenario.target_unit,
        "errors": {"loss": errors[0] * MOST_SQUARE / 2},
    }


def privacy_facts(scenario: FederatedScenario, spent: Array | None = None) -> dict[str, Any] | None:
    """The guarantee, its releases and what they cost, as plain JSON; None without [privacy].

    Args:
        spent: of each client, in rho, at the end.
    """
    privacy = scenario.privacy
    if privacy is None:
        return None
    times = times_released(scenario)
    whole = rho_at(privacy.epsilon, privacy.delta)
    names = {"train": "the sum of the clipped updates of a round", "evaluate": "figures of the last model"}
    releases = []
    for phase, how in scenario.mechanisms.items():
        asked = how.clients
        releases.append(
            {
                "what": names[phase],
                "times": times[phase],
                "share": times[phase] * how.rho / whole,
                "norm": how.norm,
                "numbers": how.size,
                "honest_clients": how.fewest,
                "client_deviation": how.deviation(1),
                "deviation_of_the_mean": how.deviation(asked) / asked,
                "sensitivity": sqrt(how.squared_norm) / how.scale,
                "bits": how.bits,
            }
        )
    planned = sum(times[phase] * how.rho for phase, how in scenario.mechanisms.items())
    spending = None if spent is None else epsilon_spent(scenario, spent)
    cost, bounds = epsilon_at(planned, privacy.delta, _slack(scenario)), scenario.bounds(scenario.cohort)
    return client_noise.guarantee_facts(privacy, bounds, cost, spending, releases, OUTSIDE)
