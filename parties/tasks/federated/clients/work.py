"""A client's work on a round's message: from the received model and its own rows to the numbers that it adds.

Nothing here is seen by another party but the vector, and that only in a sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from mpc.errors import DataError, ProtocolError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from parties.scenario.problems import quote
from parties.tasks.federated.clients.data import OwnRows
from parties.tasks.federated.clients.learner import Learner
from parties.tasks.federated.costs import alone_epochs
from parties.tasks.federated.figures import comparison_of, evaluation_of
from parties.tasks.federated.settings import FederatedScenario, Round
from protocols.federated.coding import clip
from protocols.federated.evaluate import Judge, evaluation_sums
from protocols.federated.local import Step, Training, update_of
from protocols.federated.messages import Message
from protocols.federated.models import Rows
from protocols.federated.newton.sums import fitting, glm_sums, small_cells
from protocols.federated.noisy import client_figures
from protocols.federated.personal import Kind, Own, alone, best_of, ditto, fine_tune, gain, own_figures, personal_sums


@dataclass(frozen=True, eq=False)
class Done:
    """What a client made of a round's message.

    Args:
        values: each part's numbers.
        clipped: whether its update was longer than the agreed norm.
        personal: in the last round, the model of all and those of its own, by kind.
        own: their figures on held-out rows, by kind; `gains` by each of its own; `best` the one that is best for it.
        means, deviations: what the features are standardised by, if they are.
    """

    values: Mapping[str, Array] = field(repr=False)
    clipped: bool = False
    personal: Mapping[Kind, Array] = field(default_factory=dict, repr=False)
    own: Mapping[Kind, Own] = field(default_factory=dict, repr=False)
    gains: Mapping[str, float] = field(default_factory=dict, repr=False)
    best: str | None = None
    means: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    deviations: Array = field(default_factory=lambda: np.zeros(0), repr=False)


def check_message(scenario: FederatedScenario, message: Message, agreed: Round) -> None:
    """Refuse a message that is not of the agreed round, or that has another model's size.

    Raises:
        ProtocolError: it is none of this round.
    """
    size = 0 if message.phase == "scale" else scenario.size
    scaled = len(scenario.task.features) if scenario.task.standardise and message.phase != "scale" else 0
    if (message.phase, message.t) != (agreed.phase, agreed.t) or (message.weights.size, message.means.size) != (
        size,
        scaled,
    ):
        raise ProtocolError(
            f"the server's message is not one of round {agreed.t} ({agreed.phase})", "nothing was sent", party="server"
        )


def work_of(
    scenario: FederatedScenario, number: int, rows: OwnRows, message: Message, learner: Learner | None = None
) -> Done:
    """What a client adds in a round.

    Args:
        number: the client's, in the star.
        learner: of the client's owner, in place of the built-in training.

    Raises:
        DataError: the training diverged, or a cell of its rows is too small to be in a pooled matrix.
    """
    if message.phase == "scale":
        return Done(_moments(scenario, rows.train))
    if message.phase == "newton":
        return Done(_newton(scenario, rows.train, message))
    train, held = (_scale_rows(scenario, one, message) for one in (rows.train, rows.held))
    if message.phase == "evaluate":
        return _evaluate(scenario, number, train, held, message, learner)
    step: Step | None = learner
    if step is None:
        stream = Stream(derive(scenario.public_seed, f"federated batches/{message.t}/{number}"))
        step = Training(scenario.model, scenario.local, stream)
    update, was_clipped = clip(update_of(step, message.weights, train), scenario.task.clip)
    count = train.y.size
    if scenario.privacy is not None:
        return Done({"update": update}, was_clipped)
    weight, share = (count, count / scenario.task.most_rows) if scenario.by_rows else (1, 1.0)
    values: dict[str, Array] = {"update": update * share, "weight": np.array([float(weight)])}
    if scenario.judges:
        judge = _judge(scenario, learner)
        values |= evaluation_sums(judge, message.weights, held, evaluation_of(scenario, scores=False))
    return Done(values, was_clipped)


def check_cells(scenario: FederatedScenario, client: str, rows: OwnRows) -> None:
    """Refuse rows of which Newton's pooled matrices could tell fewer than `min_cell`.

    Raises:
        DataError: they have such cells, and the columns are named; or the rows are few themselves.
    """
    if not scenario.newton:
        return
    task = scenario.task
    found = small_cells(scenario.family, rows.train.x, rows.train.y, task.min_cell)
    p = len(task.features)
    if p + 2 in found:
        least = max(task.min_cell, p + 2)
        raise DataError(
            f"{client}: {rows.train.y.size} rows, and pooled matrices of {p} features need {least}: they would show "
            "those of a client that is missing in some round",
            "add rows, or name fewer `features`; else leave this client out",
        )
    if found:
        names = [*task.features, task.target, "combinations of columns"]
        raise DataError(
            f"{client}: fewer than {task.min_cell} rows of a value, or of it in a class, in "
            f"{quote(names[k] for k in found)}",
            "the server would see their number in the pooled matrices: leave the column out, or join values",
        )


def _moments(scenario: FederatedScenario, rows: Rows) -> dict[str, Array]:
    low, high = scenario.ranges()
    scaled = (rows.x - (low + high) / 2) / ((high - low) / 2)
    return {
        "rows": np.array([float(rows.y.size)]),
        "values": scaled.sum(axis=0),
        "squares": (scaled**2).sum(axis=0),
    }


def _newton(scenario: FederatedScenario, rows: Rows, message: Message) -> dict[str, Array]:
    x, _ = scenario.newton_units(message.means).apply(rows.x)
    layout = scenario.newton_layout(message.weights)
    return fitting(glm_sums(scenario.family, message.weights, Rows(x, rows.y)), layout)


def _scale_rows(scenario: FederatedScenario, rows: Rows, message: Message) -> Rows:
    """The rows as the model takes them."""
    if scenario.newton:
        return Rows(scenario.newton_units(message.means).apply(rows.x)[0], rows.y)
    if not message.means.size:
        return rows
    return Rows((rows.x - message.means) / message.deviations, rows.y)


def _judge(scenario: FederatedScenario, learner: Learner | None) -> Judge:
    """What judges the received model on held-out rows: the agreed one, or an own model's own."""
    return learner if learner is not None and scenario.own else scenario.model


def _evaluate(
    scenario: FederatedScenario, number: int, train: Rows, held: Rows, message: Message, learner: Learner | None
) -> Done:
    """The figures of the last model on the held-out rows (of Newton's fit on all), and the personal models."""
    w, done = message.weights, partial(Done, means=message.means, deviations=message.deviations)
    if scenario.privacy is not None:
        told: dict[str, Array] = {"nothing": np.zeros(1)}
        if scenario.judges:
            told = {"figures": client_figures(_judge(scenario, learner), w, held, scenario.classes)}
        return done(told, personal={"global": w})
    if not scenario.judges:
        return done({"rows": np.array([float(train.y.size)])}, personal={"global": w})
    judged = train if scenario.newton else held
    how = evaluation_of(scenario, scores=True)
    values = dict(evaluation_sums(_judge(scenario, learner), w, judged, how))
    compared = comparison_of(scenario)
    if compared is None:
        return done(values, personal={"global": w})
    task, model = scenario.task, scenario.model

    def stream(kind: str) -> Stream:
        return Stream(derive(scenario.public_seed, f"federated personal model/{kind}/{number}"))

    longer = replace(scenario.local, epochs=task.personal_epochs, proximal=0.0)
    by_itself = replace(longer, epochs=alone_epochs(scenario))
    models: dict[Kind, Array] = {"global": w}
    for kind in compared.kinds:
        if kind == "alone":
            models[kind] = alone(model, train, by_itself, stream(kind))
        elif kind == "fine-tuned":
            models[kind] = fine_tune(model, w, train, longer, stream(kind))
        elif kind == "ditto":
            models[kind] = ditto(model, w, train, longer, task.ditto_lambda, stream(kind))
    own: dict[Kind, Own] = {}
    for kind, weights in models.items():
        found = own_figures(model, weights, judged, compared.most_loss, classes=compared.classes)
        if found is not None:
            own[kind] = found
    gains: dict[str, float] = {kind: gain(own[kind], own["global"]) for kind in compared.personal if own}
    best = best_of(own, compared) if own else None
    return done(values | personal_sums(own or None, compared), personal=models, own=own, gains=gains, best=best)
