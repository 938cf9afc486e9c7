"""What a study's models tell as they are trained, and the advice that follows: for plan, approval and record.

    what anybody can work out      the models of two rounds differ by the server's step: by the cohort's mean update
    what a client can              the mean update less its own part: the sum of the other clients'
    what a coalition can           likewise; if it is all but one of a round, that one's own update
    what an update gives back      after few local steps it is nearly a gradient of the rows, which gives rows back
                                   (Zhu et al. 2019, "Deep Leakage from Gradients"; Geiping et al. 2020, "Inverting
                                   Gradients"); with an intercept, the gradient of a single row gives it back exactly

Secure aggregation leaves each of these to sums over the honest clients of a round. They are the more telling the fewer
clients and rows are in them, and the fewer local steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from parties.show.blocks import Block, Grid, Line, count_text
from parties.tasks.federated.settings import FederatedScenario

FEW_STEPS: Final = 10
"""With fewer local steps an update is taken to be nearly a gradient."""
FEW_CLIENTS: Final = 10
"""A sum of fewer honest clients' updates is worth the advice to take more."""
_SMALL_BATCH: Final = 8


@dataclass(frozen=True)
class Intermediate:
    """What the models of the rounds tell.

    Args:
        fewest: honest clients in the smallest sum that is opened, if as many as stated collude with the server.
        beside: other clients whose sum a single client knows, at the fewest.
        steps: of a client with the most rows, in a round; 0 for Newton's method, which opens gradients.
        rounds: in how many training rounds a client takes part, on average.
        advice: what makes less of it, one sentence each.
    """

    fewest: int
    beside: int
    steps: int
    rounds: float
    advice: tuple[str, ...]

    @property
    def gradients(self) -> bool:
        """Whether an update is a gradient, or nearly one."""
        return self.steps < FEW_STEPS


def intermediate(scenario: FederatedScenario) -> Intermediate:
    """What the models of a study's rounds tell."""
    task, asked = scenario.task, scenario.cohort
    bounds = scenario.bounds(asked)
    fewest = bounds.smallest_group if bounds.malicious else max(1, scenario.min_cohort - bounds.corrupt)
    batch = task.batch_size or task.most_rows
    steps = 0 if scenario.newton else task.epochs * math.ceil(task.most_rows / min(batch, task.most_rows))
    rounds = scenario.training_rounds * asked / scenario.count
    return Intermediate(fewest, scenario.min_cohort - 1, steps, rounds, tuple(_advice(scenario, fewest, steps)))


def _advice(scenario: FederatedScenario, fewest: int, steps: int) -> list[str]:
    task, found = scenario.task, []
    if scenario.plain:
        return ['set aggregation = "secure": nothing else protects a single client\'s update']
    if fewest < FEW_CLIENTS:
        more = (
            "ask more clients in a round (cohort)" if scenario.cohort < scenario.count else "let more clients take part"
        )
        found.append(f"{more}, and open nothing for few (min_cohort): a sum hides each of them the better")
    if not scenario.newton and steps < FEW_STEPS:
        found.append("train longer in a round (epochs): the update is then less like a gradient of the rows")
    if not scenario.newton and 0 < task.batch_size < _SMALL_BATCH:
        found.append("take larger batches (batch_size): a step of few rows points at them")
    if not scenario.newton and task.rounds > 100:
        found.append("end sooner (rounds, early_stop): each round tells something more about the same rows")
    if task.server == "semi-honest":
        found.append('set server = "malicious" where the server might lie about who dropped out, or send other models')
    return found


def intermediate_facts(scenario: FederatedScenario) -> dict[str, Any]:
    """The same as plain JSON."""
    one = intermediate(scenario)
    return {
        "fewest_honest_clients_in_a_sum": one.fewest,
        "other_clients_whose_sum_a_client_knows": one.beside,
        "local_steps": one.steps,
        "nearly_gradients": one.gradients,
        "rounds_of_a_client": one.rounds,
        "advice": list(one.advice),
    }


def intermediate_blocks(scenario: FederatedScenario) -> list[Block]:
    """What the models of the rounds tell, in sentences, and the advice."""
    one, task = intermediate(scenario), scenario.task
    if scenario.plain:
        first = (
            f'{scenario.server} sees EVERY client\'s own update and figures: aggregation = "plain" protects nothing, '
            "and is for comparison only."
        )
        return [Line(""), Line(first, "bold red"), *_advice_blocks(one)]
    lines = [
        f"Everybody gets each round's model, and so learns the sum of the round's updates. A client that takes its own "
        f"away has the sum of the others': of {count_text(one.beside)} at the fewest. If as many clients as are stated "
        f"work with the server, a sum of {count_text(one.fewest)} honest clients remains; of two clients, each would "
        "see the other's exactly."
    ]
    if scenario.privacy is not None:
        lines = [
            "Everybody gets each round's model, and so learns the noisy sum of the round's updates: the guarantee "
            "above is for all of them together, also against clients that take off their own updates and noise.",
            "A client that lies may move the model as far as it likes, in a direction of its choice: a noisy sum has "
            "no bound that tells it. Nobody sees who lied.",
        ]
        return [Line(""), Line("What the models of the rounds tell", "bold"), *map(Line, lines)]
    if scenario.newton:
        missing = ""
        if scenario.training_rounds > 1:
            missing = " If a client is missing in one step and not in the next, the two sums give nearly its own."
        lines.append(
            "Newton's gradients and Fisher matrices are opened as they are: sums over all rows of the clients that "
            f"took part.{missing} A client with a cell of fewer than {task.min_cell} rows takes no part."
        )
    elif one.gradients:
        lines.append(
            f"A client trains {count_text(one.steps)} steps in a round at the most: so few that its update is nearly a "
            "gradient, from which rows can be rebuilt (gradient inversion: Zhu et al. 2019, Geiping et al. 2020). Only "
            "the number of clients in a sum keeps that from single rows."
        )
    else:
        lines.append(
            f"A client trains up to {count_text(one.steps)} steps in a round, less if it has fewer rows; after few "
            "steps an update is nearly a gradient, from which rows can be rebuilt (gradient inversion: Zhu et al. "
            "2019, Geiping et al. 2020)."
        )
    often = f"{one.rounds:.3g} round{'s' * (one.rounds != 1)} of training"
    lines.append(
        f"A client takes part in {often} on average, and each tells more about the same rows. A model may also tell "
        "whether a row was among those that it was trained on."
    )
    lines.append(
        "A client that lies moves the model by at most `clip` in a round (the mean update is refused if it is longer), "
        "in a direction of its choice, and can spoil the figures; a sum outside the agreed range is refused. Nobody "
        "sees who lied."
        if not scenario.newton
        else "A client that lies can move the fit anywhere: a sum outside the agreed range is refused, and no more is "
        "checked. Nobody sees who lied."
    )
    return [Line(""), Line("What the models of the rounds tell", "bold"), *map(Line, lines), *_advice_blocks(one)]


def _advice_blocks(one: Intermediate) -> list[Block]:
    if not one.advice:
        return []
    return [Grid("What makes it less", ("advice",), tuple((text,) for text in one.advice))]
