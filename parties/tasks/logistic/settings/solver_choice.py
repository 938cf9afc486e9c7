"""solver = "auto": which solver reaches about the same final loss soonest on the scenario's network, by its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from mpc.errors import UsageError
from mpc.runtime.plan import make_plan
from mpc.runtime.speed import LinkSpeed
from parties.scenario.network import LAN, NetworkSpec
from parties.tasks.logistic.settings.programs import program_of
from parties.tasks.logistic.settings.solver import MOMENTUM
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate, choose_fit, choose_form, constants_digest, descent_for

Link = Callable[[str, str], LinkSpeed]
"""The link of two parties."""

STEPS: Final[Mapping[str, int]] = {"newton": 25, "nesterov": 100, "sgd": 400}
"""Steps that bring the loss within about a thousandth of its minimum: `tools/solver_steps.py`, docs/solvers.md."""

_BATCH: Final = 128
_MEASURED: Final = 300
"""Mini-batches of the shorter of the two trainings that the time of a very long one is extrapolated from."""


def candidates(settings: TrainingSettings) -> dict[str, TrainingSettings]:
    """The same training by each solver, for about the same final loss; whichever solver `settings` name."""
    found = {}
    for solver, steps in STEPS.items():
        rate = automatic_rate(solver, settings.features, settings.l2)
        if solver == "sgd":
            batches = -(-max(1, sum(settings.train_rows)) // _BATCH)
            how = {"epochs": max(1, -(-steps // batches)), "iterations": 0, "momentum": 0.0}
        else:
            how = {"epochs": 1, "iterations": steps, "momentum": dyadic(MOMENTUM[solver])}
        common = {"batch_size": _BATCH, "learning_rate": rate, "choice": ()}
        found[solver] = replace(settings, solver=solver, **common, **how)  # type: ignore[arg-type]
    return found


def choose(settings: TrainingSettings, network: NetworkSpec | None) -> TrainingSettings:
    """The candidate whose plan takes the shortest time on the wire; of equals, the one that takes fewer steps.

    Its `choice` says how long each takes. To work that out takes some tenths of a second: a process does it once, and
    hands on what it found.

    Raises:
        UsageError: no solver can train on such data; says why of the last one.
    """
    seconds = prices(settings, network)
    best = candidates(settings)[min(seconds, key=lambda solver: seconds[solver])]
    return replace(best, choice=tuple(seconds.items()))


def prices(settings: TrainingSettings, network: NetworkSpec | None) -> dict[str, float]:
    """Seconds on the wire of each solver's plan, on the scenario's network or else a local one.

    Raises:
        UsageError: no solver can train on such data; says why of the last one.
    """
    link = (network or LAN).speed
    seconds: dict[str, float] = {}
    refused: UsageError | None = None
    for solver, how in candidates(settings).items():
        try:
            seconds[solver] = _seconds(how, link)
        except UsageError as error:
            refused = error
    if not seconds and refused is not None:
        raise refused
    return seconds


def _seconds(how: TrainingSettings, link: Link) -> float:
    """Seconds on the wire of a training's plan; with very many steps, extrapolated from two shorter trainings.

    A plan of a million rows takes as long to make as the choice may. Time grows with the steps, all of which are alike:
    a training on the first rows, and one on half as many, tell how.
    """
    steps = how.step_count
    if how.solver != "sgd" or steps <= 2 * _MEASURED:
        return _planned_seconds(how, link)
    descent_for(how)  # refuses what only the whole training would be refused for
    less, more = (_planned_seconds(_first(how, count), link) for count in (_MEASURED, 2 * _MEASURED))
    return more + (steps - 2 * _MEASURED) * (more - less) / _MEASURED


def _first(how: TrainingSettings, steps: int) -> TrainingSettings:
    """One epoch of so many mini-batches, over the same part of every owner's rows.

    In the form and with the sigmoid of the whole training, which shorter ones may not need.
    """
    part = steps * how.batch_size / sum(how.train_rows)
    rows = [int(part * count) for count in how.train_rows]
    rows[0] += steps * how.batch_size - sum(rows)
    reach = choose_fit(how).reach
    return replace(how, train_rows=tuple(rows), epochs=1, form=choose_form(how), sigmoid_range=reach)


def _planned_seconds(how: TrainingSettings, link: Link) -> float:
    job = program_of(vertical=how.partition == "vertical", inference=False)
    plan = make_plan(lambda p: job(p, None, how), how.owners, how.helper, constants_digest(how))
    return plan.seconds_over(link)
