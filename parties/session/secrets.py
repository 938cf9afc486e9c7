"""Where a party's secrets come from: the operating system, or a scenario's test seed, which makes them known."""

from __future__ import annotations

from logging import Logger

from mpc.randomness.streams import Entropy, party_entropy
from parties.base.reporter import Reporter
from parties.scenario.file import Scenario


def seed_for_tests(scenario: Scenario) -> int | None:
    """The scenario's test seed, if it has one."""
    return scenario.testing.insecure_seed if scenario.testing else None


def entropy_of(scenario: Scenario, me: str, reporter: Reporter, log: Logger) -> Entropy:
    """The source of a party's secrets; under a test seed, it says so."""
    seed = seed_for_tests(scenario)
    if seed is not None:
        reporter.warn(log, "INSECURE: this run's secrets come from the scenario's test seed; use it for tests only")
    return party_entropy(seed, me)
