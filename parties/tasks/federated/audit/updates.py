"""What clients send in the first rounds of a study in the clear, and what the server sees of it: for an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from mpc.errors import DataError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from parties.tasks.audited.audit import Random
from parties.tasks.audited.updates import RoundUpdates, Updates
from parties.tasks.federated.clients.data import OwnRows, own_rows, rows_of
from parties.tasks.federated.clients.work import work_of
from parties.tasks.federated.leaks import intermediate
from parties.tasks.federated.server.rounds import first_state, message_of, next_state
from parties.tasks.federated.settings import FederatedScenario
from protocols.federated.coding import clip
from protocols.federated.local import train
from protocols.federated.models import Rows

_ROUNDS: Final = 3
_DIVERGED: Final = 1e6


def updates_of(scenario: FederatedScenario) -> Updates | None:
    """The first rounds of training; None where clients send no updates that others can repeat.

    Raises:
        DataError: a client's data cannot be read.
    """
    if scenario.newton or scenario.own:
        return None
    source = rows_of(scenario)
    own = {k: own_rows(scenario, name, source.of(name, 1), k) for k, name in enumerate(scenario.client_names)}
    state, rounds, models = first_state(scenario), list[RoundUpdates](), dict[int, Array]()
    while len(rounds) < min(_ROUNDS, scenario.training_rounds) and state.phase in ("scale", "train"):
        agreed, message = scenario.round(state.phase, state.t, state.weights), message_of(scenario, state)
        done = {k: work_of(scenario, k, own[k], message).values for k in agreed.members}
        if state.phase == "train":
            shares = {k: _share(scenario, own[k]) for k in done}
            updates = {k: values["update"] / (shares[k] if scenario.by_rows else 1.0) for k, values in done.items()}
            rounds.append(RoundUpdates(state.t, updates, shares))
            models[state.t] = message.weights
        sums = {name: np.sum([one[name] for one in done.values()], axis=0) for name in next(iter(done.values()))}
        state = next_state(scenario, state, agreed, sums, agreed.members, {})
    scaled = (state.means, state.deviations) if scenario.task.standardise else (np.zeros(1), np.ones(1))

    def retrain(t: int, client: int, rows: Rows) -> Array:
        stream = Stream(derive(scenario.public_seed, f"federated batches/{t}/{client}"))
        try:
            found, _ = clip(
                train(scenario.model, models[t], rows, scenario.local, stream) - models[t], scenario.task.clip
            )
        except DataError:
            return np.full(scenario.size, _DIVERGED)
        return found

    return Updates(
        model=scenario.model,
        rows=_standardise({k: one.train for k, one in own.items()}, *scaled),
        held=_standardise({k: one.held for k, one in own.items()}, *scaled),
        rounds=tuple(rounds),
        retrain=retrain,
        opened=lambda updates, shares, rng: _open(scenario, updates, shares, rng),
        fewest=min(intermediate(scenario).fewest, len(own)),
        asked=scenario.cohort,
        plain=scenario.plain,
        noisy=scenario.privacy is not None,
        labels=tuple(map(float, range(scenario.classes))) if scenario.classes > 1 else (),
    )


def _share(scenario: FederatedScenario, own: OwnRows) -> float:
    return own.train.y.size / scenario.task.most_rows if scenario.by_rows else 1.0


def _standardise(rows: Mapping[int, Rows], means: Array, deviations: Array) -> dict[int, Rows]:
    return {k: Rows((one.x - means) / deviations, one.y) for k, one in rows.items()}


def _open(scenario: FederatedScenario, updates: Sequence[Array], shares: Sequence[float], rng: Random) -> Array:
    """The mean of some clients' updates as the server sees it."""
    if scenario.privacy is not None:
        noise = scenario.mechanisms["train"].deviation(len(updates))
        found: Array = (np.sum(updates, axis=0) + rng.normal(0.0, noise, scenario.size)) / len(updates)
        return found
    scale = scenario.update_scale
    total = np.sum([np.rint(u * s * scale) for u, s in zip(updates, shares, strict=True)], axis=0) / scale
    mean: Array = total / np.sum(shares)
    return mean
