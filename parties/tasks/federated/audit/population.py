"""What `mpc audit` is given of federated learning: the clients' rows, the study in the clear, and the noise of a round.

The study in the clear is the same functions as a run's, without links: each client's work on the round's message, their
sum, and the server's next state. Every client takes part in every round that draws it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from parties.show.blocks import count_text
from parties.tasks.audited.audit import Audit, Mask, Population, Random, Trial, draw_members
from parties.tasks.audited.noise import distributed_trial
from parties.tasks.federated.audit.updates import updates_of
from parties.tasks.federated.clients.data import OwnRows, own_rows, rows_of
from parties.tasks.federated.clients.work import check_cells, work_of
from parties.tasks.federated.server.rounds import ServerState, first_state, message_of, next_state
from parties.tasks.federated.settings import FederatedScenario, Round
from protocols.federated.coding import clip
from protocols.federated.models import Rows
from protocols.federated.noisy import NoisyLayout

_HALF: Final = 0.5
_SMALL: Final = 1e-300
_BEYOND: Final = 10.0  # lengths of the longest update, of one that is to be clipped


def _population(scenario: FederatedScenario, record: Mapping[str, Any] | None) -> Population | None:
    if scenario.own:
        return None  # a learner of the clients' own: nobody else knows what its weights mean
    source = rows_of(scenario)
    rows = {k: own_rows(scenario, name, source.of(name, 1), k) for k, name in enumerate(scenario.client_names)}
    rows = {k: own for k, own in rows.items() if _takes_part(scenario, scenario.client_names[k], own)}
    seen = None
    if record is not None:
        told = record["federated"]
        scaled = told["standardised"] or {"means": [], "deviations": []}
        seen = np.array([*told["weights"], *scaled["means"], *scaled["deviations"]])
    everyone = f"the server, all {count_text(scenario.count)} clients, and whoever they show the model"
    by = _clients if scenario.privacy is not None else _patients
    return replace(by(scenario, rows), seen_by=everyone, seen=seen)


def _takes_part(scenario: FederatedScenario, name: str, own: OwnRows) -> bool:
    """Whether a client's rows have no small cells that Newton's sums would tell."""
    try:
        check_cells(scenario, name, own)
    except DataError:
        return False
    return True


def _join(parts: Iterable[Rows]) -> Rows:
    every = list(parts)
    return Rows(np.concatenate([one.x for one in every]), np.concatenate([one.y for one in every]))


def _patients(scenario: FederatedScenario, rows: Mapping[int, OwnRows]) -> Population:
    """Each row is a candidate: a member if it was trained on, none if it was held out."""
    every = [_join([own.train, own.held]) for own in rows.values()]
    trained = [len(own.train.y) for own in rows.values()]
    held = any(len(own.held.y) for own in rows.values())
    counts = trained if held else [count - int(_HALF * count) for count in trained]
    starts = np.cumsum([0, *(one.y.size for one in every)])
    together = _join(every)

    groups = [(np.arange(a, b), count) for (a, b), count in zip(pairwise(starts), counts, strict=True)]

    def release(mask: Mask, rng: Random) -> Array:
        parts = [mask[starts[k] : starts[k + 1]] for k in range(len(rows))]
        chosen = {
            k: replace(own, train=one.of(part), held=one.of(~part))
            for (k, own), one, part in zip(rows.items(), every, parts, strict=True)
        }
        return _study(scenario, chosen, rng)

    names = [scenario.client_names[k] for k in rows]
    members = np.concatenate([np.arange(one.y.size) < count for one, count in zip(every, trained, strict=True)])
    return Population(
        unit="patient",
        what="the last model's weights",
        seen_by="",
        whose=tuple(name for name, one in zip(names, every, strict=True) for _ in range(one.y.size)),
        draw=lambda rng: draw_members(starts[-1], groups, rng),
        release=release,
        score=lambda seen: row_scores(scenario, seen, together),
        members=members if held else None,
    )


def _clients(scenario: FederatedScenario, rows: Mapping[int, OwnRows]) -> Population:
    """Each client is a candidate: a member if it has data, none if its vector is 0."""
    whole = _join(own.train for own in rows.values())
    ends = np.cumsum([0, *(len(own.train.y) for own in rows.values())])

    def score(seen: Array) -> Array:
        each = row_scores(scenario, seen, whole)
        return np.array([each[a:b].mean() if b > a else 0.0 for a, b in pairwise(ends)])

    return Population(
        unit="client",
        what="the last model's weights",
        seen_by="",
        whose=tuple(scenario.client_names[k] for k in rows),
        draw=lambda rng: rng.permutation(len(rows)) < len(rows) * _HALF,
        release=lambda mask, rng: _study(scenario, {k: own for k, own in rows.items() if mask[k]}, rng),
        score=score,
    )


def _study(scenario: FederatedScenario, rows: Mapping[int, OwnRows], rng: Random) -> Array:
    """What a study of these clients' rows ends with: weights, means and deviations."""
    state = first_state(scenario)
    while state.phase != "evaluate" and state.phase != "done":
        agreed = scenario.round(state.phase, state.t, state.weights)
        state = next_state(scenario, state, agreed, _sums(scenario, state, agreed, rows, rng), agreed.members, {})
    return np.concatenate([state.weights, state.means, state.deviations])


def _sums(
    scenario: FederatedScenario, state: ServerState, agreed: Round, rows: Mapping[int, OwnRows], rng: Random
) -> dict[str, Array]:
    message, sums = message_of(scenario, state), dict[str, Array]()
    for number in agreed.members:
        if number in rows:
            for name, value in work_of(scenario, number, rows[number], message).values.items():
                sums[name] = sums[name] + value if name in sums else value
    if isinstance(agreed.layout, NoisyLayout):
        how = agreed.layout.how
        sums[agreed.layout.name] = sums[agreed.layout.name] + rng.normal(
            0.0, how.deviation(len(agreed.members)), how.size
        )
    return sums


def row_scores(scenario: FederatedScenario, seen: Array, rows: Rows) -> Array:
    """How well the released model fits each row: log(p / (1 - p)) of the chance p of its label, or minus its error."""
    p, size = len(scenario.task.features), scenario.size
    w, means, deviations = seen[:size], seen[size : size + p], seen[size + p :]
    if scenario.newton:
        x, _ = scenario.newton_units(means).apply(rows.x)
        z = x @ w[:-1] + w[-1]
        expected = np.exp(z) if scenario.family == "poisson" else z
        fit: Array = (2 * rows.y - 1) * z if scenario.family == "logistic" else -np.abs(rows.y - expected)
        return fit
    x = (rows.x - means) / deviations if means.size else rows.x
    losses = scenario.model.losses(w, Rows(x, rows.y))
    number = scenario.classes == 1
    found: Array = -np.sqrt(losses) if number else -losses - np.log(np.maximum(-np.expm1(-losses), _SMALL))
    return found


def _trials(scenario: FederatedScenario) -> tuple[Trial, ...]:
    """A round's noisy sum with the fewest clients: what is left once all that work together took their noise off."""
    if scenario.privacy is None:
        return ()
    longest = np.zeros(scenario.size)
    longest[0] = _BEYOND * scenario.task.clip
    update, _ = clip(longest, scenario.task.clip)
    what = f"the noisy sum of a round, of {count_text(scenario.task.rounds)}"
    signs, how = scenario.signs("train", 1), scenario.mechanisms["train"]
    return (distributed_trial(what, scenario.privacy.delta, how, signs, update[np.newaxis]),)


AUDIT: Final = Audit(_population, _trials, updates=updates_of)
